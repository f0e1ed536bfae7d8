"""What sites measured: kept by the tick, rolled up by the hour and the day, read as points.

Raw samples live for `RAW_KEPT`, hours for `HOURS_KEPT`, days for `DAYS_KEPT`. An hour is rolled up
once, when it is over; the mark of how far that has come moves in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, insert, literal, select, union_all

from controller.store.database import ROW_LOCK, inserted, inserting
from controller.store.rows import SessionRow
from controller.store.series_rows import (
    SeriesMarkRow,
    SiteMeterRow,
    SiteRollupRow,
    SiteSampleRow,
    SiteVitalsRow,
)
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import ColumnElement, Row, Select

    from controller.store.database import Tx

HOUR_S = 3_600
DAY_S = 86_400
DAY_OFFSET_S = 3 * HOUR_S
"""Days are those of Nairobi, which is three hours ahead of UTC all year."""

RAW_KEPT = timedelta(hours=48)
HOURS_KEPT = timedelta(days=90)
DAYS_KEPT = timedelta(days=5 * 366)


class Metric(StrEnum):
    """Everything that a site has a series of: a column of `SiteSampleRow` each."""

    DOWN_BPS = "down_bps"
    UP_BPS = "up_bps"
    SESSIONS = "sessions"
    OUTBOX = "outbox"
    RTT_MS = "rtt_ms"
    LOSS_PPM = "loss_ppm"
    CPU_PCT = "cpu_pct"
    MEMORY_PCT = "memory_pct"
    DISK_PCT = "disk_pct"
    TEMPERATURE_C = "temperature_c"
    CLOCK_SKEW_MS = "clock_skew_ms"
    WAN_DOWN_BPS = "wan_down_bps"
    WAN_UP_BPS = "wan_up_bps"
    LAN_DOWN_BPS = "lan_down_bps"
    LAN_UP_BPS = "lan_up_bps"
    AGENT_MEMORY_KIB = "agent_memory_kib"


SAMPLE_FRESH = timedelta(seconds=120)
"""An older sample says nothing of now."""

METRICS = tuple(one.value for one in Metric)

STEPS_S = (20, 60, 300, 900, HOUR_S, 6 * HOUR_S, DAY_S)
POINTS_USUAL_MAX = 300
POINTS_MAX = 1_000
"""So many points are told at once at most."""

HOURS = "hours"
DAYS = "days"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    """What a metric was in one bucket that begins ``at``: its least, its mean, its most."""

    at: datetime
    low: int
    mean: int
    high: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of a site just now; the meter is cumulative."""

    site_id: str
    heard_at: datetime
    outbox: int | None
    sessions: int
    down_bytes: int
    up_bytes: int
    vitals: SiteVitalsRow | None


async def last(
    tx: Tx, site_id: str, metric: str, *, since: datetime, until: datetime, step: timedelta
) -> list[Point]:
    """The points of ``metric`` (one of `METRICS`) from ``since`` until before ``until``, in order.

    A bucket is ``step`` long and begins at a multiple of it (of whole days: at midnight in
    Nairobi); one in which nothing was measured has no point. Steps below an hour see raw samples
    only, steps below a day no older than the hours that are kept.
    """
    assert metric in METRICS, metric
    step_s = step // timedelta(seconds=1)
    assert step_s > 0, "a step takes time"
    between = (second(since), second(until))
    parts = union_all(*await _parts(tx, site_id, metric, between, step_s)).subquery()
    count, total = func.sum(parts.c.count), func.sum(parts.c.total)
    bucket = (parts.c.at_s - (parts.c.at_s + _offset(step_s)) % step_s).label("bucket")
    query = select(bucket, count, total, func.min(parts.c.low), func.max(parts.c.high))
    found = await tx.execute(query.group_by(bucket).order_by(bucket))
    return [
        Point(datetime.fromtimestamp(at_s, UTC), low, int(total) // int(count), high)
        for at_s, count, total, low, high in found
    ]


def step_for(since: datetime, until: datetime, *, now: datetime) -> timedelta:
    """A step in which a graph of that time has its usual number of points, and there are some."""
    least_s = least_step_s(since, now=now)
    wide_s = max(0, (until - since) // timedelta(seconds=1))
    fitting = (s for s in STEPS_S if s >= least_s and wide_s <= s * POINTS_USUAL_MAX)
    return timedelta(seconds=next(fitting, -(-wide_s // (POINTS_USUAL_MAX * DAY_S)) * DAY_S))


def least_step_s(since: datetime, *, now: datetime) -> int:
    """The finest step of which something is kept since then, in seconds."""
    if since < now - HOURS_KEPT:
        return DAY_S
    return HOUR_S if since < now - RAW_KEPT else 1


async def _parts(
    tx: Tx, site_id: str, metric: str, between: tuple[int, int], step_s: int
) -> list[Select[int, int, int, int, int]]:
    """Where the points come from: rollups as far as those are done, raw samples after that."""
    since, until = between
    if step_s < HOUR_S:
        return [_raw(site_id, metric, since, until)]
    hours = await _mark(tx, HOURS)
    if step_s < DAY_S:
        return [
            _rolled(site_id, metric, HOUR_S, since, min(until, hours)),
            _raw(site_id, metric, max(since, hours), until),
        ]
    days = await _mark(tx, DAYS)
    return [
        _rolled(site_id, metric, DAY_S, since, min(until, days)),
        _rolled(site_id, metric, HOUR_S, max(since, days), min(until, hours)),
        _raw(site_id, metric, max(since, hours), until),
    ]


def _raw(site_id: str, metric: str, since: int, until: int) -> Select[int, int, int, int, int]:
    value = SiteSampleRow.__table__.c[metric]
    query = select(
        SiteSampleRow.at_s.label("at_s"),
        literal(1).label("count"),
        value.label("total"),
        value.label("low"),
        value.label("high"),
    )
    return query.where(
        SiteSampleRow.site_id == site_id,
        SiteSampleRow.at_s >= since,
        SiteSampleRow.at_s < until,
        value.is_not(None),
    )


def _rolled(
    site_id: str, metric: str, span_s: int, since: int, until: int
) -> Select[int, int, int, int, int]:
    row = SiteRollupRow
    query = select(row.at_s, row.count, row.total, row.low, row.high)
    return query.where(
        row.site_id == site_id,
        row.metric == metric,
        row.span_s == span_s,
        row.at_s >= since,
        row.at_s < until,
    )


async def newest(tx: Tx, site_ids: Sequence[str], *, since: datetime) -> dict[str, SiteSampleRow]:
    """The newest sample of each of these sites, of those that have one after ``since``."""
    at_s = (
        select(func.max(SiteSampleRow.at_s))
        .where(SiteSampleRow.site_id == SiteRow.id, SiteSampleRow.at_s >= second(since))
        .correlate(SiteRow)
        .scalar_subquery()
    )
    query = (
        select(SiteSampleRow)
        .join(SiteRow, and_(SiteRow.id == SiteSampleRow.site_id, SiteSampleRow.at_s == at_s))
        .where(SiteRow.id.in_(site_ids))
    )
    return {row.site_id: row for row in await tx.scalars(query)}


async def known(tx: Tx, *, heard_since: datetime) -> list[Known]:
    """What is known of every site that was heard since then."""
    open_count = (
        select(func.count())
        .where(SessionRow.site_id == SiteRow.id, SessionRow.closed_at.is_(None))
        .correlate(SiteRow)
        .scalar_subquery()
    )
    query = (
        select(
            SiteRow.id,
            SiteRow.last_seen_at,
            SiteRow.outbox_records,
            open_count,
            func.coalesce(SiteMeterRow.down_bytes, 0),
            func.coalesce(SiteMeterRow.up_bytes, 0),
            SiteVitalsRow,
        )
        .outerjoin(SiteMeterRow, SiteMeterRow.site_id == SiteRow.id)
        .outerjoin(SiteVitalsRow, SiteVitalsRow.site_id == SiteRow.id)
        .where(SiteRow.last_seen_at >= heard_since)
        .order_by(SiteRow.id)
    )
    return [Known(*row) for row in await tx.execute(query)]


async def keep(tx: Tx, samples: Sequence[dict[str, int | str | None]]) -> None:
    """Keep the samples of one tick, each with its ``site_id`` and ``at_s``, in one statement.

    Another controller may have kept the same tick: then its sample stays.
    """
    if not samples:
        return
    whole = [dict.fromkeys(METRICS) | sample for sample in samples]
    statement = inserting(tx, SiteSampleRow).on_conflict_do_nothing()
    await (await tx.connection()).execute(statement, whole)


async def roll_hour(tx: Tx, *, over_before: datetime) -> datetime | None:
    """Roll up the earliest hour that is not, if it is over before then; that hour, or None.

    Hours in which nothing was measured are passed over, so that days of downtime take no time.
    """
    mark = await _locked(tx, HOURS)
    first = await _first_raw(tx, mark.done_until_s)
    over = second(over_before) // HOUR_S * HOUR_S
    if first is None or first >= over:
        mark.done_until_s = max(mark.done_until_s, over)  # there is nothing to roll up until then
        return None
    hour = first - first % HOUR_S
    assert hour >= mark.done_until_s, "an hour is rolled up once"
    values = [value for row in await _hour_of(tx, hour) for value in _summed(row, hour)]
    if values:
        await tx.execute(insert(SiteRollupRow), values)
    mark.done_until_s = hour + HOUR_S
    return datetime.fromtimestamp(hour, UTC)


async def roll_day(tx: Tx) -> datetime | None:
    """Roll up the earliest day that is not, once all of its hours are; that day, or None."""
    mark = await _locked(tx, DAYS)
    hours = await _mark(tx, HOURS)
    row = SiteRollupRow
    first = await _first_hour(tx, mark.done_until_s)
    if first is None:
        return None
    day = first - (first + DAY_OFFSET_S) % DAY_S
    if day + DAY_S > hours:
        return None
    summed = (
        select(
            row.site_id,
            row.metric,
            literal(DAY_S),
            literal(day),
            func.sum(row.count),
            func.sum(row.total),
            func.min(row.low),
            func.max(row.high),
        )
        .where(*_everywhere(HOUR_S), row.at_s >= day, row.at_s < day + DAY_S)
        .group_by(row.site_id, row.metric)
    )
    names = ["site_id", "metric", "span_s", "at_s", "count", "total", "low", "high"]
    await tx.execute(insert(row).from_select(names, summed))
    mark.done_until_s = day + DAY_S
    return datetime.fromtimestamp(day, UTC)


async def forget(tx: Tx, now: datetime) -> int:
    """Delete what has been kept for long enough, of raw samples only what is rolled up."""
    raw_until = min(second(now - RAW_KEPT), await _mark(tx, HOURS))
    sites = select(SiteRow.id)
    gone = await tx.execute(
        delete(SiteSampleRow)
        .where(SiteSampleRow.site_id.in_(sites), SiteSampleRow.at_s < raw_until)
        .execution_options(synchronize_session=False)
    )
    deleted = _count(gone)
    for span_s, kept in ((HOUR_S, HOURS_KEPT), (DAY_S, DAYS_KEPT)):
        row = SiteRollupRow
        gone = await tx.execute(
            delete(row)
            .where(*_everywhere(span_s), row.at_s < second(now - kept))
            .execution_options(synchronize_session=False)
        )
        deleted += _count(gone)
    return deleted


async def _first_raw(tx: Tx, since_s: int) -> int | None:
    of_site = (
        select(func.min(SiteSampleRow.at_s))
        .where(SiteSampleRow.site_id == SiteRow.id, SiteSampleRow.at_s >= since_s)
        .correlate(SiteRow)
        .scalar_subquery()
    )
    earliest = select(func.min(of_site)).select_from(SiteRow)
    found: int | None = (await tx.execute(earliest)).scalar_one()
    return found


async def _first_hour(tx: Tx, since_s: int) -> int | None:
    """The first hour that was rolled up since then: every sample says how many sessions."""
    row = SiteRollupRow
    of_site = (
        select(func.min(row.at_s))
        .where(row.site_id == SiteRow.id, row.metric == "sessions", row.span_s == HOUR_S)
        .where(row.at_s >= since_s)
        .correlate(SiteRow)
        .scalar_subquery()
    )
    earliest = select(func.min(of_site)).select_from(SiteRow)
    found: int | None = (await tx.execute(earliest)).scalar_one()
    return found


def _everywhere(span_s: int) -> tuple[ColumnElement[bool], ...]:
    """Every rollup of a span, said so that the primary key finds each site's."""
    row = SiteRollupRow
    return row.site_id.in_(select(SiteRow.id)), row.metric.in_(METRICS), row.span_s == span_s


async def _hour_of(tx: Tx, hour: int) -> Sequence[Row[Any]]:
    """Of each site that was measured in an hour: its id, then four numbers of each metric."""
    columns = SiteSampleRow.__table__.c
    four: list[ColumnElement[Any]] = []
    for metric in METRICS:
        value = columns[metric]
        four += [func.count(value), func.sum(value), func.min(value), func.max(value)]
    query = (
        select(SiteRow.id, *four)
        .select_from(SiteRow)
        .join(SiteSampleRow, SiteSampleRow.site_id == SiteRow.id)
        .where(SiteSampleRow.at_s >= hour, SiteSampleRow.at_s < hour + HOUR_S)
        .group_by(SiteRow.id)
    )
    return (await tx.execute(query)).all()


def _summed(row: Row[Any], hour: int) -> list[dict[str, int | str]]:
    values: list[dict[str, int | str]] = []
    for place, metric in enumerate(METRICS):
        count, total, low, high = row[1 + 4 * place : 5 + 4 * place]
        if count:
            one = {"count": count, "total": int(total), "low": low, "high": high}
            values.append(
                {"site_id": row[0], "metric": metric, "span_s": HOUR_S, "at_s": hour, **one}
            )
    return values


async def _mark(tx: Tx, name: str) -> int:
    query = select(SeriesMarkRow.done_until_s).where(SeriesMarkRow.name == name)
    return (await tx.execute(query)).scalar_one_or_none() or 0


async def _locked(tx: Tx, name: str) -> SeriesMarkRow:
    await inserted(tx, SeriesMarkRow, name=name, done_until_s=0)
    return await tx.get_one(SeriesMarkRow, name, with_for_update=ROW_LOCK, populate_existing=True)


def _offset(step_s: int) -> int:
    return DAY_OFFSET_S if step_s % DAY_S == 0 else 0


def _count(result: Any) -> int:
    return int(result.rowcount)


def second(moment: datetime) -> int:
    """The whole second since 1970 in which a moment lies."""
    return (moment - NEVER) // timedelta(seconds=1)
