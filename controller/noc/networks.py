"""What staff look at of the network as a whole: reading queries for the dashboard's own pages.

``branches`` are those that staff are held to (None: to none); what belongs to others is not there.
Nothing here writes, and nothing here reads more than the sites, what is open now, and a day's
payments by the index of their time: it costs the same with ten times the subscribers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, or_, select, text

from billing.payment import PaymentState
from controller.noc.board import ONLINE_WITHIN_S
from controller.noc.views import PaymentView, SessionView, Takings
from controller.store import series
from controller.store.alert_rows import WebhookRow
from controller.store.payment_rows import ArrivalRow, EmailRow
from controller.store.rows import GrantRow, PaymentRow, PlanRow, SessionRow, SmsRow, SubscriberRow
from controller.store.scope import within
from controller.store.series_rows import SiteSampleRow, SiteVitalsRow
from controller.store.site_rows import CertificateRow, NoticeRow, OutageRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

FRESH = timedelta(seconds=90)
"""A sample that is older says nothing about now."""

LATELY = timedelta(minutes=15)
SITES_MAX = 2_000
ONLINE = "online"
OFFLINE = "offline"
NEVER = "never"
BEHIND = "behind"
STATES = (ONLINE, OFFLINE, NEVER, BEHIND)


@dataclass(frozen=True, slots=True)
class SiteNow:
    """A site and what is known of it just now; amounts are of today, in minor units."""

    row: SiteRow
    sessions: int
    sample: SiteSampleRow | None
    vitals: SiteVitalsRow | None
    today_minor: int


@dataclass(frozen=True, slots=True)
class Tried:
    """Payments that were begun lately: how many are paid, were refused, and are still open."""

    settled: int
    refused: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many sites there are in each state."""

    total: int
    online: int
    offline: int
    never: int
    behind: int


async def sites_now(
    tx: Tx,
    now: datetime,
    branches: frozenset[str] | None,
    *,
    since: datetime,
    search: str = "",
    state: str = "",
    after_id: str = "",
    limit: int = SITES_MAX,
) -> list[SiteNow]:
    """Sites by their id, in one of `STATES` where asked; ``since`` is when today began."""
    query = (
        select(SiteRow, SiteVitalsRow)
        .outerjoin(SiteVitalsRow, SiteVitalsRow.site_id == SiteRow.id)
        .where(within(SiteRow, branches), SiteRow.id > after_id)
        .order_by(SiteRow.id)
        .limit(limit)
    )
    if search:
        small = search.lower()
        named = func.lower(SiteRow.name).contains(small, autoescape=True)
        query = query.where(or_(named, SiteRow.id.contains(small, autoescape=True)))
    if state:
        query = query.where(_in_state(state, now))
    found = [(row, vitals) for row, vitals in await tx.execute(query)]
    ids = [row.id for row, _ in found]
    samples = await series.newest(tx, ids, since=now - FRESH)
    sessions, today = await _open_by_site(tx), await _today_by_site(tx, since)
    return [
        SiteNow(row, sessions.get(row.id, 0), samples.get(row.id), vitals, today.get(row.id, 0))
        for row, vitals in found
    ]


async def site_now(tx: Tx, site_id: str, now: datetime, *, since: datetime) -> SiteNow | None:
    """One site, or None."""
    row = await tx.get(SiteRow, site_id)
    if row is None:
        return None
    samples = await series.newest(tx, [site_id], since=now - FRESH)
    count = select(func.count()).where(
        SessionRow.site_id == site_id, SessionRow.closed_at.is_(None)
    )
    taken = select(func.coalesce(func.sum(PaymentRow.amount_minor), 0)).where(
        PaymentRow.settled_at >= since, PaymentRow.site_id == site_id
    )
    return SiteNow(
        row,
        int((await tx.execute(count)).scalar_one()),
        samples.get(site_id),
        await tx.get(SiteVitalsRow, site_id),
        int((await tx.execute(taken)).scalar_one()),
    )


async def site_sizes(tx: Tx, now: datetime, branches: frozenset[str] | None) -> Sizes:
    """How many sites there are, in all and in each state."""
    states = (func.count().filter(_in_state(state, now)) for state in STATES)
    query = select(func.count(), *states).where(within(SiteRow, branches))
    return Sizes(*(int(one) for one in (await tx.execute(query)).one()))


async def sessions_open(tx: Tx, branches: frozenset[str] | None) -> int:
    """How many sessions are open."""
    query = select(func.count()).select_from(SessionRow)
    query = query.where(SessionRow.closed_at.is_(None), within(SessionRow, branches))
    return int((await tx.execute(query)).scalar_one())


async def open_sessions(
    tx: Tx, branches: frozenset[str] | None, *, limit: int, site_id: str | None = None
) -> list[SessionView]:
    """Open sessions, newest first, of one site where asked."""
    # A session may be reported before its grant is known here, so everything joins loosely.
    query: Query = (
        select(SessionRow, GrantRow, PlanRow, SubscriberRow.msisdn)
        .outerjoin(GrantRow, GrantRow.id == SessionRow.grant_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
        .where(SessionRow.closed_at.is_(None), within(SessionRow, branches))
        .order_by(SessionRow.opened_at.desc(), SessionRow.id.desc())
        .limit(limit)
    )
    if site_id is not None:
        query = query.where(SessionRow.site_id == site_id)
    return [SessionView(*line) for line in await tx.execute(query)]


async def last_payments(
    tx: Tx, branches: frozenset[str] | None, *, limit: int, site_id: str | None = None
) -> list[PaymentView]:
    """Payments, newest first, of one site where asked."""
    query = (
        select(PaymentRow, PlanRow.name)
        .outerjoin(PlanRow, PlanRow.id == PaymentRow.plan_id)
        .where(within(PaymentRow, branches))
        .order_by(PaymentRow.created_at.desc(), PaymentRow.order_id.desc())
        .limit(limit)
    )
    if site_id is not None:
        query = query.where(PaymentRow.site_id == site_id)
    return [PaymentView(row, name or "") for row, name in await tx.execute(query)]


async def last_notices(
    tx: Tx, branches: frozenset[str] | None, *, limit: int, site_id: str | None = None
) -> list[NoticeRow]:
    """Notices, newest first, of one site where asked."""
    query = select(NoticeRow).where(within(NoticeRow, branches))
    if site_id is not None:
        query = query.where(NoticeRow.site_id == site_id)
    query = query.order_by(NoticeRow.at.desc(), NoticeRow.id.desc()).limit(limit)
    return list(await tx.scalars(query))


async def takings(
    tx: Tx, branches: frozenset[str] | None, since: datetime, until: datetime
) -> Takings:
    """What was settled from ``since`` up to, and without, ``until``; in shillings."""
    query = select(func.count(), func.coalesce(func.sum(PaymentRow.amount_minor), 0)).where(
        PaymentRow.settled_at >= since,
        PaymentRow.settled_at < until,
        PaymentRow.currency == "KES",
        within(PaymentRow, branches),
    )
    settled, minor = (await tx.execute(query)).one()
    return Takings(int(settled), int(minor))


async def tried_lately(tx: Tx, branches: frozenset[str] | None, now: datetime) -> Tried:
    """What became of the payments that were begun in the last quarter of an hour."""
    state = PaymentRow.state
    open_states = (PaymentState.CREATED, PaymentState.SENT, PaymentState.PENDING)
    query = select(
        func.count().filter(state == PaymentState.SETTLED),
        func.count().filter(state == PaymentState.REFUSED),
        func.count().filter(state.in_([*open_states, PaymentState.UNKNOWN])),
    ).where(PaymentRow.created_at >= now - LATELY, within(PaymentRow, branches))
    return Tried(*(int(one) for one in (await tx.execute(query)).one()))


async def outages_of(tx: Tx, site_id: str, *, since: datetime, limit: int) -> list[OutageRow]:
    """A site's outages that reach into the time since then, newest first."""
    row = OutageRow
    query = select(row).where(
        row.site_id == site_id, or_(row.ended_at.is_(None), row.ended_at >= since)
    )
    return list(await tx.scalars(query.order_by(row.began_at.desc()).limit(limit)))


async def certificate_ends(tx: Tx, site_id: str | None = None) -> tuple[str, datetime] | None:
    """The site whose agent's newest certificate ends first, and when."""
    newest = (
        select(CertificateRow.site_id, func.max(CertificateRow.expires_at).label("ends_at"))
        .where(CertificateRow.revoked_at.is_(None))
        .group_by(CertificateRow.site_id)
    )
    if site_id is not None:
        newest = newest.where(CertificateRow.site_id == site_id)
    ends = newest.subquery()
    query = select(ends.c.site_id, ends.c.ends_at).order_by(ends.c.ends_at).limit(1)
    found = (await tx.execute(query)).first()
    return None if found is None else (found[0], found[1])


async def database_bytes(tx: Tx) -> int:
    """How large the database is."""
    if (await tx.connection()).dialect.name == "sqlite":
        sizes = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    else:
        sizes = "SELECT pg_database_size(current_database())"
    return int((await tx.execute(text(sizes))).scalar_one())


def totals(sites: Sequence[SiteNow]) -> tuple[int, int]:
    """Bits a second down and up of all of these sites together."""
    samples = [site.sample for site in sites if site.sample is not None]
    return sum(s.down_bps or 0 for s in samples), sum(s.up_bps or 0 for s in samples)


async def _open_by_site(tx: Tx) -> Mapping[str, int]:
    query = (
        select(SessionRow.site_id, func.count())
        .where(SessionRow.closed_at.is_(None))
        .group_by(SessionRow.site_id)
    )
    return {site_id: int(count) for site_id, count in await tx.execute(query)}


async def _today_by_site(tx: Tx, since: datetime) -> Mapping[str, int]:
    query = (
        select(PaymentRow.site_id, func.sum(PaymentRow.amount_minor))
        .where(
            PaymentRow.settled_at >= since,
            PaymentRow.currency == "KES",
            PaymentRow.site_id.is_not(None),
        )
        .group_by(PaymentRow.site_id)
    )
    return {str(site_id): int(minor) for site_id, minor in await tx.execute(query)}


def _in_state(state: str, now: datetime) -> Any:
    heard = now - timedelta(seconds=ONLINE_WITHIN_S)
    seen = SiteRow.last_seen_at
    if state == ONLINE:
        return seen >= heard
    if state == OFFLINE:
        return seen < heard
    if state == NEVER:
        return seen.is_(None)
    assert state == BEHIND, state
    return or_(
        SiteRow.applied_generation != SiteRow.generation,
        SiteRow.applied_digest != SiteRow.digest,
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits: how much of it is due, and since when the oldest is."""

    name: str
    due: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class RailLately:
    """How collecting by one rail went lately, and when money last came by it."""

    rail: str
    tried: Tried
    unknown: int
    paid_at: datetime | None


async def sparks(
    tx: Tx, site_ids: Sequence[str], now: datetime, *, back: timedelta, step_s: int
) -> Mapping[str, tuple[int, ...]]:
    """The mean down rates of these sites of late, oldest first."""
    row = SiteSampleRow
    bucket = (row.at_s - row.at_s % step_s).label("bucket")
    query = (
        select(row.site_id, bucket, func.sum(row.down_bps), func.count(row.down_bps))
        .where(row.site_id.in_(site_ids), row.at_s >= series.second(now - back))
        .group_by(row.site_id, bucket)
        .order_by(row.site_id, bucket)
    )
    found: dict[str, tuple[int, ...]] = {}
    for site_id, _, total, count in await tx.execute(query):
        if count:
            found[site_id] = (*found.get(site_id, ()), int(total or 0) // int(count))
    return found


async def queues(tx: Tx, now: datetime) -> list[Queue]:
    """What is due and has not been done, by kind."""
    kinds: tuple[tuple[str, Any], ...] = (
        ("texts", SmsRow.due_at),
        ("letters", EmailRow.due_at),
        ("webhooks", WebhookRow.due_at),
        ("payments to ask about", PaymentRow.next_query_at),
        ("money to place", ArrivalRow.due_at),
    )
    found = []
    for name, due_at in kinds:
        query = select(func.count(), func.min(due_at)).where(due_at <= now)
        count, oldest = (await tx.execute(query)).one()
        found.append(Queue(name, int(count), oldest))
    return found


async def rails_lately(tx: Tx, rails: Sequence[str], now: datetime) -> list[RailLately]:
    """How each of these rails did in the last quarter of an hour."""
    found = []
    for rail in rails:
        state = PaymentRow.state
        counted = select(
            func.count().filter(state == PaymentState.SETTLED),
            func.count().filter(state == PaymentState.REFUSED),
            func.count().filter(
                state.in_([PaymentState.CREATED, PaymentState.SENT, PaymentState.PENDING])
            ),
            func.count().filter(state == PaymentState.UNKNOWN),
        ).where(PaymentRow.created_at >= now - LATELY, PaymentRow.rail == rail)
        settled, refused, waiting, unknown = (await tx.execute(counted)).one()
        last = (
            select(PaymentRow.settled_at)
            .where(PaymentRow.rail == rail, PaymentRow.settled_at.is_not(None))
            .order_by(PaymentRow.settled_at.desc())
            .limit(1)
        )
        tried = Tried(int(settled), int(refused), int(waiting))
        found.append(RailLately(rail, tried, int(unknown), await tx.scalar(last)))
    return found
