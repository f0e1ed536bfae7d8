"""What is written about operators, branches and subscribers: names, PINs, addresses. PURE.

Each function gives back the text as it is kept, or raises `InvalidField` with the field's name.
"""

from __future__ import annotations

import re

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn

NAME_MAX = 80
LINE_MAX = 200
EMAIL_MAX = 120
PHONE_MAX = 20
LANGUAGES = ("en", "sw")

_PIN = re.compile(r"[AP][0-9]{9}[A-Z]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_KENYAN_MOBILE = re.compile(r"(?:\+?254|0)[17][0-9]*")
"""What begins like a Kenyan mobile number, and thus has to be one."""

_PHONE = re.compile(r"\+?[0-9][0-9 ()/-]{1,18}[0-9]")
_KRA_BRANCH = re.compile(r"[0-9]{2}")


def line(field: str, text: str, *, length_max: int = LINE_MAX) -> str:
    """One line of printable text, which may be empty."""
    text = text.strip()
    if len(text) > length_max or not text.isprintable():
        raise InvalidField(field, f"want at most {length_max} characters on one line")
    return text


def name(text: str, *, field: str = "name") -> str:
    """A name, which is not empty."""
    if not text.strip():
        raise InvalidField(field, f"want 1 to {NAME_MAX} characters")
    return line(field, text, length_max=NAME_MAX)


def kra_pin(text: str) -> str:
    """A PIN of the revenue authority, such as ``P051234567X``; empty for none."""
    pin = text.strip().upper()
    if pin and not _PIN.fullmatch(pin):
        raise InvalidField("kra_pin", "want A or P, nine digits and a letter, like P051234567X")
    return pin


def email(text: str) -> str:
    """An address for mail; empty for none."""
    address = line("email", text, length_max=EMAIL_MAX)
    if address and not _EMAIL.fullmatch(address):
        raise InvalidField("email", "want an address like wanjiku@example.co.ke")
    return address


def colour(text: str) -> str:
    """A colour of documents, such as ``#0b6e4f``."""
    shade = text.strip().lower()
    if not _COLOUR.fullmatch(shade):
        raise InvalidField("colour", "want # and six hexadecimal digits, like #0b6e4f")
    return shade


def kra_branch(text: str) -> str:
    """The number by which the revenue authority knows a branch: ``00`` is the head office."""
    number = text.strip()
    if not _KRA_BRANCH.fullmatch(number):
        raise InvalidField("kra_branch", "want two digits, 00 for the head office")
    return number


def support_phone(text: str) -> str:
    """A number that customers call: of a Kenyan mobile ``+254712345678``, others as written."""
    number = " ".join(text.split())
    if not number:
        return ""
    if _KENYAN_MOBILE.fullmatch(re.sub(r"[^0-9+]", "", number)):
        try:
            return f"+{parse_msisdn(number)}"
        except InvalidField as wrong:
            raise InvalidField("support_phone", wrong.problem) from wrong
    if not _PHONE.fullmatch(number) or len(number) > PHONE_MAX:
        raise InvalidField("support_phone", "want a number to call, like 0712 345 678")
    return number


def languages(text: str) -> str:
    """The languages that customers are spoken to in, the first by default: ``sw,en``."""
    codes = [code.strip().lower() for code in text.split(",")]
    if not codes or len(set(codes)) != len(codes) or not set(codes) <= set(LANGUAGES):
        raise InvalidField("languages", "want en, sw, en,sw or sw,en")
    return ",".join(codes)


def language(code: str) -> str:
    """A language that messages are written in."""
    if code not in LANGUAGES:
        raise InvalidField("language", f"want one of {', '.join(LANGUAGES)}")
    return code
