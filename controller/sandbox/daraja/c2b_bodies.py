"""What M-PESA writes about a payment from the payer's own menu. PURE.

Source: the C2B pages of the Daraja portal; all values are texts, and what is missing is "" or null.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.sandbox.daraja.faults import Faults

REFERENCE_CHARS_MAX = 20
REJECTIONS = {
    "C2B00011": "Invalid MSISDN",
    "C2B00012": "Invalid Account Number",
    "C2B00013": "Invalid Amount",
    "C2B00014": "Invalid KYC Details",
    "C2B00015": "Invalid Shortcode",
    "C2B00016": "Other Error",
}
_NAMES = ("WANJIKU", "OTIENO", "AMINA", "KIPTOO", "MUTUA", "NAFULA")


@dataclass(frozen=True, slots=True)
class Written:
    """What a validation or confirmation tells. ``balance`` is None before the money moved."""

    receipt: str
    stamp: str
    shillings: int
    msisdn: str
    account: str
    place: str
    is_till: bool
    balance: int | None
    number: int
    third_party_id: str = ""


def confirmation(told: Written, *, payer: str) -> bytes:
    """The body of a validation or a confirmation; ``payer`` is the number as it may be shown."""
    odd = told.number % 2 == 1
    body: dict[str, Any] = {
        "TransactionType": "Buy Goods" if told.is_till else "Pay Bill",
        "TransID": told.receipt,
        "TransTime": told.stamp,
        "TransAmount": str(told.shillings) if odd else f"{told.shillings}.00",
        "BusinessShortCode": told.place,
        "BillRefNumber": told.account,
        "InvoiceNumber": "",
        "OrgAccountBalance": "" if told.balance is None else f"{told.balance}.00",
        "ThirdPartyTransID": told.third_party_id,
        "MSISDN": payer,
        "FirstName": first_name(told.msisdn),
        "MiddleName": None if told.number % 3 == 0 else "",
        "LastName": "",
    }
    return json.dumps(body).encode()


def payer_shown(msisdn: str, faults: Faults, *, version: str) -> str:
    """The payer's number: hashed in version 1, masked in version 2, whole in old contracts."""
    if faults.payer_plain:
        return msisdn
    if faults.payer_hashed or version == "v1":
        return hashlib.sha256(msisdn.encode()).hexdigest()
    return masked(msisdn)


def masked(msisdn: str) -> str:
    """A number with five stars in it."""
    return f"{msisdn[:4]} ***** {msisdn[-3:]}"


def first_name(msisdn: str) -> str:
    """An invented first name, always the same for one number."""
    return _NAMES[int(msisdn) % len(_NAMES)]


def typed(account: str, faults: Faults) -> str:
    """The account as the payer's fingers type it."""
    if faults.account_mistyped and account:
        middle = len(account) // 2
        account = account[:middle] + account[middle + 1 :]
    if faults.account_letters:
        account = account.replace("0", "O").replace("1", "I")
    if faults.account_lower:
        account = account.lower()
    if faults.account_spaced:
        account = f" {account[:3]} {account[3:-2]}-{account[-2:]} "
    return account[:REFERENCE_CHARS_MAX]


def acknowledged(conversation_id: str, words: str) -> dict[str, str]:
    """Daraja's answer, with its own misspelling of the first key."""
    return {
        "OriginatorCoversationID": conversation_id,
        "ResponseCode": "0",
        "ResponseDescription": words,
    }


def read_verdict(status: int, body: bytes) -> tuple[str, str] | None:
    """Result code and third party's id of an answer to a validation; None if it is no answer."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if status != 200 or not isinstance(told, dict):  # noqa: PLR2004 - HTTP's own
        return None
    code = told.get("ResultCode")
    if not isinstance(code, str) or (code != "0" and code not in REJECTIONS):
        return None
    third_party_id = told.get("ThirdPartyTransID")
    return code, third_party_id if isinstance(third_party_id, str) else ""
