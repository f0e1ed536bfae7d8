"""What somebody may mean by what they typed into the one box. PURE.

One text may be several things: four digits are the end of a phone and of a MAC address. Everything
that it may be is looked for. What is meant by it can be wrong, and never raises.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import ip_address

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from billing.voucher import parse_code

TYPED_MAX = 80
"""No name, code or address is longer."""

WORDS_MAX = 6
"""Words of a name that are looked for, and kept of one."""

WORD_MAX = 40
DIGITS_MIN = 3
"""So many digits of a phone are looked for; fewer are in every phone."""

TAIL_DIGITS = 4
RECEIPT_MIN, RECEIPT_WHOLE, RECEIPT_MAX = 6, 10, 20
"""From so many characters on, something is looked for as the beginning of a receipt.
One of M-PESA has ten, and may be letters alone."""

_PHONE = re.compile(r"[+(]?[0-9][0-9 ().\-]*", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}([:\-. ]?[0-9a-f]{2}){1,5}", re.ASCII)
_RECEIPT = re.compile(r"[A-Z0-9]+", re.ASCII)
_DOCUMENT = re.compile(r"(inv|crn|rct)-([a-z0-9-]{1,32})-([0-9]{1,12})", re.ASCII)
_NUMBER = re.compile(r"#?([0-9]{1,9})", re.ASCII)
_JOINED = "'`\u2019\u02bc\u00b4"
"""Signs that stand inside a name and are left out as people type it: Ng'ang'a, Nganga."""

MAC_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text may mean; what it cannot be is empty.

    ``phone`` is the beginning of a phone as it is kept (``254712``), ``phone_tail`` its last four
    digits or more. ``words`` are the beginnings of words of a name. ``receipt`` is the beginning of
    a receipt, or a payment's reference. ``mac`` is one whole address, ``mac_part`` a part of two
    bytes or more with colons. ``number`` is a document's, of ``series`` or of every one.
    """

    text: str
    phone: str = ""
    phone_tail: str = ""
    words: tuple[str, ...] = ()
    receipt: str = ""
    voucher: str = ""
    mac: str = ""
    mac_part: str = ""
    address: str = ""
    series: str = ""
    number: int | None = None


def meant(typed: str) -> Meant:
    """Everything that a text may mean."""
    text = " ".join(typed.replace("\0", " ").split())[:TYPED_MAX]
    whole = _parsed(parse_msisdn, text)
    if whole:
        return Meant(text, phone=whole)
    address = _address(text)
    if address:
        return Meant(text, address=address)
    phone, tail = _phone(text)
    mac, part = _mac(text)
    series, number = _document(text)
    is_name = any(c.isalpha() for c in text) and not (mac and not text.isalnum())
    return Meant(
        text=text,
        phone=phone,
        phone_tail=tail,
        words=words(text) if is_name else (),
        receipt=_receipt(text),
        voucher=_parsed(parse_code, text),
        mac=mac,
        mac_part=part,
        series=series,
        number=number,
    )


def words(name: str) -> tuple[str, ...]:
    """The words of a name, as they are kept and looked for: small, without accents or signs."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(
        "" if unicodedata.combining(c) or c in _JOINED else c if c.isalnum() else " " for c in plain
    )
    found = dict.fromkeys(word[:WORD_MAX] for word in letters.split())
    return tuple(found)[:WORDS_MAX]


def after(prefix: str) -> str:
    """The first text that does not begin with ``prefix`` and stands after all that do."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _phone(text: str) -> tuple[str, str]:
    if not _PHONE.fullmatch(text):
        return "", ""
    digits = "".join(c for c in text if c.isdigit())
    tail = digits[-TAIL_DIGITS * 2 :] if TAIL_DIGITS <= len(digits) <= TAIL_DIGITS * 2 else ""
    for written in ("254", "0"):
        if digits.startswith(written):
            kept = f"254{digits.removeprefix(written)}"
            break
    else:
        kept = f"254{digits}"
    is_phone = len(digits) >= DIGITS_MIN and kept[3:4] in {"1", "7", ""}
    return (kept if is_phone and len(kept) <= len("254712345678") else ""), tail


def _mac(text: str) -> tuple[str, str]:
    small = text.lower()
    # More figures than an end of it, and nothing else, are a phone's.
    if not _MAC.fullmatch(small) or (small.isdigit() and TAIL_DIGITS < len(small) < MAC_DIGITS):
        return "", ""
    digits = "".join(c for c in small if c.isalnum())
    shown = ":".join(digits[n : n + 2] for n in range(0, len(digits), 2))
    return (shown, "") if len(digits) == MAC_DIGITS else ("", shown)


def _receipt(text: str) -> str:
    code = text.replace(" ", "").upper()
    fits = RECEIPT_MIN <= len(code) <= RECEIPT_MAX and _RECEIPT.fullmatch(code)
    is_code = any(c.isdigit() for c in code) or len(code) == RECEIPT_WHOLE
    return code if fits and is_code else ""


def _document(text: str) -> tuple[str, int | None]:
    if found := _DOCUMENT.fullmatch(text.lower()):
        return f"{found[1].upper()}-{found[2]}", int(found[3])
    if found := _NUMBER.fullmatch(text):
        return "", int(found[1])
    return "", None


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _parsed(parse: object, text: str) -> str:
    assert callable(parse)
    try:
        return str(parse(text))
    except InvalidField:
        return ""
