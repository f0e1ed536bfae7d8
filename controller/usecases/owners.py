"""Whose money it is: what a payer typed as account, read as generously as is safe.

Only what names exactly one subscriber counts: the reference of one of our own requests, a phone
number, the number of an invoice. Who paid is never taken for whom it is: the payer's number comes
masked or hashed, and a friend may pay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.matching import phone_in
from controller.store import documents, payers, payments

if TYPE_CHECKING:
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow

_NOISE = re.compile(r"[\s\-_./:#]+")
_INVOICE = re.compile(r"(INV|CRN|RCT)-([A-Z0-9-]{1,32})-([0-9]{1,9})", re.ASCII)
"""A document's number as people type it; see `billing.invoice.shown_number`."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose money it is, and for which order it came, if for one."""

    subscriber_id: str
    order_id: str | None = None


async def owner_of(tx: Tx, arrival: ArrivalRow) -> Owner | None:
    """Whom money in suspense is for; None when its reference names nobody, or more than one."""
    if arrival.order_id is not None:
        payment = await payments.load(tx, arrival.order_id)
        assert payment is not None
        return Owner(payment.subscriber_id, payment.order_id)
    reference = arrival.reference.strip().upper()
    if not reference:
        return None
    order = await payments.by_reference(tx, arrival.rail, _NOISE.sub("", reference))
    if order is not None:
        return Owner(order.subscriber_id, order.order_id)
    subscriber_id = await _by_phone(tx, reference) or await _by_invoice(tx, reference)
    return None if subscriber_id is None else Owner(subscriber_id)


async def _by_phone(tx: Tx, reference: str) -> str | None:
    msisdn = phone_in(reference)
    return None if msisdn is None else await payers.id_of(tx, msisdn)


async def _by_invoice(tx: Tx, reference: str) -> str | None:
    found = _INVOICE.fullmatch(re.sub(r"\s+", "", reference))
    if found is None:
        return None
    # Branches are named in lower case.
    series = f"{found[1]}-{found[2].lower()}"
    return await documents.whose_number(tx, series=series, number=int(found[3]))
