"""Statements as they are kept: files, their lines, how banks write, and what days came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, or_, select, update

from controller.store.arrivals import DOUBTED, RETURNED
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK, inserting
from controller.store.payment_rows import (
    ArrivalRow,
    DifferenceRow,
    ReconciliationRow,
    RefundRow,
    StatementLineRow,
    StatementProfileRow,
    StatementRow,
)
from controller.store.rows import LedgerTransactionRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from billing.money import Money
    from controller.store.database import Tx

LINES_AT_ONCE = 500


class Span(NamedTuple):
    """A time at one place where money of a rail lands: from ``since``, before ``until``."""

    rail: str
    place: str
    since: datetime
    until: datetime


async def load(tx: Tx, statement_id: str) -> StatementRow | None:
    """A statement that was read, or None."""
    return await tx.get(StatementRow, statement_id)


async def by_file(tx: Tx, rail: str, place: str, file_hash: str) -> StatementRow | None:
    """The statement that was read of these bytes, or None."""
    return await tx.scalar(
        select(StatementRow).where(
            StatementRow.rail == rail,
            StatementRow.place == place,
            StatementRow.file_hash == file_hash,
        )
    )


async def newest(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[StatementRow]:
    """Statements, the newest first, from behind that one."""
    row = StatementRow
    query = select(row).order_by(row.imported_at.desc(), row.id)
    if after is not None:
        at, last = after
        query = query.where(or_(row.imported_at < at, and_(row.imported_at == at, row.id > last)))
    return list(await tx.scalars(query.limit(limit)))


async def before(tx: Tx, rail: str, place: str, at: datetime) -> StatementRow | None:
    """The last statement of a place that ends by then and tells its balance, or None."""
    query = select(StatementRow).where(
        StatementRow.rail == rail,
        StatementRow.place == place,
        StatementRow.until_at <= at,
        StatementRow.closing_minor.is_not(None),
    )
    return await tx.scalar(query.order_by(StatementRow.until_at.desc(), StatementRow.id).limit(1))


async def that_reach(tx: Tx, at: datetime) -> list[StatementRow]:
    """Statements that tell of days since then, in order of what they tell."""
    query = select(StatementRow).where(StatementRow.until_at > at)
    return list(await tx.scalars(query.order_by(StatementRow.from_at, StatementRow.id)))


async def covers(tx: Tx, span: Span) -> bool:
    """Whether some statement tells of this whole time."""
    query = select(StatementRow.id).where(
        StatementRow.rail == span.rail,
        StatementRow.place == span.place,
        StatementRow.from_at <= span.since,
        StatementRow.until_at >= span.until,
    )
    return await tx.scalar(query.limit(1)) is not None


async def add_lines(tx: Tx, lines: Sequence[dict[str, Any]]) -> int:
    """Keep lines, each once for its place and fingerprint; how many were new.

    In the order of fingerprints, so that no two who keep the same lines wait for each other.
    """
    new = 0
    lines = sorted(lines, key=lambda one: str(one["fingerprint"]))
    for at in range(0, len(lines), LINES_AT_ONCE):
        statement = (
            inserting(tx, StatementLineRow)
            .values(list(lines[at : at + LINES_AT_ONCE]))
            .on_conflict_do_nothing()
            .returning(StatementLineRow.id)
        )
        new += len((await tx.execute(statement)).all())
    return new


async def wake_reversals(tx: Tx, of: StatementRow, receipts: Collection[str]) -> None:
    """Let reversals that wait for one of these payments be booked now."""
    waiting = (
        StatementLineRow.rail == of.rail,
        StatementLineRow.place == of.place,
        StatementLineRow.kind == "reversal",
        StatementLineRow.due_at > of.imported_at,
        among(tx, StatementLineRow.receipt, receipts),
    )
    await tx.execute(update(StatementLineRow).where(*waiting).values(due_at=of.imported_at))


async def due_lines(tx: Tx, now: datetime, *, limit: int) -> list[StatementLineRow]:
    """Lines to be booked, the oldest first, locked; what another process holds is left to it.

    Of one moment money that came stands before what took it back.
    """
    query = (
        select(StatementLineRow)
        .where(StatementLineRow.due_at <= now)
        .order_by(
            StatementLineRow.due_at,
            StatementLineRow.at,
            StatementLineRow.kind,
            StatementLineRow.id,
        )
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def line(tx: Tx, line_id: str) -> StatementLineRow:
    """A line, locked and as it now is; it must be there."""
    return await tx.get_one(
        StatementLineRow, line_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def lines_in(tx: Tx, span: Span) -> list[StatementLineRow]:
    """What statements tell of a time, the oldest first."""
    query = select(StatementLineRow).where(*_within(StatementLineRow, span))
    return list(await tx.scalars(query.order_by(StatementLineRow.at, StatementLineRow.id)))


async def told_beside(tx: Tx, day: Span, around: Span) -> set[tuple[str, str]]:
    """Kind and receipt of what is told ``around`` a day, and not in it."""
    query = select(StatementLineRow.kind, StatementLineRow.receipt).where(
        *_within(StatementLineRow, around),
        ~((StatementLineRow.at >= day.since) & (StatementLineRow.at < day.until)),
    )
    return {(kind, receipt) for kind, receipt in await tx.execute(query)}


async def arrivals_for(tx: Tx, span: Span, receipts: Collection[str]) -> list[ArrivalRow]:
    """Money in the books that came in a time, or has one of these receipts."""
    booked = (
        ArrivalRow.rail == span.rail,
        ArrivalRow.place == span.place,
        ArrivalRow.state != DOUBTED,
    )
    then = (ArrivalRow.at >= span.since) & (ArrivalRow.at < span.until)
    named = among(tx, ArrivalRow.receipt, receipts)
    return list(await tx.scalars(select(ArrivalRow).where(*booked, then | named)))


async def taken_back(tx: Tx, span: Span, receipts: Collection[str]) -> list[ArrivalRow]:
    """Money that left the till again, but by a refund of ours: in a time, or of these receipts."""
    by_provider = "arrival:" + ArrivalRow.id + ":returned:left"
    by_staff = "received:" + ArrivalRow.received_id + ":reversed"
    left = LedgerTransactionRow
    then = (left.at >= span.since) & (left.at < span.until)
    query = (
        select(ArrivalRow)
        .join(left, or_(left.id == by_provider, left.id == by_staff))
        .where(
            ArrivalRow.rail == span.rail,
            ArrivalRow.place == span.place,
            ArrivalRow.state == RETURNED,
            then | among(tx, ArrivalRow.receipt, receipts),
        )
    )
    return list(await tx.scalars(query))


async def refunds_for(
    tx: Tx, span: Span, *, out: Collection[str], back: Collection[str]
) -> list[tuple[RefundRow, ArrivalRow]]:
    """What we gave back, with what it was of: in a time, or told by a statement.

    There it is money of its own that went ``out``, or money that came and went ``back``.
    """
    then = (RefundRow.settled_at >= span.since) & (RefundRow.settled_at < span.until)
    told = among(tx, RefundRow.receipt, out) | among(tx, ArrivalRow.receipt, back)
    query = (
        select(RefundRow, ArrivalRow)
        .join(ArrivalRow, ArrivalRow.id == RefundRow.arrival_id)
        .where(
            ArrivalRow.rail == span.rail,
            ArrivalRow.place == span.place,
            RefundRow.settled_at.is_not(None),
            then | told,
        )
    )
    return [(refund, arrival) for refund, arrival in await tx.execute(query)]


async def posted(tx: Tx, names: Collection[str]) -> set[str]:
    """Those of these ledger transactions that are there."""
    query = select(LedgerTransactionRow.id).where(among(tx, LedgerTransactionRow.id, names))
    return set(await tx.scalars(query))


async def anything_due(tx: Tx, span: Span) -> bool:
    """Whether money that came, or was charged, in a time is still to be booked."""
    query = select(func.count()).where(
        *_within(StatementLineRow, span),
        StatementLineRow.kind.in_(("in", "charge")),
        StatementLineRow.due_at.is_not(None),
    )
    return bool(await tx.scalar(query))


async def put_day(
    tx: Tx, span: Span, day: date, *, told: Money, booked: Money, differences: int, now: datetime
) -> None:
    """Keep what a day came to; whoever does the same waits for the commit."""
    values = {
        "told_minor": told.minor,
        "booked_minor": booked.minor,
        "differences": differences,
        "at": now,
    }
    statement = inserting(tx, ReconciliationRow).values(
        rail=span.rail, place=span.place, day=day, **values
    )
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["rail", "place", "day"], set_=values)
    )


async def days_done(tx: Tx, since: date) -> dict[tuple[str, str, date], ReconciliationRow]:
    """What days since then came to, by rail, place and day."""
    query = select(ReconciliationRow).where(ReconciliationRow.day >= since)
    return {(row.rail, row.place, row.day): row for row in await tx.scalars(query)}


async def days(
    tx: Tx,
    *,
    limit: int,
    after: tuple[date, str, str] | None = None,
    rail: str | None = None,
    place: str | None = None,
) -> list[ReconciliationRow]:
    """What days came to, the newest first and then by place, from behind that one."""
    row = ReconciliationRow
    query = select(row).order_by(row.day.desc(), row.rail, row.place)
    if after is not None:
        day, *rest = after
        behind = or_(row.rail > rest[0], and_(row.rail == rest[0], row.place > rest[1]))
        query = query.where(or_(row.day < day, and_(row.day == day, behind)))
    if rail is not None:
        query = query.where(row.rail == rail)
    if place is not None:
        query = query.where(row.place == place)
    return list(await tx.scalars(query.limit(limit)))


async def differences(
    tx: Tx, *, limit: int, after: tuple[date, str] | None = None, **wanted: str | date | None
) -> list[DifferenceRow]:
    """Differences with these values of columns, the newest day first, from behind that one."""
    row = DifferenceRow
    query = select(row).order_by(row.day.desc(), row.id)
    if after is not None:
        day, last = after
        query = query.where(or_(row.day < day, and_(row.day == day, row.id > last)))
    for name, value in wanted.items():
        if value is not None:
            query = query.where(getattr(row, name) == value)
    return list(await tx.scalars(query.limit(limit)))


async def differences_of(tx: Tx, rail: str, place: str, day: date) -> list[DifferenceRow]:
    """All that ever differed of a day, the first found first."""
    query = select(DifferenceRow).where(
        DifferenceRow.rail == rail, DifferenceRow.place == place, DifferenceRow.day == day
    )
    return list(await tx.scalars(query.order_by(DifferenceRow.found_at, DifferenceRow.id)))


async def difference(tx: Tx, difference_id: str) -> DifferenceRow | None:
    """A difference, locked, or None."""
    return await tx.get(
        DifferenceRow, difference_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def profile(tx: Tx, name: str) -> str | None:
    """How a bank writes its CSV, as it was saved; or None."""
    row = await tx.get(StatementProfileRow, name)
    return None if row is None else row.told


async def profiles(tx: Tx) -> list[StatementProfileRow]:
    """All that were saved, by name."""
    return list(await tx.scalars(select(StatementProfileRow).order_by(StatementProfileRow.name)))


async def put_profile(tx: Tx, name: str, told: str, now: datetime) -> None:
    """Save how a bank writes its CSV, in place of what was saved before."""
    values = {"told": told, "changed_at": now}
    statement = inserting(tx, StatementProfileRow).values(name=name, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def _within(row: type[StatementLineRow], span: Span) -> tuple[Any, ...]:
    return (
        row.rail == span.rail,
        row.place == span.place,
        row.at >= span.since,
        row.at < span.until,
    )
