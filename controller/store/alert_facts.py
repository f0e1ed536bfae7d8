"""What the database knows that alerts are judged by: a few queries for all sites together.

Nothing here grows with the number of subscribers: each looks at what is open, or at the last
minutes, by an index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, literal, or_, select

from billing.payment import PaymentState
from controller.store.alert_rows import AlertReadingRow
from controller.store.arrivals import DOUBTED, SUSPENSE
from controller.store.code_rows import DoubleRedemptionRow, VoucherTryRow
from controller.store.database import ROW_LOCK, inserted
from controller.store.grants import STAFF
from controller.store.payment_rows import ArrivalRow
from controller.store.rows import GrantRow, InboxRow, PaymentRow, SessionRow
from controller.store.series import DAY_S, HOUR_S, second
from controller.store.series_rows import SiteRollupRow, SiteSampleRow, SiteVitalsRow
from controller.store.site_rows import CertificateRow, SiteItemRow, SiteRow
from controller.store.staff_rows import StaffRow, StaffTryRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from controller.store.database import Tx

LATELY = timedelta(minutes=15)
"""Payments, wrong codes and devices that paid and went away are looked at for so long."""

FRESH = timedelta(minutes=3)
"""What was measured longer ago is not known any more."""

PAID_WITHIN = timedelta(hours=24)
SEEN_WITHIN = timedelta(minutes=5)
CLONES_MAX = 1_000
ENDED = (
    PaymentState.SETTLED,
    PaymentState.REFUSED,
    PaymentState.UNKNOWN,
    PaymentState.EXPIRED,
)
AFTER_COLON = "z"
"""Sorts after what the inbox puts behind an order's id, in every collation."""


GUESSED_WITHIN = timedelta(minutes=15)
"""Whoever tried a wrong password so shortly ago may be at it still."""

HOSTS_TOLD = 3
"""Of so many addresses it is told that they guess at one account."""


@dataclass(frozen=True, slots=True)
class SiteSigns:
    """A site as alerts look at it."""

    id: str
    name: str
    branch_id: str
    parent_id: str | None
    last_seen_at: datetime | None
    outbox_records: int | None
    outbox_records_max: int | None


@dataclass(frozen=True, slots=True)
class Oldest:
    """How many wait, and since when the first of them does."""

    count: int
    since: datetime | None


async def site_signs(tx: Tx) -> list[SiteSigns]:
    """Every site, in the order of their ids."""
    row = SiteRow
    query = select(
        row.id,
        row.name,
        row.branch_id,
        row.parent_id,
        row.last_seen_at,
        row.outbox_records,
        row.outbox_records_max,
    ).order_by(row.id)
    return [SiteSigns(*line) for line in await tx.execute(query)]


async def certificates(tx: Tx) -> dict[str, datetime]:
    """When the newest good certificate of each site ends."""
    row = CertificateRow
    query = select(row.site_id, func.max(row.expires_at)).where(row.revoked_at.is_(None))
    return _by_site(await tx.execute(query.group_by(row.site_id)))


async def users(tx: Tx) -> dict[str, int]:
    """How many sessions are open at each site that has any."""
    row = SessionRow
    query = select(row.site_id, func.count()).where(row.closed_at.is_(None))
    return _by_site(await tx.execute(query.group_by(row.site_id)))


def _by_site(found: Iterable[Any]) -> dict[str, Any]:
    return {row[0]: row[1] for row in found}


async def vitals(tx: Tx, now: datetime) -> dict[str, SiteVitalsRow]:
    """What the agent of each site said of its box, where that is fresh."""
    query = select(SiteVitalsRow).where(SiteVitalsRow.at > now - FRESH)
    return {row.site_id: row for row in await tx.scalars(query)}


async def rates(tx: Tx, now: datetime) -> dict[str, int]:
    """What comes down at each site that was sampled just now, in bits a second."""
    row = SiteSampleRow
    newest = (
        select(row.down_bps)
        .where(row.site_id == SiteRow.id, row.at_s >= second(now - FRESH))
        .order_by(row.at_s.desc())
        .limit(1)
        .correlate(SiteRow)
        .scalar_subquery()
    )
    found = await tx.execute(select(SiteRow.id, newest))
    return {site_id: down for site_id, down in found if down is not None}


async def usual(tx: Tx, metric: str, now: datetime) -> dict[str, list[int]]:
    """The mean of a metric at each site in this hour of the day before, and of the week before."""
    row, hour = SiteRollupRow, second(now) // HOUR_S * HOUR_S
    query = select(row.site_id, row.total, row.count).where(
        row.site_id.in_(select(SiteRow.id)),
        row.metric == metric,
        row.span_s == HOUR_S,
        row.at_s.in_([hour - DAY_S, hour - 7 * DAY_S]),
    )
    found: dict[str, list[int]] = {}
    for site_id, total, count in await tx.execute(query):
        found.setdefault(site_id, []).append(int(total) // count)
    return found


async def voucher_tries(tx: Tx, now: datetime) -> dict[str, int]:
    """How many wrong codes were tried of late at each site where any was."""
    row = VoucherTryRow
    tried = (
        select(func.count())
        .where(row.site_id == SiteRow.id, row.at > now - LATELY)
        .correlate(SiteRow)
        .scalar_subquery()
    )
    found = await tx.execute(select(SiteRow.id, tried))
    return {site_id: n for site_id, n in found if n}


async def payment_ends(tx: Tx, now: datetime) -> tuple[int, int]:
    """How many payments that were begun of late have come to an end, and how many are settled."""
    row = PaymentRow
    query = select(
        func.count().filter(row.state.in_(ENDED)),
        func.count().filter(row.state == PaymentState.SETTLED),
    ).where(row.created_at > now - LATELY)
    tried, settled = (await tx.execute(query)).one()
    return int(tried), int(settled)


async def callbacks(tx: Tx, now: datetime, *, within: timedelta, source: str) -> tuple[int, int]:
    """Prompts that were sent within a time, and for how many of them a callback came.

    The last minute does not count: who is asked now has not answered yet.
    """
    row = PaymentRow
    came = exists().where(
        InboxRow.source == source,
        InboxRow.external_id > row.order_id,
        InboxRow.external_id < row.order_id + literal(AFTER_COLON),
    )
    query = select(func.count(), func.count().filter(came)).where(
        row.created_at > now - within - timedelta(minutes=1),
        row.pushed_at > now - within,
        row.pushed_at <= now - timedelta(minutes=1),
    )
    prompts, told = (await tx.execute(query)).one()
    return int(prompts), int(told)


async def not_connected(tx: Tx, now: datetime, *, heard_since: datetime) -> Oldest:
    """Orders that were paid and gave no access yet, at sites that are heard.

    A site that knows the grant waits for the device, which may have gone away: it counts for a
    while only.
    """
    seen = exists().where(SessionRow.grant_id == GrantRow.id)
    told = and_(
        SiteItemRow.site_id == SiteRow.id,
        SiteItemRow.key == literal("grant/") + GrantRow.id,
        SiteItemRow.body.is_not(None),
    )
    query = (
        select(func.count(), func.min(PaymentRow.settled_at))
        .select_from(GrantRow)
        .join(PaymentRow, PaymentRow.order_id == GrantRow.cause_id)
        .join(SiteRow, SiteRow.id == GrantRow.site_id)
        .join(SiteItemRow, told)
        .where(
            GrantRow.ended_at.is_(None),
            GrantRow.valid_until.is_(None),
            GrantRow.started_at.is_(None),
            PaymentRow.purpose == "grant",
            PaymentRow.settled_at >= now - PAID_WITHIN,
            SiteRow.last_seen_at >= heard_since,
            or_(
                SiteItemRow.generation > SiteRow.applied_generation,
                PaymentRow.settled_at >= now - LATELY,
            ),
            ~seen,
        )
    )
    return Oldest(*(await tx.execute(query)).one())


async def unmatched(tx: Tx) -> Oldest:
    """Money that waits for staff: to say whose it is, or whether it came."""
    row = ArrivalRow
    left_to_staff = and_(row.state == SUSPENSE, row.due_at.is_(None))
    query = select(func.count(), func.min(row.seen_at)).where(
        or_(left_to_staff, row.state == DOUBTED)
    )
    return Oldest(*(await tx.execute(query)).one())


async def free_grants(tx: Tx, now: datetime) -> int:
    """How many grants staff gave within the last hour that nobody paid for."""
    row = GrantRow
    query = select(func.count()).where(
        row.cause_id >= STAFF,
        row.cause_id < STAFF + AFTER_COLON,
        row.created_at > now - timedelta(hours=1),
    )
    return int((await tx.execute(query)).scalar_one())


async def cloned_devices(tx: Tx, now: datetime) -> int:
    """How many devices have a session at two sites at once, seen at both just now."""
    row = SessionRow
    query = (
        select(row.mac)
        .where(row.closed_at.is_(None), row.seen_at > now - SEEN_WITHIN)
        .group_by(row.mac)
        .having(func.count(row.site_id.distinct()) > 1)
        .limit(CLONES_MAX)
    )
    return len(list(await tx.scalars(query)))


@dataclass(frozen=True, slots=True)
class Guessed:
    """Sign-ins that failed, one after the other: how many, of whom, and from where."""

    tries: int = 0
    who: str = ""
    where: str = ""


async def guessed_person(tx: Tx, now: datetime) -> Guessed:
    """The member of the staff for whom most wrong passwords were tried lately, from anywhere."""
    row = StaffTryRow
    lately = (row.login.is_not(None), row.failures > 0, row.last_at > now - GUESSED_WITHIN)
    query = (
        select(row.login, func.sum(row.failures).label("tries"), func.max(StaffRow.name))
        .join(StaffRow, StaffRow.login == row.login)
        .where(*lately)
        .group_by(row.login)
        .order_by(func.sum(row.failures).desc(), row.login)
        .limit(1)
    )
    found = (await tx.execute(query)).first()
    if found is None:
        return Guessed()
    login, tries, name = found
    hosts = select(row.host).where(*lately, row.login == login)
    hosts = hosts.order_by(row.failures.desc(), row.host).limit(HOSTS_TOLD)
    places = [host for host in await tx.scalars(hosts) if host]
    return Guessed(int(tries), f"{name} ({login})", ", ".join(dict.fromkeys(places)))


async def guessing_host(tx: Tx, now: datetime) -> Guessed:
    """The address from which most sign-ins failed lately, whoever's they were to be."""
    row = StaffTryRow
    query = select(row.failures, row.host).where(
        row.login.is_(None), row.host.is_not(None), row.last_at > now - GUESSED_WITHIN
    )
    found = (await tx.execute(query.order_by(row.failures.desc(), row.host).limit(1))).first()
    return Guessed() if found is None else Guessed(int(found[0]), where=found[1] or "")


async def double_redemptions(tx: Tx, now: datetime) -> int:
    """How many codes were found to be used twice within a day."""
    row = DoubleRedemptionRow
    query = select(func.count()).where(row.found_at > now - timedelta(days=1))
    return int((await tx.execute(query)).scalar_one())


async def reading(tx: Tx, name: str) -> AlertReadingRow | None:
    """A figure that somebody outside told, or None."""
    return await tx.get(AlertReadingRow, name)


async def claim_reading(tx: Tx, name: str, now: datetime, *, every: timedelta) -> bool:
    """Whether it is our turn to ask for a figure, which is asked for now and then only."""
    await inserted(tx, AlertReadingRow, name=name, value=None, asked_at=now - every, told_at=None)
    row = await tx.get_one(AlertReadingRow, name, with_for_update=ROW_LOCK, populate_existing=True)
    if now - row.asked_at < every:
        return False
    row.asked_at = now
    return True


async def keep_reading(tx: Tx, name: str, value: int, now: datetime) -> None:
    """Keep a figure that was told."""
    row = await tx.get_one(AlertReadingRow, name, with_for_update=ROW_LOCK, populate_existing=True)
    row.value, row.told_at = value, now
