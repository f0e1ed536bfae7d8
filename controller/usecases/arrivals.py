"""Money that came in, whoever asked for it: the one way by which a provider's word becomes money.

Two transactions. The first claims the receipt and books the money: for an order that it fits
exactly, together with the goods, else into suspense. The second places what stands in suspense:
into the wallet of whom its reference names, which pays what is open. When the process dies in
between, a job places it; what fits nobody stays, for staff to assign.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from billing.money import Money
from billing.payment import PaymentState
from controller.payments.seen import Road
from controller.store import arrivals, notices, payers, payments, received
from controller.store.arrivals import CREDITED, DOUBTED, RETURNED, SUSPENSE
from controller.store.database import DatabaseBusy
from controller.usecases import belief, evidence
from controller.usecases.money_in import after_credit, check_reason, credit_in
from controller.usecases.odd_amounts import buy_in
from controller.usecases.owners import Owner, owner_of
from controller.usecases.payers import SubscriberUnknown

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.seen import Seen
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import PaymentRow

PLACE_BATCH_MAX = 100
PLACE_AGAIN_S = 60
"""What could not be placed is tried again after this, so that one fault delays no other."""

UNSIGNED = frozenset({Road.CALLBACK, Road.CONFIRMATION})
"""Roads on which anybody who learnt an address can speak."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of money that was shown: its row, its state, and whether it was news."""

    arrival_id: str
    state: str
    is_new: bool


class ArrivalUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such money."""

    field = "arrival_id"


class AlreadyPlaced(Exception):  # noqa: N818 - a refusal, see style
    """This money is somebody's already, or has gone back."""

    field = "arrival_id"


async def arrive(deps: Deps, seen: Seen) -> Arrived:
    """Take money that a provider says is ours; the same receipt again only adds its road.

    Raises `DatabaseBusy`, and then nothing was done.
    """
    arrived: Arrived | None = None
    site_id: str | None = None
    order_id: str | None = None
    while arrived is None:
        looked_at, order_id = order_id, await _answered_by(deps, seen)
        async with deps.db.begin() as tx:
            payment = None if order_id is None else await payments.locked(tx, order_id)
            # Money without a reference may meanwhile have lost its likeliest order to its like.
            if payment is None or order_id == looked_at or not _has_another(payment, seen):
                arrived, site_id = await _taken_in(tx, deps, seen, payment)
    if site_id is not None:
        deps.signals.wake(f"site:{site_id}")
    if arrived.state == SUSPENSE:
        arrived = await _placed_soon(deps, arrived)
    deps.signals.wake("live")
    return arrived


async def _answered_by(deps: Deps, seen: Seen) -> str | None:
    """The order that money is the answer to, or None."""
    async with deps.db.read() as tx:
        at_a_till = deps.settings.may_name_nobody(seen.rail)
        named = await payments.answered_by(tx, seen, at_a_till=at_a_till)
        return named or await _told_of(tx, seen)


def _has_another(payment: PaymentRow, seen: Seen) -> bool:
    """Whether a payment has the receipt of other money."""
    return payment.receipt is not None and payment.receipt != seen.receipt.upper()


async def _told_of(tx: Tx, seen: Seen) -> str | None:
    """The order of which an unsigned callback had told this receipt, if one had."""
    known = await arrivals.seen(tx, seen.rail, seen.receipt)
    return None if known is None else known.order_id


async def place_due(deps: Deps) -> int:
    """Place what stands in suspense and is due; how many were tried."""
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await arrivals.due(tx, now, state=SUSPENSE, limit=PLACE_BATCH_MAX)
        for row in rows:
            row.due_at = now + timedelta(seconds=PLACE_AGAIN_S)
        found = [row.id for row in rows]
    for arrival_id in found:
        try:
            await place(deps, arrival_id)
        except DatabaseBusy:
            continue  # it is due again
        except Exception:
            # One that cannot be placed must not hold up the others; it stays due, and in suspense.
            log.exception("place_failed", arrival=arrival_id)
    return len(found)


async def place(deps: Deps, arrival_id: str) -> str:
    """Move money from suspense to whom it is for; the state that it is in then.

    Raises `DatabaseBusy`.
    """
    async with deps.db.read() as tx:
        arrival = await arrivals.load(tx, arrival_id)
        if arrival is None or arrival.state != SUSPENSE:
            return "" if arrival is None else arrival.state
        owner = await owner_of(tx, arrival)
    if owner is None:
        await _left_to_staff(deps, arrival_id)
        return SUSPENSE
    return await _credit(deps, arrival_id, owner)


async def assign(
    deps: Deps, arrival_id: str, *, subscriber: str, reason: str, who: str
) -> ArrivalRow:
    """Give money that nobody was found for to a subscriber, by staff's word.

    ``subscriber`` is a phone in normal form or an id. Repeating for the same subscriber changes
    nothing. Raises `InvalidField` (``reason``), `ArrivalUnknown`, `AlreadyPlaced`,
    `payers.SubscriberUnknown`, `DatabaseBusy`.
    """
    check_reason(reason)
    async with deps.db.read() as tx:
        row = await arrivals.load(tx, arrival_id)
        subscriber_id = await payers.id_of(tx, subscriber)
    if row is None:
        raise ArrivalUnknown(f"there is no money {arrival_id[:40]}")
    if subscriber_id is None:
        raise SubscriberUnknown(subscriber)
    await _credit(deps, arrival_id, Owner(subscriber_id), deed=(who, reason))
    async with deps.db.read() as tx:
        row = await arrivals.load(tx, arrival_id)
        assert row is not None
        return row


async def _taken_in(
    tx: Tx, deps: Deps, seen: Seen, payment: PaymentRow | None
) -> tuple[Arrived, str | None]:
    """The first transaction; and the site with news when an order was settled."""
    now = deps.now()
    doubted = is_doubted(deps, seen)
    if payment is not None and _brings_the_receipt(payment, seen) and not doubted:
        verdict = await evidence.attach_in(tx, payment, seen, now)
        known = await arrivals.by_receipt(tx, seen.rail, seen.receipt)
        if verdict == belief.RECEIPT_ATTACHED and known is not None:
            return Arrived(known.id, known.state, is_new=False), None
    arrival, is_new = await arrivals.claim(
        tx, seen, state=DOUBTED if doubted else SUSPENSE, now=now
    )
    if not is_new:
        await _known(tx, arrival, seen, now)
        if payment is not None and _turns_out_for(payment, arrival, seen):
            await evidence.settle_in(tx, deps, payment, arrival, now, booked=True)
            return Arrived(arrival.id, arrival.state, is_new=False), payment.site_id
        if arrival.state != DOUBTED or doubted:
            return Arrived(arrival.id, arrival.state, is_new=False), None
        arrival.state = SUSPENSE  # a second source says so too
    elif doubted:
        arrival.due_at = now
        return Arrived(arrival.id, DOUBTED, is_new=True), None
    if payment is not None and _fits(payment, arrival):
        await evidence.settle_in(tx, deps, payment, arrival, now, booked=False)
        return Arrived(arrival.id, arrival.state, is_new), payment.site_id
    await evidence.to_suspense_in(tx, arrival, now)
    arrival.due_at = now
    return Arrived(arrival.id, SUSPENSE, is_new), None


def is_doubted(deps: Deps, seen: Seen) -> bool:
    """Whether this road's word is not enough for so much money."""
    limit = deps.settings.confirm_above_minor
    return seen.road in UNSIGNED and seen.amount.minor > limit


def _brings_the_receipt(payment: PaymentRow, seen: Seen) -> bool:
    """Whether money is that of a payment which was found by asking, without its receipt."""
    same = (payment.amount_minor, payment.shortcode) == (seen.amount.minor, seen.place)
    return same and payment.state == PaymentState.SETTLED and payment.receipt is None


def _fits(payment: PaymentRow, arrival: ArrivalRow) -> bool:
    """Whether money is exactly what an order that is not paid yet asked for."""
    same = (payment.amount_minor, payment.shortcode) == (arrival.amount_minor, arrival.place)
    return same and payment.state != PaymentState.SETTLED and payment.rail == arrival.rail


def _turns_out_for(payment: PaymentRow, arrival: ArrivalRow, seen: Seen) -> bool:
    """Whether a road that can be believed names the order of money that waits for its owner."""
    waits = arrival.state == SUSPENSE and arrival.order_id is None
    same = arrival.amount_minor == seen.amount.minor and seen.road not in UNSIGNED
    return waits and same and _fits(payment, arrival)


async def _known(tx: Tx, arrival: ArrivalRow, seen: Seen, now: datetime) -> None:
    """Note another sight of the same money; staff are told when it looks different."""
    if (arrival.amount_minor, arrival.place) != (seen.amount.minor, seen.place):
        await notices.add(
            tx,
            now=now,
            code="arrival_differs",
            text=f"receipt {arrival.receipt} of {arrival.rail}: {seen.road} says {seen.amount}"
            f" at {seen.place}, booked is {Money(arrival.amount_minor, arrival.currency)}"
            f" at {arrival.place}",
            once=f"arrival_differs\n{arrival.id}\n{seen.road}",
        )
        return
    arrivals.add_road(arrival, seen.road)
    if not arrival.reference:
        arrival.reference = seen.reference[: arrivals.REFERENCE_MAX]
        if arrival.state == SUSPENSE and arrival.reference:
            arrival.due_at = now


async def _placed_soon(deps: Deps, arrived: Arrived) -> Arrived:
    """Place new money right away; when that is not to be had now, the job does it."""
    with suppress(DatabaseBusy):
        # Whoever posted may hang up: what is begun is done all the same.
        work = asyncio.create_task(place(deps, arrived.arrival_id))
        return Arrived(arrived.arrival_id, await asyncio.shield(work), arrived.is_new)
    return arrived


async def _left_to_staff(deps: Deps, arrival_id: str) -> None:
    async with deps.db.begin() as tx:
        row = await arrivals.locked(tx, arrival_id)
        if row.state != SUSPENSE:
            return
        row.due_at = None
        await notices.add(
            tx,
            now=deps.now(),
            code="payment_unmatched",
            text=f"{Money(row.amount_minor, row.currency)} by {row.rail}, receipt {row.receipt},"
            f" fits nobody: see the unmatched payments",
            once=f"payment_unmatched\n{row.id}",
        )


async def _credit(
    deps: Deps, arrival_id: str, owner: Owner, *, deed: tuple[str, str] | None = None
) -> str:
    """The second transaction. Raises `AlreadyPlaced` when staff come too late."""
    now = deps.now()
    async with deps.db.begin() as tx:
        subscriber = (await payers.locked(tx, owner.subscriber_id))[owner.subscriber_id]
        payment = None if owner.order_id is None else await payments.locked(tx, owner.order_id)
        arrival = await arrivals.locked(tx, arrival_id)
        if deed is not None and arrival.state == DOUBTED:
            await evidence.to_suspense_in(tx, arrival, now)
            arrival.state = SUSPENSE
        if arrival.state != SUSPENSE:
            if deed is not None and not await _is_of(tx, arrival, owner):
                raise AlreadyPlaced(f"receipt {arrival.receipt} is {arrival.state}")
            return arrival.state
        if deed is not None:
            who, reason = deed
            arrivals.add_deed(tx, arrival, who=who, what="assigned", detail=reason, now=now)
        credited = await credit_in(tx, deps, subscriber, arrival)
        site_id = None
        if payment is not None and arrival.order_id is None:
            site_id = await buy_in(tx, deps, payment, arrival, now)
    await after_credit(deps, credited)
    if site_id is not None:
        deps.signals.wake(f"site:{site_id}")
    return CREDITED


async def _is_of(tx: Tx, arrival: ArrivalRow, owner: Owner) -> bool:
    if arrival.state == RETURNED or arrival.received_id is None:
        return False
    row = await received.load(tx, arrival.received_id)
    return row is not None and row.subscriber_id == owner.subscriber_id
