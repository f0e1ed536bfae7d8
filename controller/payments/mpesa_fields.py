"""Values as they stand in what Daraja posts to us. PURE.

Readers raise `CallbackUnreadable` naming the field. Numbers come as text (see `parse_json`), so
that no amount ever passes through binary fractions. What people typed may hold anything: it loses
what cannot be shown or kept, and is cut.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing.errors import InvalidField
from billing.money import Money, parse_money
from controller.payments.gateway import CallbackUnreadable
from controller.payments.mpesa_wire import EAT, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX = 65_536
AMOUNT_CHARS_MAX = 20
_RECEIPT = re.compile(r"[A-Z0-9]{6,32}")
_MOMENT = re.compile(r"([0-9]{4})" + r"([0-9]{2})" * 5)
_SHORTCODE = re.compile(r"[0-9]{5,7}")


def body_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a body is."""
    if len(body) > BODY_BYTES_MAX:
        raise CallbackUnreadable("body", f"want at most {BODY_BYTES_MAX:,} bytes")
    try:
        parsed = parse_json(body)
    except ValueError as error:
        raise CallbackUnreadable("body", "is not JSON") from error
    return an_object(parsed, "body")


def an_object(value: object, name: str) -> Mapping[str, Any]:
    """``value``, which is a JSON object."""
    if not isinstance(value, dict):
        raise CallbackUnreadable(name, "want an object")
    return value


def an_amount(raw: object, name: str) -> Money:
    """Shillings, however they are written: ``10``, ``5.00``, ``1,250.00``; more than nothing."""
    if not isinstance(raw, str) or len(raw) > AMOUNT_CHARS_MAX:
        raise CallbackUnreadable(name, "want an amount")
    try:
        amount = parse_money(raw)
    except InvalidField as error:
        raise CallbackUnreadable(name, error.problem) from error
    if amount.minor <= 0:
        raise CallbackUnreadable(name, "want more than nothing")
    return amount


def a_receipt(raw: object, name: str) -> str:
    """M-PESA's number of a payment, in capitals."""
    receipt = raw.strip().upper() if isinstance(raw, str) else ""
    if not _RECEIPT.fullmatch(receipt):
        raise CallbackUnreadable(name, "want 6 to 32 letters and digits")
    return receipt


def a_shortcode(raw: object, name: str) -> str:
    """A PayBill, a Till or a store number."""
    if not isinstance(raw, str) or not _SHORTCODE.fullmatch(raw.strip()):
        raise CallbackUnreadable(name, "want 5 to 7 digits")
    return raw.strip()


def a_moment(raw: object) -> datetime | None:
    """``20260714093041``, East Africa Time; None when it is not told or not a time.

    Nothing depends on it.
    """
    told = _MOMENT.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if told is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, told.groups())
        moment = datetime(year, month, day, hour, minute, second, tzinfo=EAT)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def a_text(raw: object, chars_max: int) -> str:
    """What somebody typed, cut to ``chars_max``; "" for what is no text."""
    if not isinstance(raw, str):
        return ""
    return "".join(c for c in raw[: 4 * chars_max] if c.isprintable())[:chars_max]
