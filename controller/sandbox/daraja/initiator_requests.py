"""What Daraja checks in the requests of an initiator, key by key as it spells them. PURE.

A key that is not on the list is refused, so that a right spelling is found and a wrong one too:
``RecieverIdentifierType``, ``Occassion`` and ``InitiatorName`` are Daraja's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.sandbox.daraja.requests import (
    AMOUNT_MAX,
    Refused,
    as_text,
    invalid,
    is_msisdn,
    may_call_back,
)

if TYPE_CHECKING:
    from controller.sandbox.daraja.settings import SimSettings

REMARKS_CHARS_MAX = 100
_NAME_CHARS_MAX = 64
_URLS = ("ResultURL", "QueueTimeOutURL")
_CONVERSATIONS = ("OriginalConversationID", "OriginatorConversationID")
_RECEIPT = re.compile(r"[A-Z0-9]{10}")


@dataclass(frozen=True, slots=True)
class Api:
    """One API: its path, its keys, and what it calls a dead token."""

    name: str
    path: str
    commands: tuple[str, ...]
    wanted: tuple[str, ...]
    optional: tuple[str, ...]
    dead_status: int
    dead_code: str
    dead_words: str = "Invalid Access Token"
    initiator: str = "Initiator"

    def dead(self, token: str) -> Refused:
        """What it says to a dead token; one API repeats the token."""
        return Refused(self.dead_status, self.dead_code, self.dead_words.format(token=token))


STATUS = Api(
    name="status",
    path="/mpesa/transactionstatus/v1/query",
    commands=("TransactionStatusQuery",),
    wanted=("PartyA", "IdentifierType", "Remarks"),
    optional=("TransactionID", *_CONVERSATIONS, "Occasion"),
    dead_status=400,
    dead_code="400.003.01",
)
REVERSAL = Api(
    name="reversal",
    path="/mpesa/reversal/v1/request",
    commands=("TransactionReversal",),
    wanted=("TransactionID", "Amount", "ReceiverParty", "RecieverIdentifierType", "Remarks"),
    optional=("Occasion",),
    dead_status=404,
    dead_code="404.001.03",
)
_PAYOUTS = ("BusinessPayment", "SalaryPayment", "PromotionPayment")
B2C_V3 = Api(
    name="b2c",
    path="/mpesa/b2c/v3/paymentrequest",
    commands=_PAYOUTS,
    wanted=("OriginatorConversationID", "Amount", "PartyA", "PartyB", "Remarks"),
    optional=("Occassion",),
    dead_status=401,
    dead_code="401.001",
    initiator="InitiatorName",
)
B2C_V1 = Api(
    name="b2c",
    path="/mpesa/b2c/v1/paymentrequest",
    commands=_PAYOUTS,
    wanted=("Amount", "PartyA", "PartyB", "Remarks"),
    optional=("Occassion",),
    dead_status=401,
    dead_code="401.001",
    initiator="InitiatorName",
)
BALANCE = Api(
    name="balance",
    path="/mpesa/accountbalance/v1/query",
    commands=("AccountBalance",),
    wanted=("PartyA", "IdentifierType", "Remarks"),
    optional=(),
    dead_status=401,
    dead_code="401.002.01",
    dead_words="Error Occurred - Invalid Access Token - {token}",
)
APIS = (STATUS, REVERSAL, B2C_V3, B2C_V1, BALANCE)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A request that passed all checks but that of the credential.

    ``subject`` is the receipt or conversation that it is about, or the number that is paid.
    """

    initiator: str
    credential: object
    result_url: str
    timeout_url: str
    originator_id: str = ""
    subject: str = ""
    shillings: int = 0


def read_order(api: Api, fields: dict[str, Any], settings: SimSettings) -> Ordered:
    """The order in ``fields``. Raises `Refused` for the first field that cannot be."""
    for name in (api.initiator, "CommandID", *api.wanted, *_URLS):
        if name not in fields:
            raise invalid(name)
    known = {api.initiator, "SecurityCredential", "CommandID", *_URLS, *api.wanted, *api.optional}
    if set(fields) - known:
        raise Refused(400, "400.002.05", "Invalid Request Payload")
    if fields["CommandID"] not in api.commands:
        raise invalid("CommandID")
    for name in _URLS:
        if not isinstance(fields[name], str) or not may_call_back(fields[name]):
            raise invalid(name)
    _check_texts(fields)
    _check_parties(fields, settings)
    return Ordered(
        initiator=as_text(fields, api.initiator),
        credential=fields.get("SecurityCredential"),
        result_url=fields["ResultURL"],
        timeout_url=fields["QueueTimeOutURL"],
        originator_id=_conversation(fields, _CONVERSATIONS[1:]) if api is B2C_V3 else "",
        subject=_subject(api, fields),
        shillings=_amount(fields) if "Amount" in fields else 0,
    )


def _check_texts(fields: dict[str, Any]) -> None:
    remarks = fields["Remarks"]
    if not isinstance(remarks, str) or not 2 <= len(remarks) <= REMARKS_CHARS_MAX:  # noqa: PLR2004 - Daraja's
        raise invalid("Remarks")
    for name in ("Occasion", "Occassion"):
        told = fields.get(name, "")
        if not isinstance(told, str) or len(told) > REMARKS_CHARS_MAX:
            raise invalid(name)


def _check_parties(fields: dict[str, Any], settings: SimSettings) -> None:
    places = {settings.shortcode: "4"}
    if settings.till is not None:
        places[settings.till] = "2"
    for name in ("PartyA", "ReceiverParty"):
        if name in fields and as_text(fields, name) not in places:
            raise invalid(name)
    if "IdentifierType" in fields:
        wanted = places[as_text(fields, "PartyA")]
        if as_text(fields, "IdentifierType") != wanted:
            raise invalid("IdentifierType")
    if "RecieverIdentifierType" in fields and as_text(fields, "RecieverIdentifierType") != "11":
        raise invalid("RecieverIdentifierType")


def _subject(api: Api, fields: dict[str, Any]) -> str:
    if api in (B2C_V3, B2C_V1):
        if not is_msisdn(as_text(fields, "PartyB")):
            raise invalid("PartyB")
        return as_text(fields, "PartyB")
    if api is BALANCE:
        return ""
    receipt = fields.get("TransactionID")
    if api is STATUS and not receipt:
        return _conversation(fields, _CONVERSATIONS)
    if not isinstance(receipt, str) or not _RECEIPT.fullmatch(receipt):
        raise invalid("TransactionID")
    return receipt


def _conversation(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    """The name of a conversation, whichever of ``names`` its key has."""
    told = next((fields[name] for name in names if fields.get(name)), None)
    if not isinstance(told, str) or not 1 <= len(told) <= _NAME_CHARS_MAX:
        raise invalid(names[0])
    return told


def _amount(fields: dict[str, Any]) -> int:
    amount = as_text(fields, "Amount")
    whole = amount.isascii() and amount.isdigit() and len(amount) <= len(str(AMOUNT_MAX)) + 1
    if not whole or int(amount) < 1:
        raise invalid("Amount")
    return int(amount)
