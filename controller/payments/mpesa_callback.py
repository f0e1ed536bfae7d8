"""Daraja's callback after a push: read by name, never by position, and not believed. PURE.

It is unsigned, comes at most once by contract and sometimes twice in practice, late or never. What
it lacks is as telling as what it holds: a missing code is *no code*, a success without its amount
or receipt is unreadable. In both cases the payment stays open and the query decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing.errors import InvalidField
from billing.money import Money, parse_money
from billing.payment import Evidence
from controller.payments.codes import meaning, normal_code
from controller.payments.gateway import CallbackUnreadable, Outcome
from controller.payments.mpesa_wire import EAT, parse_json, provider_id_in

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLBACK_BYTES_MAX = 65_536
ITEMS_MAX = 50
AMOUNT_CHARS_MAX = 20
_RECEIPT = re.compile(r"[A-Z0-9]{6,32}")
_MOMENT = re.compile(r"[0-9]{14}")
_SHORTCODE = re.compile(r"[0-9]{5,7}")


def read_callback(body: bytes) -> Outcome:
    """What a callback says. Raises `CallbackUnreadable` naming the field, and nothing else."""
    callback = _callback_in(body)
    provider_id = provider_id_in(callback.get("CheckoutRequestID"))
    if provider_id is None:
        raise CallbackUnreadable("CheckoutRequestID", "want 1 to 64 visible characters")
    code = normal_code(callback.get("ResultCode"))
    if code is None:
        raise CallbackUnreadable("ResultCode", "there is none, which does not mean paid")
    says = meaning(code)
    if says.evidence is not Evidence.PAID:
        return Outcome(says.evidence, provider_id, code, says.reason)
    items = _items_in(callback)
    return Outcome(
        Evidence.PAID,
        provider_id,
        code,
        None,
        receipt=_receipt_in(items),
        amount=_amount_in(items),
        shortcode=_shortcode_in(items),
        paid_at=_moment_in(items),
    )


def _callback_in(body: bytes) -> Mapping[str, Any]:
    if len(body) > CALLBACK_BYTES_MAX:
        raise CallbackUnreadable("body", f"want at most {CALLBACK_BYTES_MAX:,} bytes")
    try:
        parsed = parse_json(body)
    except ValueError as error:
        raise CallbackUnreadable("body", "is not JSON") from error
    outer = _object(parsed, "body").get("Body")
    return _object(_object(outer, "Body").get("stkCallback"), "Body.stkCallback")


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CallbackUnreadable(name, "want an object")
    return value


def _items_in(callback: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name → value of the metadata. Items without a value are as good as absent."""
    metadata = _object(callback.get("CallbackMetadata"), "CallbackMetadata")
    listed = metadata.get("Item")
    if not isinstance(listed, list) or len(listed) > ITEMS_MAX:
        raise CallbackUnreadable("CallbackMetadata.Item", f"want a list of at most {ITEMS_MAX}")
    items: dict[str, Any] = {}
    for item in listed:
        named = _object(item, "CallbackMetadata.Item")
        name, value = named.get("Name"), named.get("Value")
        if not isinstance(name, str):
            raise CallbackUnreadable("CallbackMetadata.Item.Name", "want text")
        if value is None:
            continue
        if name in items and items[name] != value:
            raise CallbackUnreadable("CallbackMetadata.Item", "one name with two values")
        items[name] = value
    return items


def _amount_in(items: Mapping[str, Any]) -> Money:
    raw = items.get("Amount")
    if not isinstance(raw, str) or len(raw) > AMOUNT_CHARS_MAX:
        raise CallbackUnreadable("Amount", "want an amount")
    try:
        amount = parse_money(raw)
    except InvalidField as error:
        raise CallbackUnreadable("Amount", error.problem) from error
    if amount.minor <= 0:
        raise CallbackUnreadable("Amount", "want more than nothing")
    return amount


def _receipt_in(items: Mapping[str, Any]) -> str:
    raw = items.get("MpesaReceiptNumber")
    receipt = raw.strip().upper() if isinstance(raw, str) else ""
    if not _RECEIPT.fullmatch(receipt):
        raise CallbackUnreadable("MpesaReceiptNumber", "want 6 to 32 letters and digits")
    return receipt


def _shortcode_in(items: Mapping[str, Any]) -> str | None:
    """The receiver, where a callback names one. Daraja's own do not; other channels' do."""
    raw = items.get("BusinessShortCode")
    if raw is None:
        return None
    if not isinstance(raw, str) or not _SHORTCODE.fullmatch(raw.strip()):
        raise CallbackUnreadable("BusinessShortCode", "want 5 to 7 digits")
    return raw.strip()


def _moment_in(items: Mapping[str, Any]) -> datetime | None:
    """When the payer paid; None when it is not told or not a time (nothing depends on it)."""
    raw = items.get("TransactionDate")
    if not isinstance(raw, str) or not _MOMENT.fullmatch(raw.strip()):
        return None
    try:
        moment = datetime.strptime(raw.strip(), "%Y%m%d%H%M%S").replace(tzinfo=EAT)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
