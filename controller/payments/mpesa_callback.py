"""Daraja's callback after a push: read by name, never by position, and not believed. PURE.

It is unsigned, comes at most once by contract and sometimes twice in practice, late or never. What
it lacks is as telling as what it holds: a missing code is *no code*, a success without its amount
or receipt is unreadable. In both cases the payment stays open and the query decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing.payment import Evidence
from controller.payments.codes import meaning, normal_code
from controller.payments.gateway import CallbackUnreadable, Outcome
from controller.payments.mpesa_fields import (
    BODY_BYTES_MAX,
    a_moment,
    a_receipt,
    a_shortcode,
    an_amount,
    an_object,
    body_object,
)
from controller.payments.mpesa_wire import provider_id_in

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLBACK_BYTES_MAX = BODY_BYTES_MAX
ITEMS_MAX = 50


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
        receipt=a_receipt(items.get("MpesaReceiptNumber"), "MpesaReceiptNumber"),
        amount=an_amount(items.get("Amount"), "Amount"),
        shortcode=_shortcode_in(items),
        paid_at=a_moment(items.get("TransactionDate")),
    )


def _callback_in(body: bytes) -> Mapping[str, Any]:
    outer = an_object(body_object(body).get("Body"), "Body")
    return an_object(outer.get("stkCallback"), "Body.stkCallback")


def _items_in(callback: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name → value of the metadata. Items without a value are as good as absent."""
    metadata = an_object(callback.get("CallbackMetadata"), "CallbackMetadata")
    listed = metadata.get("Item")
    if not isinstance(listed, list) or len(listed) > ITEMS_MAX:
        raise CallbackUnreadable("CallbackMetadata.Item", f"want a list of at most {ITEMS_MAX}")
    items: dict[str, Any] = {}
    for item in listed:
        named = an_object(item, "CallbackMetadata.Item")
        name, value = named.get("Name"), named.get("Value")
        if not isinstance(name, str):
            raise CallbackUnreadable("CallbackMetadata.Item.Name", "want text")
        if value is None:
            continue
        if name in items and items[name] != value:
            raise CallbackUnreadable("CallbackMetadata.Item", "one name with two values")
        items[name] = value
    return items


def _shortcode_in(items: Mapping[str, Any]) -> str | None:
    """The receiver, where a callback names one. Daraja's own do not; other channels' do."""
    raw = items.get("BusinessShortCode")
    return None if raw is None else a_shortcode(raw, "BusinessShortCode")
