"""Disputes of card payments on Paystack's wire: what its events say of them. PURE.

A holder's bank takes a payment back by a dispute. It is opened (``charge.dispute.create``),
reminded of (``.remind``) and ended (``.resolve``): by us in Paystack's dashboard or, when its
``dueAt`` has passed, without us. Source: Paystack's pages on disputes
and its published OpenAPI description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import Money
from controller.payments.answers import inner
from controller.payments.gateway import CallbackUnreadable, Dispute, Resolution
from controller.payments.paystack_wire import minor_in, moment_in, number_in, read_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.payments.paystack_settings import PaystackSettings

EVENTS = "charge.dispute."
RESOLVED = EVENTS + "resolve"
DECLINED = "declined"
"""The one ending in which we keep all: the merchant's no, that the bank accepted."""


def read_event_of_dispute(
    settings: PaystackSettings, body: bytes, headers: Mapping[str, str]
) -> Dispute:
    """What an event says of a dispute.

    Raises `CallbackUnreadable`: field ``event`` when it is signed rightly and about something else.
    """
    name, told = read_event(settings, body, headers)
    if not name.startswith(EVENTS):
        raise CallbackUnreadable("event", "is not about a dispute")
    receipt = number_in(inner(told, "transaction").get("id"))
    if receipt is None:
        raise CallbackUnreadable("data.transaction.id", "want the transaction's number")
    until = moment_in(told.get("dueAt") or told.get("due_at"))
    if name != RESOLVED:
        return Dispute(receipt, None, answer_until=until)
    if told.get("resolution") == DECLINED:
        return Dispute(receipt, Resolution.WON)
    minor = minor_in(told.get("refund_amount"))
    amount = Money(minor, settings.currency) if minor else None
    return Dispute(receipt, Resolution.LOST, amount)
