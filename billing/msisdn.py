r"""Phone numbers in the one form M-PESA takes, how people may see them, and whose they look. PURE.

Source: `^254(7|1)\d{8}$` is the only form that Daraja accepts for a payer; people type 07…, 01…,
7…, +254… and 254… with spaces and dashes.

Which wallet a number has cannot be read from it. Ranges were given to operators by prefix, but
numbers have been portable in Kenya since 2011 and new ranges keep appearing: the prefix is good
for a guess, and the choice is the payer's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NewType

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

Msisdn = NewType("Msisdn", str)
"""A Kenyan mobile number as 12 digits: ``254712345678``."""

PhoneCode = NewType("PhoneCode", str)
"""A short code that was sent to a phone: 6 digits."""

MPESA = "mpesa"
AIRTEL = "airtel"
WALLETS = (MPESA, AIRTEL)
"""The rails that collect by asking a phone."""

_AIRTEL = re.compile(r"254(?:73[0-9]|75[0-6]|762|767|78[0-9]|10[0-6])[0-9]{6}", re.ASCII)
"""Ranges of Airtel Kenya: 0730-0739, 0750-0756, 0762, 0767, 0780-0789 and 0100-0106.

Source: libphonenumber's table of carriers for 254 has 73 and 78 as Airtel's, and 750 to 756 as
Essar's, whose subscribers Airtel took over; the others are of public lists, and unconfirmed."""

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


def wallet_guess(msisdn: str) -> str:
    """The wallet that a number's prefix points to, M-PESA unless it is known to be another's.

    A guess, and wrong for whoever took the number along to another operator.
    """
    return AIRTEL if _AIRTEL.fullmatch(msisdn) else MPESA


def wallet_of(msisdn: str, *, among: Sequence[str], chosen: str = "", before: str = "") -> str:
    """The one of several wallets that is asked for this number's money; "" where one collects.

    What its payer has ``chosen``, else what the same number was asked by ``before``, else the
    guess, else the first. Raises `InvalidField` (field ``rail``) for a choice that is not there.
    """
    if chosen and chosen not in among:
        raise InvalidField("rail", f"want one of {', '.join(among) or 'none'}")
    if len(among) <= 1:
        return ""
    wanted = (chosen, before, wallet_guess(msisdn))
    return next((one for one in wanted if one in among), among[0])
