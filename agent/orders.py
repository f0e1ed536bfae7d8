"""Orders: where each stands, as far as this site knows. PURE.

Nothing here is ever called failed while its outcome is unknown: an order that may have reached the
controller is *being checked*; only one that certainly did not is *expired*.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agent import tries
from agent.daytime import PLAUSIBLE
from agent.model import NEVER, OrderNote, Try, TryKind
from billing.payment import OrderStage
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.draft import Draft
    from agent.model import Instant, Ordered
    from agent.uplink.seam import OrderAnswer
    from billing.ids import OrderId
    from shaping.plane import MacAddress

REACH_MS = 120_000
"""An order that could not reach the controller for this long is given up; nothing was charged."""

BLOCKING_MS = 180_000
"""An undecided order keeps the device from placing another for this long."""

KEPT_MS = 86_400_000
"""Orders are forgotten after a day; the controller has them for ever."""

ORDERS_KEPT_MAX = 5_000
"""Orders remembered. Beyond it the oldest decided ones are forgotten, then the oldest."""

UNDECIDED = frozenset({OrderStage.QUEUED, OrderStage.PROMPTED, OrderStage.CHECKING})


def placed(draft: Draft, event: Ordered) -> None:
    """Note a new order, unless the device has one that is still undecided (a double tap)."""
    if event.order_id in draft.orders:
        return
    if blocking(draft.orders.values(), event.mac, draft.now) is not None:
        return
    attempt = Try(TryKind.ORDER, event.mac, event.msisdn, draft.mono)
    if tries.too_many(draft.tries.values(), attempt):
        return
    tries.note(draft, attempt, name=event.order_id)
    if len(draft.orders) >= ORDERS_KEPT_MAX:
        _forget_one(draft)
    note = OrderNote(
        order_id=event.order_id,
        offer=event.offer,
        msisdn=event.msisdn,
        mac=event.mac,
        placed_at=draft.now,
        stage=OrderStage.QUEUED,
        rail=event.rail,
    )
    draft.orders.put(note.order_id, note)
    draft.remind(MonotonicMs(draft.mono + REACH_MS))


def answered(draft: Draft, order_id: OrderId, answer: OrderAnswer) -> None:
    """Take the controller's word; what is paid stays paid."""
    note = draft.orders.get(order_id)
    if note is None or note.stage is OrderStage.PAID:
        return
    after = replace(note, stage=answer.stage, reason=answer.reason, sent=True)
    draft.orders.put(order_id, after)
    if answer.stage is OrderStage.PAID:
        tries.forgive(draft, order_id)
    fulfilled(draft, note.mac)


def unanswered(draft: Draft, order_id: OrderId) -> None:
    """Note that the controller may have the order although it did not say so."""
    note = draft.orders.get(order_id)
    if note is not None and not note.sent:
        draft.orders.put(order_id, replace(note, sent=True))


def caused(draft: Draft, cause_id: str, mac: MacAddress) -> None:
    """A grant arrived: the order that it answers is paid, whatever was known of it before."""
    tries.forgive(draft, cause_id)
    for note in draft.orders.values():
        if note.order_id == cause_id and note.stage is not OrderStage.PAID:
            draft.orders.put(note.order_id, replace(note, stage=OrderStage.PAID, reason=None))
    fulfilled(draft, mac)


def fulfilled(draft: Draft, mac: MacAddress) -> None:
    """Forget the paid orders of a device that has its grant, and access."""
    session = draft.session_of(mac)
    if session is None or session.closed is not None:
        return
    causes = {use.cause_id for use in draft.uses_for(mac)}
    for note in draft.orders.values():
        if note.mac == mac and note.stage is OrderStage.PAID and note.order_id in causes:
            draft.orders.drop(note.order_id)


def end_due(draft: Draft) -> None:
    """Give up orders that never reached the controller; forget those of yesterday."""
    for note in draft.orders.values():
        age = age_ms(note, draft.now)
        if age >= KEPT_MS:
            draft.orders.drop(note.order_id)
        elif note.stage is OrderStage.QUEUED and age >= REACH_MS:
            stage = OrderStage.CHECKING if note.sent else OrderStage.EXPIRED
            draft.orders.put(note.order_id, replace(note, stage=stage))


def due_at(draft: Draft) -> MonotonicMs:
    """When the next order must be looked at."""
    waits = [
        (REACH_MS if note.stage is OrderStage.QUEUED else KEPT_MS) - age_ms(note, draft.now)
        for note in draft.orders.values()
    ]
    return MonotonicMs(draft.mono + max(0, min(waits))) if waits else NEVER


def age_ms(note: OrderNote, now: Instant) -> int:
    """How long ago the order was placed. After a boot with a wrong clock: too long to be sent."""
    if note.placed_at.boot == now.boot:
        return max(0, now.mono - note.placed_at.mono)
    away = now.wall - note.placed_at.wall
    if timedelta(0) <= away <= PLAUSIBLE:
        return away // timedelta(milliseconds=1)
    return REACH_MS


def blocking(notes: Iterable[OrderNote], mac: MacAddress, now: Instant) -> OrderNote | None:
    """The latest order of a device that is still undecided, or paid and not yet answered for."""
    stages = {*UNDECIDED, OrderStage.PAID}
    open_ones = [
        note
        for note in notes
        if note.mac == mac and note.stage in stages and age_ms(note, now) < BLOCKING_MS
    ]
    return min(open_ones, key=lambda note: age_ms(note, now), default=None)


def latest(notes: Iterable[OrderNote], mac: MacAddress, now: Instant) -> OrderNote | None:
    """The latest order of a device, whatever its stage."""
    own = [note for note in notes if note.mac == mac]
    return min(own, key=lambda note: age_ms(note, now), default=None)


def _forget_one(draft: Draft) -> None:
    oldest = max(
        draft.orders.values(),
        key=lambda note: (note.stage not in UNDECIDED, age_ms(note, draft.now)),
    )
    draft.orders.drop(oldest.order_id)
