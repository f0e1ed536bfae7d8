"""What Daraja posts after a request of our API user, and after a standing order. PURE.

A result is unsigned, and the address that it comes to names the request. Its keys may repeat, miss
their values, or be a single object where others have a list; codes come as numbers and as text; a
failed one has no parameters, and a receipt that is none (``UGE0000000``). Source: Daraja 3.0
documentation, Reversal, Business To Customer, Transaction Status, Account Balance, M-PESA Ratiba.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from billing.errors import InvalidField
from billing.money import Money, parse_money
from billing.payment import Evidence
from controller.payments.codes import PAID_CODE, initiator_meaning, normal_code
from controller.payments.gateway import CallbackUnreadable, RefundOutcome
from controller.payments.mpesa_fields import (
    a_moment,
    a_receipt,
    a_text,
    an_amount,
    an_object,
    body_object,
)
from controller.payments.mpesa_wire import provider_id_in
from controller.payments.seen import Road, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAIRS_MAX = 100
VALUE_CHARS_MAX = 2_000
NAME_CHARS_MAX = 120

_NO_RECEIPT = re.compile(r"[A-Z0-9]*0{7}")
"""A generic number that stands where there is no transaction."""
_PARTY = re.compile(r"\s*(\+?[0-9*]{5,15})\s*(?:-\s*(.*))?", re.DOTALL)
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_ACCOUNT = re.compile(r"([^|&]{1,60})\|KES\|([^|&]{1,20})(?:\|[^&]*)?")

COMPLETED = "completed"
_DONE_BADLY = frozenset({"cancelled", "declined", "expired"})

_AGREED, _NOT_AGREED = "OKAY", "ERROR"
"""What Status says in the samples of a standing order's callback."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a request ended. Its ``repr`` shows none of the values.

    ``evidence`` is PAID (it was done; for a question: it was answered), REFUSED or STILL_OPEN.
    ``receipt`` is the number of money that moved. ``pairs`` keep their order, and may repeat a key.
    """

    conversation_id: str
    originator_id: str
    code: str
    evidence: Evidence
    receipt: str | None
    pairs: tuple[tuple[str, str], ...] = field(repr=False)

    def told(self, key: str) -> str:
        """The first value of ``key``; "" when there is none."""
        return next((value for name, value in self.pairs if name == key), "")

    def all_told(self, key: str) -> tuple[str, ...]:
        """Every value of ``key``, in order."""
        return tuple(value for name, value in self.pairs if name == key)


@dataclass(frozen=True, slots=True)
class RatibaOutcome:
    """What became of a standing order: the payer agreed, or not. ``reference``: responseRefID."""

    reference: str
    accepted: bool
    code: str


def read_result(body: bytes) -> Result:
    """What a result says. Raises `CallbackUnreadable` naming the field, and nothing else."""
    told = an_object(body_object(body).get("Result"), "Result")
    conversation_id = provider_id_in(told.get("ConversationID"))
    if conversation_id is None:
        raise CallbackUnreadable("ConversationID", "want 1 to 64 visible characters")
    code = normal_code(told.get("ResultCode"))
    if code is None:
        raise CallbackUnreadable("ResultCode", "there is none, which does not mean done")
    evidence = initiator_meaning(code).evidence
    if evidence is Evidence.PAID and normal_code(told.get("ResultType", "0")) != "0":
        evidence = Evidence.STILL_OPEN  # a type of its own says that more is to come
    done = evidence is Evidence.PAID
    return Result(
        conversation_id,
        provider_id_in(told.get("OriginatorConversationID")) or "",
        code,
        evidence,
        _real_receipt(told.get("TransactionID")) if done else None,
        _pairs_in(told.get("ResultParameters")),
    )


def read_refund(result: Result) -> RefundOutcome:
    """What a reversal's or payout's own result says; or a status, asked after one of them.

    A status has no ``provider_id``: the conversation that it names is the question's. The failure
    of a question looks like that of a refund, and says nothing of it: one whose conversation is
    not the refund's is not to be read here.
    """
    if result.told("TransactionStatus"):
        evidence = status_evidence(result)
        receipt = _real_receipt(result.told("ReceiptNo")) if evidence is Evidence.PAID else None
        return RefundOutcome(evidence, result.code, None, receipt)
    receipt = result.receipt or _real_receipt(result.told("TransactionReceipt"))
    return RefundOutcome(
        result.evidence,
        result.code,
        result.conversation_id,
        receipt if result.evidence is Evidence.PAID else None,
    )


def status_evidence(result: Result) -> Evidence:
    """What a status says of the transaction that was asked after; a word unknown to us: open."""
    word = result.told("TransactionStatus").strip().lower()
    if result.evidence is not Evidence.PAID:
        return Evidence.STILL_OPEN
    if word == COMPLETED:
        return Evidence.PAID
    return Evidence.REFUSED if word in _DONE_BADLY else Evidence.STILL_OPEN


def read_status(result: Result) -> Seen | None:
    """The money that a status shows, when it is complete and came to a shortcode; else None.

    ``place`` is who was paid, as told: the caller looks whether that is us. Money that went to a
    phone is a payout, and never money that came. Raises `CallbackUnreadable`.
    """
    place, _ = _party(_credited(result))
    if status_evidence(result) is not Evidence.PAID or not _SHORTCODE.fullmatch(place):
        return None
    payer, name = _party(result.told("DebitPartyName"))
    return Seen(
        rail="mpesa",
        receipt=a_receipt(result.told("ReceiptNo"), "ReceiptNo"),
        amount=an_amount(result.told("Amount"), "Amount"),
        place=place,
        road=Road.STATUS,
        at=a_moment(result.told("FinalisedTime") or result.told("InitiatedTime")),
        payer=payer,
        payer_name=name,
    )


def read_balances(result: Result) -> Mapping[str, Money]:
    """What each of our accounts holds, by M-PESA's name for it. Raises `CallbackUnreadable`."""
    balances: dict[str, Money] = {}
    for account in result.told("AccountBalance").split("&"):
        written = _ACCOUNT.fullmatch(account.strip())
        if written is None:
            raise CallbackUnreadable("AccountBalance", "want Name|KES|amount|…")
        try:
            balances[written[1].strip()] = parse_money(written[2])
        except InvalidField as error:
            raise CallbackUnreadable("AccountBalance", error.problem) from error
    return MappingProxyType(balances)


def read_ratiba(body: bytes) -> RatibaOutcome:
    """What became of a standing order; Daraja writes its keys in two ways.

    Raises `CallbackUnreadable`.
    """
    told = _lower(body_object(body))
    header = _lower(an_object(told.get("responseheader"), "responseHeader"))
    reference = provider_id_in(header.get("responserefid"))
    if reference is None:
        raise CallbackUnreadable("responseRefID", "want 1 to 64 visible characters")
    answers = dict(_named_values(_lower(an_object(told.get("responsebody"), "responseBody"))))
    code = normal_code(answers.get("responsecode", header.get("responsecode")))
    if code is None:
        raise CallbackUnreadable("responseCode", "there is none, which does not mean agreed")
    status = answers.get("status", "").strip().upper()
    if code == PAID_CODE and status not in {_AGREED, _NOT_AGREED}:
        raise CallbackUnreadable("responseData", f"Status: want {_AGREED} or {_NOT_AGREED}")
    return RatibaOutcome(reference, code == PAID_CODE and status == _AGREED, code)


def _named_values(told: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for item in _listed(told.get("responsedata"), "responseData"):
        pair = _lower(an_object(item, "responseData"))
        name, value = pair.get("name"), pair.get("value")
        if isinstance(name, str) and isinstance(value, str):
            yield name.lower(), value


def _lower(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name.lower(): value for name, value in told.items()}


def _pairs_in(told: object) -> tuple[tuple[str, str], ...]:
    """Key and value of each parameter that has one, in order."""
    if told is None or told == "":
        return ()
    listed = _listed(an_object(told, "ResultParameters").get("ResultParameter"), "ResultParameter")
    pairs = list[tuple[str, str]]()
    for item in listed:
        pair = an_object(item, "ResultParameter")
        key, value = pair.get("Key"), pair.get("Value")
        if not isinstance(key, str):
            raise CallbackUnreadable("ResultParameter.Key", "want text")
        if isinstance(value, str):
            pairs.append((key, a_text(value, VALUE_CHARS_MAX)))
    return tuple(pairs)


def _listed(told: object, name: str) -> list[Any]:
    """A list; one thing alone is a list of one, and nothing is an empty one."""
    listed = told if isinstance(told, list) else [] if told is None else [told]
    if len(listed) > PAIRS_MAX:
        raise CallbackUnreadable(name, f"want at most {PAIRS_MAX}")
    return listed


def _real_receipt(raw: object) -> str | None:
    try:
        receipt = a_receipt(raw, "TransactionID")
    except CallbackUnreadable:
        return None
    return None if _NO_RECEIPT.fullmatch(receipt) else receipt


def _credited(result: Result) -> str:
    """Who was paid. Daraja's own sample calls both parties DebitPartyName, the payer first."""
    debited = result.all_told("DebitPartyName")
    return result.told("CreditPartyName") or (debited[1] if len(debited) > 1 else "")


def _party(text: str) -> tuple[str, str]:
    """Number and name of ``600111 - EXAMPLE ISP``."""
    written = _PARTY.fullmatch(text)
    if written is None:
        return "", a_text(text, NAME_CHARS_MAX).strip()
    return written[1], a_text(written[2] or "", NAME_CHARS_MAX).strip()
