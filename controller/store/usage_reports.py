"""Who uses the most, and what each segment uses.

What is asked of now reads the pace of the open sessions, what is asked of a day its sessions hour
by hour: both are bounded by who was online, never by how many subscribers there are. Segments are
rolled up, and only the hours that are not yet over are added up from sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, insert, literal, select, true, union_all

from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import GrantRow, PlanRow, SessionRow, SubscriberRow
from controller.store.series import HOUR_S, HOURS_KEPT, second
from controller.store.series_rows import (
    SegmentHourRow,
    SeriesMarkRow,
    SessionHourRow,
    SessionPaceRow,
)
from controller.store.site_rows import SiteRow
from controller.store.usage import SESSION_HOURS_KEPT

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select, Subquery

    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

PACE_FRESH = timedelta(seconds=120)
"""Sites tell of every open session at least once a minute: an older pace is not of now."""

SEGMENTS = "segments"
HOTSPOT = "hotspot"
UNKNOWN = "unknown"
"""What was used on a grant that this controller does not know, or that nobody holds."""


class By(StrEnum):
    """What use is added up by."""

    DEVICE = "device"
    SUBSCRIBER = "subscriber"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sites: one, those of some branches, or (nothing said) all."""

    site_id: str | None = None
    branches: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Talker:
    """One that uses much: bits a second of now, bytes of a span.

    ``id`` is a MAC, a subscriber's or a plan's id; ``name`` the name of a subscriber or a plan, ""
    of a device; ``msisdn`` the phone of a subscriber. All three are "" together for what nobody is
    known to hold.
    """

    id: str
    name: str
    msisdn: str
    sessions: int
    down: int
    up: int


@dataclass(frozen=True, slots=True)
class SegmentUse:
    """What a segment used in the hour that begins ``at``."""

    at: datetime
    segment: str
    sessions: int
    down_bytes: int
    up_bytes: int


async def top_now(tx: Tx, by: By, *, scope: Scope, now: datetime, limit: int) -> list[Talker]:
    """Those who are fastest just now, in bits a second, the fastest first."""
    pace = SessionPaceRow
    each = select(
        pace.session_id.label("session_id"),
        SessionRow.grant_id.label("grant_id"),
        pace.down_bps.label("down"),
        pace.up_bps.label("up"),
    ).join(SessionRow, SessionRow.id == pace.session_id)
    each = each.where(_within(pace.site_id, scope), pace.told_s >= second(now - PACE_FRESH))
    return await _top(tx, by, each.subquery("each"), limit)


async def top_since(tx: Tx, by: By, *, scope: Scope, since: datetime, limit: int) -> list[Talker]:
    """Those who used the most since an hour, in bytes, the greediest first."""
    row = SessionHourRow
    each = (
        select(
            row.session_id.label("session_id"),
            func.min(row.grant_id).label("grant_id"),
            func.sum(row.down_bytes).label("down"),
            func.sum(row.up_bytes).label("up"),
        )
        .where(_within(row.site_id, scope), row.hour_s >= _hour(since))
        .group_by(row.session_id)
    )
    return await _top(tx, by, each.subquery("each"), limit)


async def segments(tx: Tx, *, scope: Scope, since: datetime, until: datetime) -> list[SegmentUse]:
    """What each segment used, hour by hour, in order."""
    mark = await _mark(tx)
    row = SegmentHourRow
    rolled = select(row.hour_s, row.segment, row.sessions, row.down_bytes, row.up_bytes).where(
        _within(row.site_id, scope),
        row.hour_s >= _hour(since),
        row.hour_s < min(second(until), mark),
    )
    fresh = _by_segment(scope, max(_hour(since), mark), second(until))
    fresh_part = fresh.subquery("fresh")
    c = fresh_part.c
    both = union_all(
        rolled, select(c.hour_s, c.segment, c.sessions, c.down_bytes, c.up_bytes)
    ).subquery("both")
    query = select(
        both.c.hour_s,
        both.c.segment,
        func.sum(both.c.sessions),
        func.sum(both.c.down_bytes),
        func.sum(both.c.up_bytes),
    )
    order = (both.c.hour_s, both.c.segment)
    return [
        SegmentUse(datetime.fromtimestamp(hour, UTC), segment, int(sessions), int(down), int(up))
        for hour, segment, sessions, down, up in await tx.execute(
            query.group_by(*order).order_by(*order)
        )
    ]


async def roll_segments(tx: Tx, *, over_before: datetime) -> datetime | None:
    """Roll up the earliest hour that is not, if it is over before then; that hour, or None."""
    await inserted(tx, SeriesMarkRow, name=SEGMENTS, done_until_s=0)
    mark = await tx.get_one(
        SeriesMarkRow, SEGMENTS, with_for_update=ROW_LOCK, populate_existing=True
    )
    of_site = (
        select(func.min(SessionHourRow.hour_s))
        .where(SessionHourRow.site_id == SiteRow.id, SessionHourRow.hour_s >= mark.done_until_s)
        .correlate(SiteRow)
        .scalar_subquery()
    )
    hour = (await tx.execute(select(func.min(of_site)).select_from(SiteRow))).scalar_one()
    over = second(over_before) // HOUR_S * HOUR_S
    if hour is None or hour >= over:
        mark.done_until_s = max(mark.done_until_s, over)  # there is nothing to roll up until then
        return None
    names = ["site_id", "hour_s", "segment", "plan_id", "sessions", "down_bytes", "up_bytes"]
    summed = _by_segment(Scope(), hour, hour + HOUR_S)
    await tx.execute(insert(SegmentHourRow).from_select(names, summed))
    mark.done_until_s = hour + HOUR_S
    return datetime.fromtimestamp(hour, UTC)


async def forget(tx: Tx, now: datetime) -> None:
    """Delete what was kept for long enough, of sessions only hours that are rolled up."""
    everywhere = select(SiteRow.id)
    for row, until in (
        (SessionHourRow, min(second(now - SESSION_HOURS_KEPT), await _mark(tx))),
        (SegmentHourRow, second(now - HOURS_KEPT)),
    ):
        await tx.execute(
            delete(row)
            .where(row.site_id.in_(everywhere), row.hour_s < until)
            .execution_options(synchronize_session=False)
        )


async def _top(tx: Tx, by: By, each: Subquery, limit: int) -> list[Talker]:
    match by:
        case By.DEVICE:
            query = _devices(each)
        case By.SUBSCRIBER:
            query = _subscribers(each)
        case By.PLAN:
            query = _plans(each)
    down, up = func.sum(each.c.down), func.sum(each.c.up)
    query = query.add_columns(func.count(), down, up)
    found = await tx.execute(query.order_by((down + up).desc(), "id").limit(limit))
    return [
        Talker(key or "", name or "", msisdn or "", sessions, int(down), int(up))
        for key, name, msisdn, sessions, down, up in found
    ]


def _devices(each: Subquery) -> Query:
    query = select(SessionRow.mac.label("id"), literal(""), literal("")).select_from(each)
    return query.join(SessionRow, SessionRow.id == each.c.session_id).group_by(SessionRow.mac)


def _subscribers(each: Subquery) -> Query:
    row = SubscriberRow
    return (
        select(row.id.label("id"), row.name, row.msisdn)
        .select_from(each)
        .outerjoin(GrantRow, GrantRow.id == each.c.grant_id)
        .outerjoin(row, row.id == GrantRow.subscriber_id)
        .group_by(row.id, row.name, row.msisdn)
    )


def _plans(each: Subquery) -> Query:
    return (
        select(PlanRow.id.label("id"), PlanRow.name, literal(""))
        .select_from(each)
        .outerjoin(GrantRow, GrantRow.id == each.c.grant_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
        .group_by(PlanRow.id, PlanRow.name)
    )


def _by_segment(scope: Scope, since_s: int, until_s: int) -> Query:
    """Use by site, hour, segment and plan, added up from sessions."""
    row = SessionHourRow
    segment = case(
        (PlanRow.audience == "hotspot", HOTSPOT),
        else_=func.coalesce(SubscriberRow.segment, UNKNOWN),
    ).label("segment")
    plan_id = func.coalesce(PlanRow.id, "").label("plan_id")
    return (
        select(
            row.site_id,
            row.hour_s,
            segment,
            plan_id,
            func.count().label("sessions"),
            func.sum(row.down_bytes).label("down_bytes"),
            func.sum(row.up_bytes).label("up_bytes"),
        )
        .outerjoin(GrantRow, GrantRow.id == row.grant_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
        .where(_within(row.site_id, scope), row.hour_s >= since_s, row.hour_s < until_s)
        .group_by(row.site_id, row.hour_s, segment, plan_id)
    )


def _within(column: Any, scope: Scope) -> ColumnElement[bool]:
    """Of these sites, said so that a key that begins with the site is of use."""
    if scope.site_id is not None:
        chosen: ColumnElement[bool] = SiteRow.id == scope.site_id
    elif scope.branches is not None:
        chosen = SiteRow.branch_id.in_(scope.branches)
    else:
        chosen = true()
    if scope.site_id is not None and scope.branches is not None:
        chosen &= SiteRow.branch_id.in_(scope.branches)
    within: ColumnElement[bool] = column.in_(select(SiteRow.id).where(chosen))
    return within


async def _mark(tx: Tx) -> int:
    query = select(SeriesMarkRow.done_until_s).where(SeriesMarkRow.name == SEGMENTS)
    return (await tx.execute(query)).scalar_one_or_none() or 0


def _hour(moment: datetime) -> int:
    return second(moment) - second(moment) % HOUR_S
