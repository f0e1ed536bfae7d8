"""Customers as staff look at them: the list, and all that one page shows of one. Nothing is locked.

The list is in the order of an index, by a mark, whatever narrows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, exists, func, literal, or_, select, text

from controller.store import search
from controller.store.billing_rows import DebtRow, ReceivedRow, SubscriptionRow
from controller.store.rows import BOUGHT, GrantRow, PaymentRow, PlanRow, SmsRow, SubscriberRow
from controller.store.scope import within
from controller.store.series_rows import SessionHourRow, SessionPaceRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.scope import Branches
    from controller.usecases.meant import Meant

    Query = Select[*tuple[Any, ...]]

STANDINGS = ("owing", "suspended")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which customers are wanted; "" is all. ``standing`` is one of `STANDINGS`."""

    branch_id: str = ""
    segment: str = ""
    standing: str = ""


async def page(
    tx: Tx,
    wanted: Filter,
    *,
    branches: Branches,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[SubscriberRow]:
    """Customers, newest first, from after a mark."""
    row = SubscriberRow
    query = select(row).where(*_wanted(wanted), within(row, branches))
    if after is not None:
        at, key = after
        query = query.where(or_(row.created_at < at, and_(row.created_at == at, row.id < key)))
    query = query.order_by(row.created_at.desc(), row.id.desc()).limit(limit)
    return list(await tx.scalars(query))


async def found(
    tx: Tx, asked: Meant, wanted: Filter, *, branches: Branches, limit: int
) -> list[SubscriberRow]:
    """Customers by name or phone; a search is one page, and who wants more types more."""
    rows = await search.subscribers(tx, asked, branches, limit=limit)
    if not _wanted(wanted):
        return rows
    ids = [row.id for row in rows]
    query = select(SubscriberRow.id).where(SubscriberRow.id.in_(ids), *_wanted(wanted))
    kept = set(await tx.scalars(query))
    return [row for row in rows if row.id in kept]


def _wanted(wanted: Filter) -> list[Any]:
    row, conditions = SubscriberRow, list[Any]()
    if wanted.branch_id:
        conditions.append(row.branch_id == wanted.branch_id)
    if wanted.segment:
        conditions.append(row.segment == wanted.segment)
    if wanted.standing == "owing":
        debt = DebtRow
        conditions.append(exists().where(debt.subscriber_id == row.id, debt.settled_at.is_(None)))
    if wanted.standing == "suspended":
        held = SubscriptionRow
        conditions.append(exists().where(held.subscriber_id == row.id, held.state == "suspended"))
    return conditions


async def grants(
    tx: Tx, subscriber_id: str, of_contracts: Collection[str], *, limit: int
) -> list[tuple[GrantRow, PlanRow]]:
    """What a customer has been given: what runs on, then what ended, newest first."""
    row = GrantRow
    bought = and_(row.subscriber_id == subscriber_id, text(BOUGHT))
    newest = select(row.id).where(bought).order_by(row.created_at.desc()).limit(limit)
    ids = [*await tx.scalars(newest), *of_contracts]
    query = select(row, PlanRow).join(PlanRow, PlanRow.id == row.plan_id).where(row.id.in_(ids))
    query = query.order_by(row.ended_at.is_not(None), row.created_at.desc(), row.id).limit(limit)
    return [(grant, plan) for grant, plan in await tx.execute(query)]


async def payments(tx: Tx, msisdn: str, *, limit: int) -> list[tuple[PaymentRow, str | None]]:
    """What a phone was asked to pay, newest first, with the plan's name."""
    row = PaymentRow
    query = select(row, PlanRow.name).outerjoin(PlanRow, PlanRow.id == row.plan_id)
    query = query.where(row.msisdn == msisdn).order_by(row.created_at.desc(), row.order_id)
    return [(payment, plan) for payment, plan in await tx.execute(query.limit(limit))]


async def received(tx: Tx, subscriber_id: str, *, limit: int) -> list[ReceivedRow]:
    """Money that came in for their account, newest first."""
    row = ReceivedRow
    query = select(row).where(row.subscriber_id == subscriber_id)
    return list(await tx.scalars(query.order_by(row.at.desc(), row.id).limit(limit)))


async def messages(tx: Tx, subscriber_id: str, msisdn: str, *, limit: int) -> list[SmsRow]:
    """Text messages to a customer: those that staff wrote, and those about what they have."""
    row = SmsRow
    about = row.about == literal("subscriber ") + literal(subscriber_id)
    query = select(row).where(or_(about, row.msisdn == msisdn))
    return list(await tx.scalars(query.order_by(row.created_at.desc(), row.id).limit(limit)))


async def pace(tx: Tx, session_ids: Collection[str]) -> tuple[int, int]:
    """How fast these sessions were when last told, together; bits a second down and up."""
    row = SessionPaceRow
    query = select(func.sum(row.down_bps), func.sum(row.up_bps))
    down, up = (await tx.execute(query.where(row.session_id.in_(session_ids)))).one()
    return int(down or 0), int(up or 0)


async def hours(
    tx: Tx, sessions: Collection[tuple[str, str]], *, since_s: int
) -> list[tuple[int, int, int]]:
    """What sessions (site and id) used, hour by hour: the hour's second, bytes down and up."""
    row = SessionHourRow
    ids, sites = {one for _, one in sessions}, {site for site, _ in sessions}
    query = (
        select(row.hour_s, func.sum(row.down_bytes), func.sum(row.up_bytes))
        .where(row.site_id.in_(sites), row.hour_s >= since_s, row.session_id.in_(ids))
        .group_by(row.hour_s)
        .order_by(row.hour_s)
    )
    return [(int(at), int(down), int(up)) for at, down, up in await tx.execute(query)]
