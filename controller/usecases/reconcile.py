"""Every day, for every place where money lands: what its statement tells against our books.

A difference is open until it vanishes by itself (a late statement, a late callback) or staff
explain it. One that changes after it was explained is open again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money
from billing.period import day_of, midnight
from billing.reconciling import BookedMoney, Differs, ToldLine, Way, differences, net
from controller.store import notices, statements
from controller.store.payment_rows import DifferenceRow
from controller.store.statements import Span
from controller.usecases.statements import charge_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from billing.reconciling import Difference
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import (
        ArrivalRow,
        ReconciliationRow,
        RefundRow,
        StatementLineRow,
        StatementRow,
    )

LOOKED_BACK = timedelta(days=45)
"""Statements of older days are reconciled when they are imported late, and not looked at again."""

AGAIN = timedelta(hours=1)
"""A day with differences is looked at again after this: what was late may have come."""

DAYS_MAX = 20
AROUND = timedelta(days=2)
"""Money that the statement tells this near to midnight is on another day there than here."""

EXPLANATION_MAX = 300
OPEN, EXPLAINED, GONE = "open", "explained", "gone"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a day came to: in the statement, in our books, and all that differs."""

    rail: str
    place: str
    day: date
    told: Money
    booked: Money
    differences: tuple[DifferenceRow, ...]


class DayUntold(Exception):  # noqa: N818 - a refusal, see style
    """No statement tells of this whole day."""

    field = "day"


class DifferenceUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such difference."""

    field = "difference_id"


class DifferenceGone(Exception):  # noqa: N818 - a refusal, see style
    """The two sides agree by now: there is nothing left to explain."""

    field = "difference_id"


async def reconcile(deps: Deps, rail: str, place: str, day: date) -> Reconciliation:
    """Compare a day (Nairobi's) at one place, and keep what differs.

    Raises `DayUntold`, `DatabaseBusy`.
    """
    span = Span(rail, place, midnight(day), midnight(day + timedelta(days=1)))
    now = deps.now()
    async with deps.db.begin() as tx:
        if not await statements.covers(tx, span):
            raise DayUntold(f"no statement tells of {day} at {rail} {place[:32]}")
        told, booked = await _sides(tx, span)
        found = differences(told, booked)
        sums = net(told), net(booked)
        await statements.put_day(
            tx, span, day, told=sums[0], booked=sums[1], differences=len(found), now=now
        )
        rows = await _kept(tx, span, day, found, now)
    deps.signals.wake("live")
    return Reconciliation(rail, place, day, *sums, tuple(rows))


async def reconcile_due(deps: Deps) -> int:
    """Compare every day that is over and told, and was not compared since; how many were."""
    now = deps.now()
    today = day_of(now)
    async with deps.db.read() as tx:
        told = await statements.that_reach(tx, now - LOOKED_BACK)
        first = min((day_of(one.from_at) for one in told), default=today)
        done = await statements.days_done(tx, first)
    wanted: dict[tuple[str, str, date], None] = {}
    for one in told:
        for day in _days(one, before=today):
            key = one.rail, one.place, day
            if _is_due(done.get(key), one, now):
                wanted[key] = None
    count = 0
    for rail, place, day in list(wanted)[:DAYS_MAX]:
        count += await _when_booked(deps, rail, place, day)
    return count


async def explain(deps: Deps, difference_id: str, text: str) -> DifferenceRow:
    """Keep why a difference is none to worry about; staff may change their word.

    Raises `InvalidField` (``text``), `DifferenceUnknown`, `DifferenceGone`, `DatabaseBusy`.
    """
    if not text.strip() or len(text) > EXPLANATION_MAX or "\0" in text:
        raise InvalidField("text", f"want 1 to {EXPLANATION_MAX} characters")
    async with deps.db.begin() as tx:
        row = await statements.difference(tx, difference_id)
        if row is None:
            raise DifferenceUnknown(f"there is no difference {difference_id[:40]}")
        if row.state == GONE:
            raise DifferenceGone(f"{row.kind} of {row.receipt} is gone")
        row.state, row.explanation, row.closed_at = EXPLAINED, text, deps.now()
    deps.signals.wake("live")
    return row


async def _when_booked(deps: Deps, rail: str, place: str, day: date) -> int:
    """Compare a day unless its lines are still being booked, or it is not told as a whole."""
    span = Span(rail, place, midnight(day), midnight(day + timedelta(days=1)))
    async with deps.db.read() as tx:
        ready = await statements.covers(tx, span) and not await statements.anything_due(tx, span)
    if ready:
        await reconcile(deps, rail, place, day)
    return int(ready)


def _days(told: StatementRow, *, before: date) -> Iterator[date]:
    day = day_of(told.from_at)
    while midnight(day) < told.until_at and day < before:
        yield day
        day += timedelta(days=1)


def _is_due(done: ReconciliationRow | None, told: StatementRow, now: datetime) -> bool:
    if done is None or done.at < told.imported_at:
        return True
    return done.differences > 0 and done.at <= now - AGAIN


async def _sides(tx: Tx, span: Span) -> tuple[list[ToldLine], list[BookedMoney]]:
    """What the statement tells of a day, and what our books have of the same money."""
    lines = await statements.lines_in(tx, span)
    told = [ToldLine(one.receipt, Way(one.kind), Money(one.amount_minor)) for one in lines]
    receipts = {way: {one.receipt for one in told if one.way is way} for way in Way}
    around = span._replace(since=span.since - AROUND, until=span.until + AROUND)
    elsewhere = await statements.told_beside(tx, span, around)
    booked = await _booked(tx, span, receipts)
    return told, await _charges(tx, lines) + [
        money
        for money in booked
        if money.receipt in receipts[money.way] or (money.way, money.receipt) not in elsewhere
    ]


async def _booked(tx: Tx, span: Span, told: Mapping[Way, set[str]]) -> list[BookedMoney]:
    """What is booked of a time, or told of it; charges apart."""
    out, back = told[Way.OUT], told[Way.REVERSAL]
    came = await statements.arrivals_for(tx, span, told[Way.IN])
    gone = await statements.taken_back(tx, span, back)
    given = await statements.refunds_for(tx, span, out=out, back=back)
    return [
        *(BookedMoney(row.receipt, Way.IN, Money(row.amount_minor)) for row in came),
        *(BookedMoney(row.receipt, Way.REVERSAL, Money(row.amount_minor)) for row in gone),
        *(_given_back(refund, arrival, out) for refund, arrival in given),
    ]


async def _charges(tx: Tx, lines: Sequence[StatementLineRow]) -> list[BookedMoney]:
    charges = {str(charge_name(one.id)): one for one in lines if one.kind == Way.CHARGE}
    return [
        BookedMoney(charges[name].receipt, Way.CHARGE, Money(charges[name].amount_minor))
        for name in await statements.posted(tx, charges)
    ]


def _given_back(refund: RefundRow, arrival: ArrivalRow, told_out: set[str]) -> BookedMoney:
    """A refund as a statement tells it: a reversal of the whole, or money of its own that went."""
    amount = Money(refund.amount_minor)
    whole = refund.amount_minor == arrival.amount_minor
    if whole and refund.receipt not in told_out:
        return BookedMoney(arrival.receipt, Way.REVERSAL, amount)
    return BookedMoney(refund.receipt or refund.id.upper(), Way.OUT, amount)


async def _kept(
    tx: Tx, span: Span, day: date, found: Sequence[Difference], now: datetime
) -> list[DifferenceRow]:
    """Keep what differs now, and close what does not any more; the rows of what does."""
    known = {
        (row.kind, row.receipt): row
        for row in await statements.differences_of(tx, span.rail, span.place, day)
    }
    wanted = {(kind_of(one), one.receipt): one for one in found}
    for key, row in known.items():
        if key not in wanted and row.state != GONE:
            row.state, row.closed_at = GONE, now
    rows = []
    for key, one in wanted.items():
        row = known.get(key) or _new(span, day, key, now)
        _told_again(row, one)
        tx.add(row)
        rows.append(row)
    await tx.flush()
    if any(row.state == OPEN for row in rows):
        await _told_staff(tx, span, day, now)
    return rows


def kind_of(one: Difference) -> str:
    """How a difference is called in its row: ``amount_differs``, ``amount_differs:charge``.

    A charge has the receipt of its payment, so what is not about money that came in says so.
    """
    says_so = one.way is Way.IN or one.kind in {Differs.CHARGE_UNBOOKED, Differs.REVERSAL_UNBOOKED}
    return one.kind.value if says_so else f"{one.kind}:{one.way}"


def _new(span: Span, day: date, key: tuple[str, str], now: datetime) -> DifferenceRow:
    return DifferenceRow(
        id=secrets.token_hex(16),
        rail=span.rail,
        place=span.place,
        day=day,
        kind=key[0],
        receipt=key[1],
        told_minor=None,
        booked_minor=None,
        state=GONE,  # until it is told, just below
        explanation="",
        found_at=now,
        closed_at=None,
    )


def _told_again(row: DifferenceRow, one: Difference) -> None:
    """Note both sides; what was explained stays so as long as they stay the same."""
    sides = tuple(None if side is None else side.minor for side in (one.told, one.booked))
    if row.state == EXPLAINED and (row.told_minor, row.booked_minor) == sides:
        return
    row.told_minor, row.booked_minor = sides
    row.state, row.explanation, row.closed_at = OPEN, "", None


async def _told_staff(tx: Tx, span: Span, day: date, now: datetime) -> None:
    await notices.add(
        tx,
        now=now,
        code="statement_differs",
        text=f"the statement of {span.rail} {span.place} for {day} and our books differ",
        once=f"statement_differs\n{span.rail}\n{span.place}\n{day}",
    )
