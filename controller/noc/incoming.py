"""What staff look at of money that comes in and goes back, and of paid access that is not there.

Reading queries for the HTTP API and the live page. Lists are newest first, but what waits for
somebody is the oldest first; all are paged by a `Mark`, or bounded. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, exists, func, literal, or_, select

from billing.charge import Mode
from controller.noc.accounts import newest
from controller.store.arrivals import DOUBTED, SUSPENSE
from controller.store.billing_rows import ReceivedRow, SubscriptionRow
from controller.store.payment_rows import ArrivalDeedRow, ArrivalRow, RefundRow
from controller.store.rows import GrantRow, PaymentRow, PlanRow, SessionRow, SubscriberRow
from controller.store.scope import Branches, within
from controller.store.site_rows import SiteItemRow, SiteRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.views import Mark
    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

WAITING_AFTER = timedelta(seconds=20)
"""A payment gives access within a second or two: before this, nobody need look."""

TOO_LONG = timedelta(seconds=10)
"""Whoever paid longer ago than this and is not online is an exception."""

WAITING_WITHIN = timedelta(hours=24)
"""What was paid longer ago is no longer shown as waiting."""

WAITING_LINES_MAX = 200


@dataclass(frozen=True, slots=True)
class ArrivalView:
    """Money that came in, and whose it became: the order, and the subscriber, if anybody's."""

    row: ArrivalRow
    order: PaymentRow | None
    plan_name: str
    subscriber: SubscriberRow | None


@dataclass(frozen=True, slots=True)
class RefundView:
    """Money that goes back, and the money that it is of."""

    row: RefundRow
    arrival: ArrivalRow


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Money that waits for staff: how much there is, and the first of it, the oldest first."""

    count: int
    minor: int
    first: tuple[ArrivalRow, ...]


@dataclass(frozen=True, slots=True)
class WaitingView:
    """Access that is paid and not there. ``order`` is None for a subscription.

    ``applied`` says that the site has confirmed it: then it is the device that was not seen.
    """

    grant: GrantRow
    plan: PlanRow
    site: SiteRow
    order: PaymentRow | None
    subscription_id: str | None
    msisdn: str
    paid_at: datetime
    receipt: str | None
    applied: bool


async def arrival_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    state: str | None = None,
    rail: str | None = None,
    search: str = "",
    branches: Branches = None,
) -> list[ArrivalView]:
    """Money that came in, newest first; in one state, of one rail where asked.

    ``search`` is a receipt, or a part of what the payer typed as account or is called.
    """
    query = newest(_arrivals(), at=ArrivalRow.at, key=ArrivalRow.id, after=after, limit=limit)
    query = query.where(within(ArrivalRow, branches))
    if state is not None:
        query = query.where(ArrivalRow.state == state)
    if rail is not None:
        query = query.where(ArrivalRow.rail == rail)
    if search.strip():
        query = query.where(_told(search.strip()))
    return [_arrival(line) for line in await tx.execute(query)]


async def arrival_view(tx: Tx, arrival_id: str) -> ArrivalView | None:
    """Money that came in, or None."""
    found = (await tx.execute(_arrivals().where(ArrivalRow.id == arrival_id))).first()
    return None if found is None else _arrival(found)


async def unmatched_views(
    tx: Tx, *, after: Mark | None, limit: int, branches: Branches = None
) -> list[ArrivalView]:
    """Money that only staff can place, and money that is not confirmed; the oldest first."""
    row = ArrivalRow
    query = _arrivals().where(_is_unmatched(), within(row, branches))
    query = query.order_by(row.at, row.id).limit(limit)
    if after is not None:
        query = query.where(or_(row.at > after.at, and_(row.at == after.at, row.id > after.id)))
    return [_arrival(line) for line in await tx.execute(query)]


async def unmatched(tx: Tx, *, limit: int, branches: Branches = None) -> Unmatched:
    """How much money waits for staff, and the first ``limit`` of it."""
    row = ArrivalRow
    counted = select(func.count(), func.coalesce(func.sum(row.amount_minor), 0)).where(
        _is_unmatched(), row.currency == "KES", within(row, branches)
    )
    count, minor = (await tx.execute(counted)).one()
    if not count:
        return Unmatched(0, 0, ())
    query = select(row).where(_is_unmatched(), within(row, branches))
    query = query.order_by(row.at, row.id).limit(limit)
    return Unmatched(int(count), int(minor), tuple(await tx.scalars(query)))


async def refund_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    state: str | None = None,
    arrival_id: str | None = None,
    branches: Branches = None,
) -> list[RefundView]:
    """Money that goes back, newest first; in one state, of one arrival where asked."""
    row = RefundRow
    query = newest(_refunds(), at=row.created_at, key=row.id, after=after, limit=limit)
    query = query.where(within(row, branches))
    if state is not None:
        query = query.where(row.state == state)
    if arrival_id is not None:
        query = query.where(row.arrival_id == arrival_id)
    return [RefundView(*line) for line in await tx.execute(query)]


async def refund_view(tx: Tx, refund_id: str) -> RefundView | None:
    """Money that goes back, or None."""
    found = (await tx.execute(_refunds().where(RefundRow.id == refund_id))).first()
    return None if found is None else RefundView(*found)


async def deed_rows(tx: Tx, arrival_id: str) -> list[ArrivalDeedRow]:
    """What staff did with money, the oldest first."""
    row = ArrivalDeedRow
    query = select(row).where(row.arrival_id == arrival_id).order_by(row.at, row.id)
    return list(await tx.scalars(query))


async def waiting_views(
    tx: Tx,
    now: datetime,
    *,
    limit: int = WAITING_LINES_MAX,
    waited: timedelta = WAITING_AFTER,
    branches: Branches = None,
) -> list[WaitingView]:
    """Who paid and is not connected; what a site has not applied first, the oldest first.

    Whoever paid less than ``waited`` ago does not wait yet.

    It is an order whose device was not let in yet, or a subscription that was paid and whose site
    has not confirmed its grant: the grant's item is of a later generation than the site's own.
    """
    found = [
        *(await _waiting_orders(tx, now, limit, waited=waited, branches=branches)),
        *(await _waiting_subscriptions(tx, now, limit, waited=waited, branches=branches)),
    ]
    found.sort(key=lambda one: (one.applied, one.paid_at, one.grant.id))
    return found[:limit]


async def _waiting_orders(
    tx: Tx, now: datetime, limit: int, *, waited: timedelta, branches: Branches
) -> list[WaitingView]:
    seen = exists().where(SessionRow.grant_id == GrantRow.id)
    query = (
        _told_grants()
        .add_columns(PaymentRow)
        .join(PaymentRow, PaymentRow.order_id == GrantRow.cause_id)
        .where(
            # The index of grants that are on and whose time has not begun: few, however many were.
            GrantRow.ended_at.is_(None),
            GrantRow.valid_until.is_(None),
            GrantRow.started_at.is_(None),
            PaymentRow.purpose == "grant",
            PaymentRow.settled_at >= now - WAITING_WITHIN,
            PaymentRow.settled_at <= now - waited,
            SiteRow.id == GrantRow.site_id,
            within(SiteRow, branches),
            ~seen,
        )
        .order_by(SiteItemRow.generation <= SiteRow.applied_generation, PaymentRow.settled_at)
        .limit(limit)
    )
    return [
        WaitingView(
            grant=grant,
            plan=plan,
            site=site,
            order=order,
            subscription_id=None,
            msisdn=order.msisdn,
            paid_at=order.settled_at,
            receipt=order.receipt,
            applied=generation <= site.applied_generation,
        )
        for grant, plan, site, generation, order in await tx.execute(query)
    ]


async def _waiting_subscriptions(
    tx: Tx, now: datetime, limit: int, *, waited: timedelta, branches: Branches
) -> list[WaitingView]:
    """Those whose site has not confirmed a grant that was paid: just now, or out of the wallet."""
    money, of_wallet = ReceivedRow, SubscriptionRow.mode == Mode.PREPAID
    since, before = now - WAITING_WITHIN, now - waited
    newest_money = (
        select(money.id)
        .where(
            money.subscriber_id == SubscriptionRow.subscriber_id,
            money.reversed_at.is_(None),
            money.at >= since,
            money.at <= before,
        )
        .order_by(money.at.desc(), money.id)
        .limit(1)
        .correlate(SubscriptionRow)
        .scalar_subquery()
    )
    query = (
        _told_grants()
        .add_columns(SubscriptionRow.id, SubscriberRow.msisdn, money)
        .join(SubscriptionRow, SubscriptionRow.grant_id == GrantRow.id)
        .join(SubscriberRow, SubscriberRow.id == SubscriptionRow.subscriber_id)
        .outerjoin(money, money.id == newest_money)
        .where(
            SubscriptionRow.state == "active",
            GrantRow.ended_at.is_(None),
            GrantRow.suspended_at.is_(None),
            SiteRow.id == SubscriptionRow.site_id,
            within(SubscriptionRow, branches),
            SiteItemRow.generation > SiteRow.applied_generation,
            or_(
                money.id.is_not(None),
                and_(of_wallet, GrantRow.created_at >= since, GrantRow.created_at <= before),
            ),
        )
        .order_by(GrantRow.created_at)
        .limit(limit)
    )
    return [
        WaitingView(
            grant=grant,
            plan=plan,
            site=site,
            order=None,
            subscription_id=subscription_id,
            msisdn=msisdn,
            paid_at=grant.created_at if received is None else received.at,
            receipt=None if received is None else received.receipt,
            applied=False,
        )
        for grant, plan, site, _, subscription_id, msisdn, received in await tx.execute(query)
    ]


def _told_grants() -> Query:
    """Grants with their plan, and a site that is told of them, by the generation that tells it."""
    return (
        select(GrantRow, PlanRow, SiteRow, SiteItemRow.generation)
        .join(PlanRow, PlanRow.id == GrantRow.plan_id)
        .join(SiteItemRow, SiteItemRow.key == literal("grant/") + GrantRow.id)
        .join(SiteRow, SiteRow.id == SiteItemRow.site_id)
        .where(SiteItemRow.body.is_not(None))
    )


def _arrivals() -> Query:
    whose = func.coalesce(ReceivedRow.subscriber_id, PaymentRow.subscriber_id)
    return (
        select(ArrivalRow, PaymentRow, PlanRow.name, SubscriberRow)
        .outerjoin(ReceivedRow, ReceivedRow.id == ArrivalRow.received_id)
        .outerjoin(PaymentRow, PaymentRow.order_id == ArrivalRow.order_id)
        .outerjoin(PlanRow, PlanRow.id == PaymentRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == whose)
    )


def _arrival(line: Any) -> ArrivalView:
    row, order, plan_name, subscriber = line
    return ArrivalView(row, order, plan_name or "", subscriber)


def _refunds() -> Query:
    return select(RefundRow, ArrivalRow).join(ArrivalRow, ArrivalRow.id == RefundRow.arrival_id)


def _is_unmatched() -> Any:
    left_to_staff = and_(ArrivalRow.state == SUSPENSE, ArrivalRow.due_at.is_(None))
    return or_(left_to_staff, ArrivalRow.state == DOUBTED)


def _told(search: str) -> Any:
    small = search.lower()
    return or_(
        ArrivalRow.receipt == search.upper(),
        func.lower(ArrivalRow.reference).contains(small, autoescape=True),
        func.lower(ArrivalRow.payer_name).contains(small, autoescape=True),
    )
