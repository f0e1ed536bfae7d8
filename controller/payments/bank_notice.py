"""A bank's instant notice that money came to our account. PURE.

Unlike M-PESA's confirmations these can be believed: KCB signs the raw body with its key, Equity
shows a user and a password that we gave it. Whatever fails that is nobody's notice. A notice may
come twice; the receipt tells. Where the payer used M-PESA, its receipt is the receipt here too, so
that notice and statement tell of the same money.

Sources: KCB Buni portal's samples (instant payment notification, account and till form), Jenga
documentation (instant payment notifications).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from billing.errors import InvalidField
from billing.money import MINOR_PER_MAJOR, Money, parse_money
from billing.period import NAIROBI
from controller.payments.gateway import CallbackUnreadable
from controller.payments.seen import Road, Seen
from controller.payments.statements.narration import RECEIPT_MAX, receipt_in, receipt_of, told_in

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICE_BYTES_MAX = 65_536
TEXT_MAX = 200
AMOUNT_CHARS_MAX = 24
RAIL = "bank"

_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%a %b %d %H:%M:%S EAT %Y", "%Y-%m-%dT%H:%M:%S")
_CREDIT = ("C", "CR", "CREDIT", "")
_FRACTION = re.compile(r"(.+\.[0-9]{2})0+")


class Bank(StrEnum):
    """Whose notices are read."""

    KCB = "kcb"
    JENGA = "jenga"


@dataclass(frozen=True, slots=True)
class BankSettings:
    """One bank account whose notices we take.

    ``place`` is the account: it names the ledger's account. KCB needs ``public_key`` (its key or
    certificate, PEM), Jenga ``user`` and ``password`` (ours to choose). Raises `InvalidField`.
    """

    bank: Bank
    place: str
    public_key: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", self.place):
            raise InvalidField("bank.place", "want 1 to 32 letters, digits, -, _ and .")
        if self.bank is Bank.KCB:
            _key(self.public_key)
        elif not self.user or not self.password or ":" in self.user:
            raise InvalidField("bank.password", "want a user (without a colon) and a password")


class NotMoneyIn(CallbackUnreadable):
    """The notice is the bank's, and tells of no money that came: a debit, or one that failed."""


def read_notice(body: bytes, headers: Mapping[str, str], settings: BankSettings) -> Seen:
    """What a notice tells; header names are in lower case.

    Raises `NotMoneyIn` for what need only be acknowledged, `CallbackUnreadable` for all else that
    is not a notice of this bank (field ``signature`` when it is not shown to be from there).
    """
    if len(body) > NOTICE_BYTES_MAX:
        raise CallbackUnreadable("body", f"want at most {NOTICE_BYTES_MAX:,} bytes")
    if settings.bank is Bank.KCB:
        _signed(body, headers.get("signature", ""), settings.public_key)
        return _kcb(_object_in(body), settings.place)
    _shown(headers.get("authorization", ""), settings)
    return _jenga(_object_in(body), settings.place)


def notice_answer(body: bytes, settings: BankSettings, arrival_id: str) -> dict[str, Any]:
    """What the bank wants to hear when a notice was kept; in the shape of its notice."""
    if settings.bank is Bank.JENGA:
        return {"status": True, "code": 0, "message": "success"}
    said = {"statusCode": "0", "statusMessage": "Notification received"}
    told = _object_in(body)
    if "requestPayload" not in told:
        return {"transactionID": arrival_id, **said}
    header = told.get("header")
    echoed = {
        name: _text(header, name)[:64]
        for name in ("messageID", "originatorConversationID")
        if isinstance(header, dict) and name in header
    }
    info = {"transactionInfo": {"transactionId": arrival_id}}
    return {"header": {**echoed, **said}, "responsePayload": info}


def _signed(body: bytes, signature: str, pem: str) -> None:
    """RSA with SHA-256, PKCS #1 v1.5, over the raw body."""
    try:
        _key(pem).verify(base64.b64decode(signature, validate=True), body, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        raise CallbackUnreadable("signature", "is not the bank's") from None


def _shown(authorization: str, settings: BankSettings) -> None:
    """HTTP Basic with what we gave the bank, compared in constant time."""
    ours = base64.b64encode(f"{settings.user}:{settings.password}".encode())
    kind, _, told = authorization.partition(" ")
    is_ours = hmac.compare_digest(told.strip().encode(), ours)
    if kind.lower() != "basic" or not is_ours:
        raise CallbackUnreadable("signature", "user or password is not the bank's")


def _key(pem: str) -> RSAPublicKey:
    raw = pem.encode()
    is_certificate = "BEGIN CERTIFICATE" in pem
    try:
        key: object = (
            load_pem_x509_certificate(raw).public_key()
            if is_certificate
            else load_pem_public_key(raw)
        )
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidField("bank.public_key", "want an RSA key or certificate as PEM") from None
    if not isinstance(key, RSAPublicKey):
        raise InvalidField("bank.public_key", "want an RSA key")
    return key


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise CallbackUnreadable("body", "is not JSON") from None
    return _object(found, "body")


def _object(found: object, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise CallbackUnreadable(name, "want an object")
    return found


def _kcb(told: Mapping[str, Any], place: str) -> Seen:
    if "requestPayload" in told:
        return _kcb_till(told, place)
    narration = _text(told, "narration")
    return Seen(
        rail=RAIL,
        receipt=_receipt(_text(told, "transactionReference"), narration, "transactionReference"),
        amount=_amount(told, "transactionAmount"),
        place=place,
        road=Road.NOTICE,
        at=_moment(_text(told, "timestamp")),
        reference=_text(told, "customerReference") or told_in(narration).reference,
        payer=_text(told, "customerMobileNumber"),
        payer_name=_text(told, "customerName"),
        note=narration,
    )


def _kcb_till(told: Mapping[str, Any], place: str) -> Seen:
    payload = _object(told["requestPayload"], "requestPayload")
    more = _object(payload.get("additionalData"), "requestPayload.additionalData")
    notice = _object(more.get("notificationData"), "notificationData")
    if _text(notice, "transactionType").upper() in {"D", "DR", "DEBIT"}:
        raise NotMoneyIn("transactionType", "is a debit")
    narration = _text(notice, "narration")
    parts = (_text(notice, name) for name in ("firstName", "middleName", "lastName"))
    return Seen(
        rail=RAIL,
        receipt=_receipt(_text(notice, "transactionID"), narration, "transactionID"),
        amount=_amount(notice, "transactionAmt"),
        place=place,
        road=Road.NOTICE,
        at=_moment(_text(notice, "transactionDate")),
        reference=_text(notice, "businessKey"),
        payer=_text(notice, "debitMSISDN"),
        payer_name=" ".join(part for part in parts if part),
        note=narration,
    )


def _jenga(told: Mapping[str, Any], place: str) -> Seen:
    paid = _object(told.get("transaction"), "transaction")
    customer = _object(told.get("customer", {}), "customer")
    bank = _object(told.get("bank", {}), "bank")
    if _text(bank, "transactionType").upper() not in _CREDIT:
        raise NotMoneyIn("bank.transactionType", "is no credit")
    if _text(paid, "status").upper() != "SUCCESS":
        raise NotMoneyIn("transaction.status", "is no success")
    note = _text(paid, "additionalInfo") or _text(paid, "remarks")
    reference = _text(paid, "reference") or _text(bank, "reference")
    return Seen(
        rail=RAIL,
        receipt=_receipt(reference, note, "transaction.reference"),
        amount=_amount(paid, "amount"),
        place=place,
        road=Road.NOTICE,
        at=_moment(_text(paid, "date")),
        reference=_text(paid, "billNumber") or _text(customer, "reference"),
        payer=_text(customer, "mobileNumber"),
        payer_name=_text(customer, "name"),
        note=note,
    )


def _receipt(told: str, narration: str, name: str) -> str:
    """The payer's M-PESA receipt where it is told, else the bank's own reference.

    One that would have to be cut is none: two could be alike up to there, and the second a repeat.
    """
    if found := receipt_in(told) or receipt_in(narration):
        return found
    found = "" if len(told) > RECEIPT_MAX else receipt_of(told)
    if not found:
        raise CallbackUnreadable(name, f"want the number of the payment, of 1 to {RECEIPT_MAX}")
    return found


def _amount(told: Mapping[str, Any], name: str) -> Money:
    currency = _text(told, "currency") or "KES"
    if currency not in MINOR_PER_MAJOR:
        raise CallbackUnreadable("currency", f"want one of {', '.join(MINOR_PER_MAJOR)}")
    digits = _FRACTION.sub(r"\1", _text(told, name)[:AMOUNT_CHARS_MAX])
    try:
        amount = parse_money(digits, currency)
    except InvalidField as error:
        raise CallbackUnreadable(name, error.problem) from None
    if amount.minor <= 0:
        raise CallbackUnreadable(name, "want more than nothing")
    return amount


def _text(told: Mapping[str, Any], name: str) -> str:
    """A text, printable, bounded and on one line; "" for none, and for anything else."""
    found = told.get(name)
    if not isinstance(found, str):
        return ""
    return "".join(c for c in " ".join(found.split()) if c.isprintable())[:TEXT_MAX]


def _moment(text: str) -> datetime | None:
    """When it was paid, in Nairobi's time; None when it is not told or not a time."""
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=NAIROBI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
