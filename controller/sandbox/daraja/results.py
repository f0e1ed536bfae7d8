"""What M-PESA posts to a ResultURL, with the variants that it is known for. PURE.

Source: the pages of TransactionStatus, Reversal, BusinessToCustomer and AccountBalance of the
Daraja portal.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.sandbox.daraja.book import EAT, Kind
from controller.sandbox.daraja.c2b_bodies import first_name

if TYPE_CHECKING:
    from datetime import datetime

    from controller.sandbox.daraja.book import Settled
    from controller.sandbox.daraja.faults import Faults

Pairs = tuple[tuple[str, object], ...]

TEXTS = {
    "0": "The service request is processed successfully.",
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "21": "The initiator is not allowed to initiate this request.",
    "25": "The transaction receipt number does not exist.",
    "26": "The system is too busy.",
    "2001": "The initiator information is invalid.",
    "2040": "Credit Party customer type (Unregistered) can't be supported by the service.",
    "8006": "The security credential is locked.",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
}
_STAMP = "%Y%m%d%H%M%S"
_BARE = re.compile(r'"@(-?[0-9]+\.[0-9]{2})@"')
NO_VALUE = object()
"""A key that comes without its value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request; ``receipt`` is made up when nothing moved."""

    code: str
    receipt: str
    pairs: Pairs = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The names of one request, and where its silence is told."""

    originator_id: str
    conversation_id: str
    timeout_url: str
    lists_references: bool = False
    writes_texts: bool = False


def acknowledged(talk: Conversation) -> dict[str, str]:
    """The answer to a request that was taken."""
    return {
        "OriginatorConversationID": talk.originator_id,
        "ConversationID": talk.conversation_id,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }


def result(talk: Conversation, outcome: Outcome, faults: Faults) -> bytes:
    """The body of a Result. A failure has no parameters and a receipt that is none."""
    as_text = faults.result_text_code or talk.writes_texts
    numeric = outcome.code.isdigit() and not as_text
    body: dict[str, Any] = {
        "ResultType": "0" if as_text else 0,
        "ResultCode": int(outcome.code) if numeric else outcome.code,
        "ResultDesc": TEXTS.get(outcome.code, "Declined"),
        "OriginatorConversationID": talk.originator_id,
        "ConversationID": talk.conversation_id,
        "TransactionID": outcome.receipt,
    }
    if outcome.code == "0" and not faults.result_no_parameters:
        written = [_pair(key, value) for key, value in outcome.pairs]
        told = written[0] if faults.result_single_object else written
        body["ResultParameters"] = {"ResultParameter": told}
    reference = _pair("QueueTimeoutURL", talk.timeout_url)
    items = [reference, {"Key": "Occasion"}] if talk.lists_references else reference
    body["ReferenceData"] = {"ReferenceItem": items}
    return _BARE.sub(r"\1", json.dumps({"Result": body})).encode()


def timed_out(talk: Conversation) -> bytes:
    """The body for a QueueTimeOutURL: the request waited too long, and was not done."""
    body = {
        "ResultType": 1,
        "ResultCode": 26,
        "ResultDesc": "The request timed out in the queue.",
        "OriginatorConversationID": talk.originator_id,
        "ConversationID": talk.conversation_id,
        "TransactionID": "",
    }
    return json.dumps({"Result": body}).encode()


def status(settled: Settled, *, business: str, conversation_id: str, number: int) -> Pairs:
    """What is known of money that moved. Every other one calls both parties DebitPartyName."""
    merchant = f"{settled.place} - {business}"
    person = public_name(settled.msisdn)
    came = settled.shillings > 0
    debit, credit = (person, merchant) if came else (merchant, person)
    stamp = int(settled.at.astimezone(EAT).strftime(_STAMP))
    return (
        ("DebitPartyName", debit),
        ("DebitPartyName" if number % 2 else "CreditPartyName", credit),
        ("OriginatorConversationID", ""),
        ("InitiatedTime", stamp),
        ("DebitAccountType", "MMF Account For Customer" if came else "Utility Account"),
        ("DebitPartyCharges", "" if came else "Fee For B2C Payment|KES|22.40"),
        ("TransactionReason", NO_VALUE),
        ("ReasonType", _REASONS[settled.kind]),
        ("TransactionStatus", "Completed"),
        ("FinalisedTime", stamp),
        ("Amount", str(abs(settled.shillings))),
        ("ConversationID", conversation_id),
        ("ReceiptNo", settled.receipt),
    )


def declined(receipt: str, *, shillings: int, moment: datetime) -> Pairs:
    """What is known of a payout that M-PESA took on and did not do."""
    stamp = int(moment.astimezone(EAT).strftime(_STAMP))
    return (
        ("InitiatedTime", stamp),
        ("TransactionReason", NO_VALUE),
        ("ReasonType", _REASONS[Kind.B2C]),
        ("TransactionStatus", "Declined"),
        ("FinalisedTime", stamp),
        ("Amount", str(shillings)),
        ("ReceiptNo", receipt),
    )


def reversed_payment(original: Settled, given: Settled, *, business: str) -> Pairs:
    """What is told of a reversal."""
    return (
        ("DebitAccountBalance", _account("Utility Account", given.balance)),
        ("Amount", _number(original.shillings)),
        ("TransCompletedTime", int(given.at.astimezone(EAT).strftime(_STAMP))),
        ("OriginalTransactionID", original.receipt),
        ("Charge", _number(0)),
        ("CreditPartyPublicName", public_name(original.msisdn)),
        ("DebitPartyPublicName", f"{original.place} - {business}"),
    )


def paid_out(settled: Settled) -> Pairs:
    """What is told of a payout."""
    moment = settled.at.astimezone(EAT).strftime("%d.%m.%Y %H:%M:%S")
    return (
        ("TransactionAmount", -settled.shillings),
        ("TransactionReceipt", settled.receipt),
        ("ReceiverPartyPublicName", public_name(settled.msisdn)),
        ("TransactionCompletedDateTime", moment),
        ("B2CUtilityAccountAvailableFunds", _number(settled.balance)),
        ("B2CWorkingAccountAvailableFunds", _number(0)),
        ("B2CRecipientIsRegisteredCustomer", "Y"),
        ("B2CChargesPaidAccountAvailableFunds", _number(0)),
    )


def balances(shillings: int, *, is_till: bool, moment: datetime) -> Pairs:
    """What is told of the merchant's accounts; payments are in the second, or in Merchant."""
    collecting = "Merchant Account" if is_till else "Utility Account"
    accounts = (("Working Account", 0), (collecting, shillings), ("Charges Paid Account", 0))
    return (
        ("AccountBalance", "&".join(_account(name, held) for name, held in accounts)),
        ("BOCompletedTime", int(moment.astimezone(EAT).strftime(_STAMP))),
    )


def public_name(msisdn: str) -> str:
    """A payer as the portal shows him."""
    return f"{msisdn} - {first_name(msisdn)}"


_REASONS = {
    Kind.STK: "Pay Bill Online",
    Kind.C2B: "Pay Bill Offline",
    Kind.ORDER: "Standing Order Pay Bill",
    Kind.REVERSAL: "Transaction Reversal",
    Kind.B2C: "Business Payment to Customer via API",
    Kind.CHARGE: "Pay Bill Charge",
}


def reason(kind: Kind) -> str:
    """What the portal calls this kind of money."""
    return _REASONS[kind]


def _account(name: str, shillings: int) -> str:
    return f"{name}|KES|{shillings}.00|{shillings}.00|0.00|0.00"


def _number(shillings: int) -> str:
    """A JSON number with cents, marked so that `result` takes its quotes away."""
    return f"@{shillings}.00@"


def _pair(key: str, value: object) -> dict[str, object]:
    return {"Key": key} if value is NO_VALUE else {"Key": key, "Value": value}
