"""What is checked in a request, and how it is refused. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

AMOUNT_MAX = 10**12
_REFERENCE = re.compile(r"[A-Za-z0-9.=\-]{1,100}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class Refused(Exception):  # noqa: N818 - a refusal, see style
    """Paystack's envelope of a refusal: HTTP status, code, text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment that passed all checks; ``amount`` is in cents."""

    reference: str
    amount: int
    currency: str
    email: str
    return_url: str
    metadata: object


def invalid(message: str) -> Refused:
    """The refusal of a field."""
    return Refused(400, "invalid_params", message)


def read_payment(fields: dict[str, Any], *, currency: str) -> Asked:
    """The payment in ``fields``. Raises `Refused` for the first field that cannot be."""
    email, reference = fields.get("email"), fields.get("reference")
    if not isinstance(email, str) or not _EMAIL.fullmatch(email):
        raise invalid("Invalid Email Address Passed")
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise invalid("Reference may hold letters, digits, '-', '.' and '=' only")
    if fields.get("currency") != currency:
        raise Refused(403, "unsupported_currency", "Currency not supported by merchant")
    return_url = fields.get("callback_url", "")
    if not isinstance(return_url, str):
        raise invalid("Invalid callback_url")
    return Asked(
        reference, read_amount(fields), currency, email, return_url, fields.get("metadata", "")
    )


def read_amount(fields: dict[str, Any]) -> int:
    """The cents in ``fields``: a whole number. Raises `Refused`."""
    amount = fields.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 1 <= amount <= AMOUNT_MAX:
        raise invalid("Invalid Amount Sent")
    return amount
