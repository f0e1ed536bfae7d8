"""What our API user asks of Daraja, and how it says that it has taken a request. PURE.

The outcome comes later, to an address that the request names (see ``mpesa_result``). Daraja spells
some keys in its own way, and each call in another: ``RecieverIdentifierType``, ``Occassion``,
``InitiatorName``. Source: Daraja 3.0 documentation, Reversal, Business To Customer, Transaction
Status and Account Balance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import whole_units
from billing.payment import Evidence
from controller.payments.codes import PAID_CODE, normal_code
from controller.payments.gateway import ProviderError, RefundOutcome
from controller.payments.mpesa_wire import answer_in, fields_in, provider_id_in, read_trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.money import Money
    from controller.payments.gateway import Refund
    from controller.payments.mpesa_settings import Initiator, MpesaSettings

REVERSAL_PATH = "/mpesa/reversal/v1/request"
PAYOUT_PATH = "/mpesa/b2c/v3/paymentrequest"
STATUS_PATH = "/mpesa/transactionstatus/v1/query"
BALANCE_PATH = "/mpesa/accountbalance/v1/query"

PAYOUT_MIN = 10
PAYOUT_MAX = 250_000
"""Shillings that a payout may be."""
REMARKS_CHARS_MAX = 100
_REMARKS_CHARS_MIN = 2
_DUPLICATE_CODE = "500.002.1001"

Body = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Acked:
    """A request was taken; its result will name these. ``originator_id`` is "" where none is told.

    For a standing order ``conversation_id`` is its responseRefID.
    """

    conversation_id: str
    originator_id: str


def reversal_body(
    settings: MpesaSettings, initiator: Initiator, credential: str, refund: Refund
) -> Body:
    """The body that gives a whole payment back."""
    return {
        "Initiator": initiator.name,
        "SecurityCredential": credential,
        "CommandID": "TransactionReversal",
        "TransactionID": refund.receipt,
        "Amount": str(whole_units(refund.amount)),
        "ReceiverParty": settings.party_b,
        "RecieverIdentifierType": "11",
        "ResultURL": refund.callback_url,
        "QueueTimeOutURL": refund.callback_url,
        "Remarks": remarks(refund.reason),
    }


def payout_body(
    settings: MpesaSettings, initiator: Initiator, credential: str, refund: Refund
) -> Body:
    """The body that pays a part back to the payer's phone. Our id makes it one payout, ever."""
    assert refund.msisdn is not None, "whom to pay was looked at before"
    return {
        "OriginatorConversationID": refund.refund_id,
        "InitiatorName": initiator.name,
        "SecurityCredential": credential,
        "CommandID": "BusinessPayment",
        "Amount": str(whole_units(refund.amount)),
        "PartyA": settings.shortcode,
        "PartyB": refund.msisdn,
        "Remarks": remarks(refund.reason),
        "QueueTimeOutURL": refund.callback_url,
        "ResultURL": refund.callback_url,
        "Occassion": "",
    }


def status_body(
    settings: MpesaSettings,
    initiator: Initiator,
    credential: str,
    *,
    receipt: str,
    conversation_id: str,
    result_url: str,
) -> Body:
    """The body that asks after one transaction, by receipt or, where that is "", conversation."""
    named = {"TransactionID": receipt} if receipt else {"OriginalConversationID": conversation_id}
    return {
        "Initiator": initiator.name,
        "SecurityCredential": credential,
        "CommandID": "TransactionStatusQuery",
        **named,
        "PartyA": settings.party_b,
        "IdentifierType": settings.identifier_type,
        "ResultURL": result_url,
        "QueueTimeOutURL": result_url,
        "Remarks": "Check",
        "Occasion": "",
    }


def balance_body(
    settings: MpesaSettings, initiator: Initiator, credential: str, *, result_url: str
) -> Body:
    """The body that asks what our accounts hold."""
    return {
        "Initiator": initiator.name,
        "SecurityCredential": credential,
        "CommandID": "AccountBalance",
        "PartyA": settings.party_b,
        "IdentifierType": settings.identifier_type,
        "Remarks": "Balance",
        "QueueTimeOutURL": result_url,
        "ResultURL": result_url,
    }


def remarks(text: str) -> str:
    """``text`` as Daraja takes it: letters, digits and single spaces, 2 to 100."""
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in text)
    cut = " ".join(kept.split())[:REMARKS_CHARS_MAX].strip()
    return cut if len(cut) >= _REMARKS_CHARS_MIN else "Refund"


def payout_fault(amount: Money) -> str | None:
    """Why a payout of ``amount`` cannot be, as a code; None when it can."""
    shillings = whole_units(amount)
    if shillings is None:
        return "not-whole-shillings"
    if shillings < PAYOUT_MIN:
        return "below-smallest"
    return "above-largest" if shillings > PAYOUT_MAX else None


def read_ack(status: int, body: bytes) -> Acked:
    """The names of a request that was taken. Raises `ProviderError`."""
    acked = _acked(answer_in(status, body))
    if isinstance(acked, str):
        raise ProviderError(acked, again=False)
    return acked


def read_refund_answer(status: int, body: bytes) -> RefundOutcome:
    """What the answer to a reversal or a payout says. Doubt is `Evidence.NO_ANSWER`.

    An id that Daraja has seen before was taken before; its name for it is then not told.
    """
    trouble = read_trouble(status, body)
    if trouble is not None:
        if trouble.code == _DUPLICATE_CODE and "duplicate" in trouble.text.lower():
            return RefundOutcome(Evidence.ACCEPTED, trouble.code)
        certain = trouble.certain
        return RefundOutcome(Evidence.NOT_SENT if certain else Evidence.NO_ANSWER, trouble.code)
    acked = _acked(fields_in(body))
    if isinstance(acked, str):
        return RefundOutcome(Evidence.NO_ANSWER, acked)
    return RefundOutcome(Evidence.ACCEPTED, PAID_CODE, acked.conversation_id)


def _acked(fields: Mapping[str, object]) -> Acked | str:
    """The names, or the code of an answer that has none."""
    code = normal_code(fields.get("ResponseCode"))
    conversation_id = provider_id_in(fields.get("ConversationID"))
    if code != PAID_CODE or conversation_id is None:
        return code if code not in (None, PAID_CODE) else "unreadable"
    # Register answers spell it OriginatorCoversationID: a name that is not there names nothing.
    return Acked(conversation_id, provider_id_in(fields.get("OriginatorConversationID")) or "")
