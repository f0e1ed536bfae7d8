"""What is checked in a request, and in which words it is refused. PURE.

What no public text settles is decided strictly, so that the product is held to the narrow reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.sandbox.airtel.settings import AirtelSimSettings

AMOUNT_MAX = 150_000
DIGITS = 9
_ID = re.compile(r"[A-Za-z0-9_\-]{4,64}")
_REFERENCE = re.compile(r"[A-Za-z0-9 ]{4,64}")


class Refused(Exception):  # noqa: N818 - a refusal, see style
    """Airtel's envelope of a refusal: the newer code, the older one, a text."""

    def __init__(self, response_code: str, result_code: str, message: str) -> None:
        super().__init__(f"{response_code or result_code} {message}")
        self.response_code = response_code
        self.result_code = result_code
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """A push that passed all checks; ``msisdn`` has nine digits."""

    id: str
    msisdn: str
    shillings: int
    reference: str


def field_wrong(name: str) -> Refused:
    """The refusal of a field that is missing or cannot be."""
    return Refused("", "ESB000008", f"Field validation: {name}")


def check_headers(headers: Mapping[str, str], settings: AirtelSimSettings) -> None:
    """Country and currency. Raises `Refused`."""
    if headers.get("x-country") != settings.country:
        raise Refused("", "ROUTER114", "Country is not supported")
    if headers.get("x-currency") != settings.currency:
        raise Refused("", "ROUTER115", "Currency is not supported")
    if not headers.get("content-type", "").startswith("application/json"):
        raise field_wrong("Content-Type")


def read_push(fields: dict[str, Any], settings: AirtelSimSettings) -> Asked:
    """The push in ``fields``. Raises `Refused` for the first field that cannot be."""
    payer, money = fields.get("subscriber"), fields.get("transaction")
    reference = fields.get("reference")
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise field_wrong("reference")
    if not isinstance(payer, dict) or not isinstance(money, dict):
        raise field_wrong("subscriber or transaction")
    for told in (payer, money):
        if (told.get("country"), told.get("currency")) != (settings.country, settings.currency):
            raise field_wrong("country or currency")
    msisdn = payer.get("msisdn")
    if not isinstance(msisdn, str) or len(msisdn) != DIGITS:
        raise Refused("", "ESB000033", "Invalid MSISDN length")
    if not (msisdn.isascii() and msisdn.isdigit()) or msisdn[0] not in "17":
        raise Refused("", "ESB000036", "Invalid MSISDN")
    amount = money.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 1 <= amount <= AMOUNT_MAX:
        raise Refused("DP00800001004", "ESB000008", "Invalid amount")
    name = money.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise Refused("DP00800001005", "ESB000008", "Invalid transaction id")
    return Asked(name, msisdn, amount, reference)


def read_refund(fields: dict[str, Any]) -> str:
    """The number of the payment to give back. Raises `Refused`."""
    told = fields.get("transaction")
    number = told.get("airtel_money_id") if isinstance(told, dict) else None
    if not isinstance(number, str) or not number:
        raise field_wrong("airtel_money_id")
    return number
