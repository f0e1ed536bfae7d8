r"""Phone numbers in the one form M-PESA takes, and how people may see them. PURE.

Source: `^254(7|1)\d{8}$` is the only form that Daraja accepts for a payer; people type 07…, 01…,
7…, +254… and 254… with spaces and dashes.
"""

from __future__ import annotations

import re
from typing import NewType

from billing.errors import InvalidField

Msisdn = NewType("Msisdn", str)
"""A Kenyan mobile number as 12 digits: ``254712345678``."""

PhoneCode = NewType("PhoneCode", str)
"""A short code that was sent to a phone: 6 digits."""

_SHAPE = re.compile(r"254[17][0-9]{8}")
_PHONE_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_NOISE = re.compile(r"[\s\-().]+")


def parse_msisdn(text: str) -> Msisdn:
    """The number in normal form. Raises `InvalidField` (field ``phone``)."""
    digits = _NOISE.sub("", text).removeprefix("+")
    if re.fullmatch(r"0[17][0-9]{8}", digits):
        digits = "254" + digits[1:]
    elif re.fullmatch(r"[17][0-9]{8}", digits):
        digits = "254" + digits
    if not _SHAPE.fullmatch(digits):
        raise InvalidField("phone", "want a Kenyan mobile number like 0712 345 678")
    return Msisdn(digits)


def parse_phone_code(text: str) -> PhoneCode:
    """The short code that a person typed. Raises `InvalidField` (field ``code``)."""
    digits = _NOISE.sub("", text)
    if not _PHONE_CODE.fullmatch(digits):
        raise InvalidField("code", "want the 6 digits of the message")
    return PhoneCode(digits)


def masked(msisdn: str) -> str:
    """The number for screens and logs: ``2547••••678``."""
    return f"{msisdn[:4]}••••{msisdn[-3:]}" if len(msisdn) >= 9 else "••••"  # noqa: PLR2004
