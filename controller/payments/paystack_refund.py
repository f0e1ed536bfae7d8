"""Paystack's refunds on the wire. PURE.

A refund of ours carries its id in ``merchant_note``, so that one whose answer was lost is found
again in the list of refunds of its payment. Source: Paystack's OpenAPI description and its page on
refunds; its events name the payment, and not the refund.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from billing.payment import Evidence
from controller.payments.answers import inner, is_fine, object_in, turned_away
from controller.payments.gateway import CallbackUnreadable, ProviderError, RefundOutcome
from controller.payments.mpesa_wire import provider_id_in
from controller.payments.paystack_wire import error_code, number_in, read_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.payments.gateway import Refund
    from controller.payments.paystack_settings import PaystackSettings

REFUND_PATH = "/refund"
ONE_PATH = "/refund/{}"
LIST_PATH = "/refund?transaction={}&perPage=100"
NOTE_CHARS_MAX = 200

STATUSES: dict[str, Evidence] = {
    "pending": Evidence.STILL_OPEN,
    "processing": Evidence.STILL_OPEN,
    "needs-attention": Evidence.STILL_OPEN,
    "processed": Evidence.PAID,
    "failed": Evidence.REFUSED,
}
"""``needs-attention`` waits for details of the payer's bank, which staff give in the dashboard."""


def refund_body(refund: Refund) -> bytes:
    """The body of a refund, of the whole or of a part."""
    return json.dumps(
        {
            "transaction": refund.receipt,
            "amount": refund.amount.minor,
            "currency": refund.amount.currency,
            "merchant_note": refund.refund_id,
            "customer_note": refund.reason[:NOTE_CHARS_MAX],
        }
    ).encode()


def read_refund_answer(status: int, body: bytes) -> RefundOutcome:
    """What the answer to a new refund says. Doubt is `Evidence.NO_ANSWER`."""
    if not is_fine(status):
        certain = turned_away(status)
        evidence = Evidence.NOT_SENT if certain else Evidence.NO_ANSWER
        return RefundOutcome(evidence, error_code(status, body))
    told = inner(object_in(body), "data")
    if number_in(told.get("id")) is None:
        return RefundOutcome(Evidence.NO_ANSWER, "unreadable")
    return as_accepted(_read(told))


def read_one(status: int, body: bytes) -> RefundOutcome:
    """What became of a refund. Raises `ProviderError`."""
    told = inner(object_in(body), "data")
    if not is_fine(status) or number_in(told.get("id")) is None:
        raise ProviderError(error_code(status, body), again=not turned_away(status))
    return _read(told)


def find_ours(status: int, body: bytes, refund_id: str) -> RefundOutcome | None:
    """What became of the refund with our id among those of its payment; None when it is not there.

    Raises `ProviderError`.
    """
    listed = object_in(body).get("data")
    if not is_fine(status) or not isinstance(listed, list):
        raise ProviderError(error_code(status, body), again=not turned_away(status))
    for told in listed:
        if isinstance(told, dict) and told.get("merchant_note") == refund_id:
            return _read(told)
    return None


def read_event_of_refund(
    settings: PaystackSettings, body: bytes, headers: Mapping[str, str]
) -> RefundOutcome:
    """What an event says of a refund.

    Raises `CallbackUnreadable`: field ``event`` when it is signed rightly and about something else.
    Paystack's sample has no number of the refund: then ``order_id`` alone says whose it is, and the
    refunds of that payment are to be asked for.
    """
    name, data = read_event(settings, body, headers)
    if not name.startswith("refund."):
        raise CallbackUnreadable("event", "is not about a refund")
    order_id = provider_id_in(data.get("transaction_reference"))
    provider_id = number_in(data.get("id"))
    if order_id is None and provider_id is None:
        raise CallbackUnreadable("data.transaction_reference", "want the payment's reference")
    told = _read({**data, "status": data.get("status") or name.removeprefix("refund.")})
    return replace(told, order_id=order_id)


def as_accepted(outcome: RefundOutcome) -> RefundOutcome:
    """The same, as the answer to a request: what is still open was accepted."""
    if outcome.evidence is not Evidence.STILL_OPEN:
        return outcome
    return RefundOutcome(Evidence.ACCEPTED, outcome.code, outcome.provider_id)


def _read(told: Mapping[str, Any]) -> RefundOutcome:
    letters = str(told.get("status"))
    evidence = STATUSES.get(letters)
    number = number_in(told.get("id"))
    if evidence is None:
        return RefundOutcome(Evidence.STILL_OPEN, "unknown", number)
    paid = evidence is Evidence.PAID
    return RefundOutcome(evidence, letters, number, number if paid else None)
