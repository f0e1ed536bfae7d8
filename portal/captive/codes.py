"""What kind of code a person typed or pasted into the one field, or what is wrong with it. PURE."""

from __future__ import annotations

import re
from enum import StrEnum

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from billing.receipt import parse_receipt
from billing.token import parse_token
from billing.voucher import CODE_LENGTH as VOUCHER_LENGTH
from billing.voucher import parse_code
from portal.captive.gate import Refusal

TOKEN_DIGITS_LIKELY_MIN = 13
"""So many digits alone are meant to be a token: a phone number has 12 at most."""

MESSAGE_WORDS_MIN = 4
"""So many words are a pasted message."""

_NOISE = re.compile(r"[\s-]+")


class Kind(StrEnum):
    """Which kind of code it is. Values are part of the keys of the text tables."""

    TOKEN = "token"  # noqa: S105 - a kind of code
    VOUCHER = "voucher"
    RECEIPT = "receipt"


class Fault(StrEnum):
    """Why it is no code at all. Values are keys of the text tables."""

    EMPTY = "fault.empty"
    PHONE = "fault.phone"
    TOKEN_LENGTH = "fault.token_length"  # noqa: S105 - a key
    VOUCHER_CHARACTER = "fault.voucher_character"
    MESSAGE = "fault.message"
    NEITHER = "fault.neither"


_PARSERS = ((Kind.TOKEN, parse_token), (Kind.VOUCHER, parse_code), (Kind.RECEIPT, parse_receipt))
"""In this order: 20 digits, 12 characters, 10 characters somewhere in a text."""

_SAID_OF_RECEIPTS = {
    Refusal.VOUCHER_INVALID: "receipt.unknown",
    Refusal.VOUCHER_USED: "receipt.used",
}


def reading(text: str) -> Kind | Fault:
    """What the text is, or what is wrong with it."""
    for kind, parse in _PARSERS:
        try:
            parse(text)
        except InvalidField:
            continue
        return kind
    return _fault(text)


def explained(refusal: Refusal, kind: Kind) -> str:
    """The key of the sentence that says why a code of this kind was refused."""
    of_receipt = _SAID_OF_RECEIPTS.get(refusal) if kind is Kind.RECEIPT else None
    return of_receipt or f"refusal.{refusal}"


def _fault(text: str) -> Fault:
    plain = _NOISE.sub("", text)
    if not plain:
        return Fault.EMPTY
    if plain.isdigit() and len(plain) >= TOKEN_DIGITS_LIKELY_MIN:
        return Fault.TOKEN_LENGTH
    if _is_phone(text):
        return Fault.PHONE
    if len(plain) == VOUCHER_LENGTH and plain.isalnum():
        return Fault.VOUCHER_CHARACTER
    return Fault.MESSAGE if len(text.split()) >= MESSAGE_WORDS_MIN else Fault.NEITHER


def _is_phone(text: str) -> bool:
    try:
        parse_msisdn(text)
    except InvalidField:
        return False
    return True
