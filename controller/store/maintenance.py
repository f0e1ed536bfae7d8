"""Maintenance windows, messages to the customers of an area, and outages with their credit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, union

from controller.store.alert_rows import (
    AreaNoticeRow,
    MaintenanceRow,
    OutageCreditRow,
    OutageCreditRunRow,
)
from controller.store.billing_rows import (
    BilledPeriodRow,
    DocumentLineRow,
    DocumentRow,
    SubscriptionRow,
)
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import GrantRow, SmsRow, SubscriberRow
from controller.store.scope import within
from controller.store.site_rows import OutageRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Select

    from controller.store.database import Tx
    from controller.store.scope import Branches


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who is told what concerns their area."""

    id: str
    msisdn: str
    language: str


async def windows(
    tx: Tx, *, since: datetime, until: datetime, branches: Branches
) -> list[MaintenanceRow]:
    """Windows that lie at least partly between two instants, of some branches where asked."""
    row = MaintenanceRow
    query = select(row).where(
        row.until_at > since,
        row.from_at < until,
        or_(row.ended_at.is_(None), row.ended_at > since),
        within(row, branches),
    )
    return list(await tx.scalars(query.order_by(row.from_at, row.id)))


async def to_come(tx: Tx, now: datetime) -> list[MaintenanceRow]:
    """Windows that are not over, and were not ended, the next to begin first."""
    row = MaintenanceRow
    query = select(row).where(row.until_at > now, row.ended_at.is_(None))
    return list(await tx.scalars(query.order_by(row.from_at, row.id)))


async def page(
    tx: Tx, *, branches: Branches, after: tuple[datetime, str] | None, limit: int
) -> list[MaintenanceRow]:
    """Windows, the last to begin first, from after a moment and an id."""
    row = MaintenanceRow
    query = select(row).where(within(row, branches))
    if after is not None:
        at, key = after
        query = query.where(or_(row.from_at < at, and_(row.from_at == at, row.id < key)))
    return list(await tx.scalars(query.order_by(row.from_at.desc(), row.id.desc()).limit(limit)))


async def notices_page(
    tx: Tx, *, branches: Branches, after: tuple[datetime, str] | None, limit: int
) -> list[AreaNoticeRow]:
    """Messages to areas, newest first, from after a moment and an id."""
    row = AreaNoticeRow
    query = select(row).where(within(row, branches))
    if after is not None:
        at, key = after
        query = query.where(or_(row.created_at < at, and_(row.created_at == at, row.id < key)))
    query = query.order_by(row.created_at.desc(), row.id.desc())
    return list(await tx.scalars(query.limit(limit)))


async def add(tx: Tx, row: MaintenanceRow | AreaNoticeRow | OutageCreditRunRow) -> bool:
    """Keep a new window, a new message, a new run; False when there is one of this id."""
    told = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    values = {name: value for name, value in told.items() if value is not None}
    return await inserted(tx, type(row), **values)


async def window(tx: Tx, window_id: str) -> MaintenanceRow | None:
    """A window, locked, or None."""
    return await tx.get(MaintenanceRow, window_id, with_for_update=ROW_LOCK, populate_existing=True)


async def notice(tx: Tx, notice_id: str) -> AreaNoticeRow | None:
    """A message to an area, locked, or None."""
    return await tx.get(AreaNoticeRow, notice_id, with_for_update=ROW_LOCK, populate_existing=True)


async def notices_of(tx: Tx, window_id: str) -> list[AreaNoticeRow]:
    """The messages about a window."""
    query = select(AreaNoticeRow).where(AreaNoticeRow.maintenance_id == window_id)
    return list(await tx.scalars(query))


async def told_of(tx: Tx, window_ids: Collection[str]) -> dict[str, int]:
    """How many messages went out about each of these windows, of those that are told at all."""
    row = AreaNoticeRow
    query = select(row.maintenance_id, func.sum(row.messages)).where(
        among(tx, row.maintenance_id, window_ids)
    )
    found = await tx.execute(query.group_by(row.maintenance_id))
    return {str(name): int(n) for name, n in found}


async def notice_due(tx: Tx, now: datetime) -> AreaNoticeRow | None:
    """A message that is to be written to more customers, locked; those of others are left."""
    row = AreaNoticeRow
    query = (
        select(row)
        .where(row.leaves_at <= now, row.done_at.is_(None))
        .order_by(row.leaves_at, row.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await tx.scalars(query)).first()


async def customers(
    tx: Tx, site_ids: Collection[str] | None, *, after: str = "", limit: int
) -> list[Customer]:
    """Who has access at these sites (None: anywhere), in the order of their ids."""
    row = SubscriberRow
    query = select(row.id, row.msisdn, row.language).where(
        row.id > after, row.id.in_(_served(tx, site_ids))
    )
    return [Customer(*line) for line in await tx.execute(query.order_by(row.id).limit(limit))]


async def customers_count(tx: Tx, site_ids: Collection[str] | None) -> dict[str, int]:
    """How many those are, by the language that they read."""
    row = SubscriberRow
    query = select(row.language, func.count()).where(row.id.in_(_served(tx, site_ids)))
    found = await tx.execute(query.group_by(row.language))
    return {language: int(n) for language, n in found}


def _served(tx: Tx, site_ids: Collection[str] | None) -> Select[str]:
    grants = select(GrantRow.subscriber_id).where(
        GrantRow.ended_at.is_(None), GrantRow.subscriber_id.is_not(None)
    )
    contracts = select(SubscriptionRow.subscriber_id).where(SubscriptionRow.state != "ended")
    if site_ids is not None:
        grants = grants.where(among(tx, GrantRow.site_id, site_ids))
        contracts = contracts.where(among(tx, SubscriptionRow.site_id, site_ids))
    both = union(grants, contracts).subquery()
    return select(both.c.subscriber_id)


async def part_cost_e4(tx: Tx) -> int | None:
    """What one part of a text message cost last, in 1/10,000 KES, where the carrier told."""
    row = SmsRow
    query = (
        select(row.cost_e4, row.parts)
        .where(row.cost_e4.is_not(None))
        .order_by(row.created_at.desc())
        .limit(1)
    )
    found = (await tx.execute(query)).first()
    return None if found is None else int(found.cost_e4) // max(1, found.parts)


async def outages_ended(
    tx: Tx, site_ids: Collection[str] | None, *, since: datetime, until: datetime
) -> list[OutageRow]:
    """Outages that ended between two instants, in order."""
    row = OutageRow
    query = select(row).where(row.ended_at >= since, row.ended_at < until)
    if site_ids is not None:
        query = query.where(among(tx, row.site_id, site_ids))
    return list(await tx.scalars(query.order_by(row.site_id, row.began_at)))


async def outages(
    tx: Tx,
    *,
    branches: Branches,
    site_id: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[OutageRow]:
    """Outages, newest first, of a site or of those of some branches where asked."""
    row = OutageRow
    query = select(row).join(SiteRow, SiteRow.id == row.site_id).where(within(SiteRow, branches))
    if site_id is not None:
        query = query.where(row.site_id == site_id)
    if after is not None:
        at, key = after
        query = query.where(or_(row.began_at < at, and_(row.began_at == at, row.site_id < key)))
    query = query.order_by(row.began_at.desc(), row.site_id.desc())
    return list(await tx.scalars(query.limit(limit)))


@dataclass(frozen=True, slots=True)
class Billed:
    """A billed period of a subscription in which an outage began, and what it cost."""

    subscription_id: str
    subscriber_id: str
    plan_id: str
    site_id: str
    start_at: datetime
    end_at: datetime
    document_id: str
    currency: str


async def billed(tx: Tx, site_id: str, at: datetime) -> list[Billed]:
    """What was billed of a site's subscriptions for the time of an instant, and not credited."""
    period, contract = BilledPeriodRow, SubscriptionRow
    query = (
        select(
            contract.id,
            contract.subscriber_id,
            contract.plan_id,
            contract.site_id,
            period.start_at,
            period.end_at,
            period.document_id,
            DocumentRow.currency,
        )
        .join(period, period.subscription_id == contract.id)
        .join(DocumentRow, DocumentRow.id == period.document_id)
        .where(
            contract.site_id == site_id,
            period.start_at <= at,
            period.end_at > at,
            or_(period.credited_from.is_(None), period.credited_from > at),
        )
        .order_by(contract.id)
    )
    return [Billed(*line) for line in await tx.execute(query)]


async def prices(tx: Tx, asked: Sequence[Billed]) -> dict[tuple[str, str], int]:
    """What each subscription cost on each invoice, with taxes, in minor units."""
    row = DocumentLineRow
    names = {one.document_id for one in asked}
    if not names:
        return {}
    query = select(row.document_id, row.subscription_id, func.sum(row.total_minor)).where(
        among(tx, row.document_id, names), row.subscription_id.is_not(None)
    )
    found = await tx.execute(query.group_by(row.document_id, row.subscription_id))
    return {(document_id, str(name)): int(minor) for document_id, name, minor in found}


async def credited(
    tx: Tx, site_id: str, began_at: datetime, subscription_ids: Collection[str]
) -> set[str]:
    """Those of these subscriptions that were credited for an outage."""
    row = OutageCreditRow
    query = select(row.subscription_id).where(
        row.site_id == site_id,
        row.began_at == began_at,
        among(tx, row.subscription_id, subscription_ids),
    )
    return set(await tx.scalars(query))


async def run(tx: Tx, run_id: str) -> OutageCreditRunRow | None:
    """A run, or None."""
    return await tx.get(OutageCreditRunRow, run_id)


async def add_credit(tx: Tx, values: dict[str, Any]) -> bool:
    """Keep that an outage is credited; False when it was."""
    return await inserted(tx, OutageCreditRow, **values)


async def credits_of(tx: Tx, run_id: str) -> list[OutageCreditRow]:
    """What a run gave, in order."""
    row = OutageCreditRow
    query = select(row).where(row.run_id == run_id)
    return list(await tx.scalars(query.order_by(row.subscription_id, row.began_at)))


async def credits_due(tx: Tx, *, limit: int) -> list[OutageCreditRow]:
    """Credits that have not been booked yet."""
    row = OutageCreditRow
    query = select(row).where(row.done_at.is_(None)).order_by(row.run_id, row.subscription_id)
    return list(await tx.scalars(query.limit(limit)))


async def credits_by_cause(tx: Tx, run_id: str, cause: str) -> list[OutageCreditRow]:
    """The outages that one credit note is for, locked."""
    row = OutageCreditRow
    query = (
        select(row)
        .where(row.run_id == run_id, row.cause == cause)
        .order_by(row.began_at)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def runs(
    tx: Tx, *, after: tuple[datetime, str] | None, limit: int
) -> list[OutageCreditRunRow]:
    """Runs, newest first, from after a moment and an id."""
    row = OutageCreditRunRow
    query = select(row)
    if after is not None:
        at, key = after
        query = query.where(or_(row.made_at < at, and_(row.made_at == at, row.id < key)))
    query = query.order_by(row.made_at.desc(), row.id.desc())
    return list(await tx.scalars(query.limit(limit)))
