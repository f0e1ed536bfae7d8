"""What staff look at of single payments: the stream of them, and the whole story of one.

Reading queries for the pages of payments and exceptions. Whoever is held to some branches is shown
what belongs to them, as `controller.store.scope` says. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, or_, select

from controller.noc.accounts import newest
from controller.noc.charges import DocumentView
from controller.noc.views import Mark, TransactionView
from controller.store.arrivals import CREDITED, DOUBTED, RETURNED, SUSPENSE
from controller.store.billing_rows import DebtRow, DocumentRow, ReceivedRow
from controller.store.code_rows import DoubleRedemptionRow
from controller.store.payment_rows import (
    ArrivalDeedRow,
    ArrivalRow,
    DifferenceRow,
    RefundRow,
    StatementLineRow,
)
from controller.store.rows import (
    GrantRow,
    InboxRow,
    LedgerTransactionRow,
    PaymentRow,
    PlanRow,
    PostingRow,
    SessionRow,
    SubscriberRow,
)
from controller.store.scope import document_named, within
from controller.store.site_rows import SiteItemRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]
    Branches = frozenset[str] | None

ORDER_STATES = {
    "paid": ("settled",),
    "asking": ("created", "sent", "pending"),
    "checking": ("unknown",),
    "refused": ("refused",),
    "expired": ("expired",),
}
ARRIVAL_STATES = {
    "paid": (CREDITED,),
    "unmatched": (SUSPENSE,),
    "unconfirmed": (DOUBTED,),
    "returned": (RETURNED,),
}
STATES = tuple(dict.fromkeys((*ORDER_STATES, *ARRIVAL_STATES)))
"""What the stream can be narrowed to: states of what was asked for, and of what came unasked."""

SEEN_AROUND = timedelta(days=3)
"""A statement's line stands within so long of when the money came."""

CALLBACKS = "callback"
AFTER_ALL = "z"
"""Sorts after everything that is put behind an id made of hexadecimal digits."""

STORY_LINES_MAX = 50
EXCEPTION_LINES_MAX = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payments: empty for all of them; ``until`` is not within.

    ``rails`` are those that there are: a receipt is looked for rail by rail.
    """

    state: str = ""
    rail: str = ""
    site_id: str = ""
    phone: str = ""
    receipt: str = ""
    since: datetime | None = None
    until: datetime | None = None
    rails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderLine:
    """Money that was asked for, and when what it bought was first used."""

    row: PaymentRow
    plan_name: str
    site_name: str
    online_at: datetime | None


@dataclass(frozen=True, slots=True)
class CameLine:
    """Money that came without being asked for, and whose it became."""

    row: ArrivalRow
    subscriber: SubscriberRow | None


@dataclass(frozen=True, slots=True)
class Given:
    """What an order gave: the grant, and how far its site is with it."""

    grant: GrantRow
    site: SiteRow | None
    generation: int | None
    first_session_at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is kept of one payment. One of ``order`` and ``came`` is there, often both."""

    order: PaymentRow | None
    plan: PlanRow | None
    site: SiteRow | None
    subscriber: SubscriberRow | None
    came: tuple[ArrivalRow, ...]
    callbacks: tuple[tuple[datetime, str], ...]
    told: tuple[StatementLineRow, ...]
    refunds: tuple[RefundRow, ...]
    deeds: tuple[ArrivalDeedRow, ...]
    transactions: tuple[TransactionView, ...]
    given: Given | None


@dataclass(frozen=True, slots=True)
class Twice:
    """An order that was paid, and the money that came for it once more."""

    order: PaymentRow
    again: ArrivalRow


async def order_lines(
    tx: Tx, wanted: Wanted, *, branches: Branches, after: Mark | None, limit: int
) -> list[OrderLine]:
    """What was asked for, newest first."""
    if wanted.state and wanted.state not in ORDER_STATES:
        return []
    row = PaymentRow
    query = (
        select(row, PlanRow.name, SiteRow.name, GrantRow.started_at)
        .outerjoin(PlanRow, PlanRow.id == row.plan_id)
        .outerjoin(SiteRow, SiteRow.id == row.site_id)
        .outerjoin(GrantRow, GrantRow.cause_id == row.order_id)
        .where(within(row, branches))
    )
    query = newest(query, at=row.created_at, key=row.order_id, after=after, limit=limit)
    query = _spanned(query, row.created_at, wanted)
    if wanted.state:
        query = query.where(row.state.in_(ORDER_STATES[wanted.state]))
    if wanted.rail:
        query = query.where(row.rail == wanted.rail)
    if wanted.site_id:
        query = query.where(row.site_id == wanted.site_id)
    if wanted.phone:
        query = query.where(row.msisdn == wanted.phone)
    if wanted.receipt:
        of_receipt = select(ArrivalRow.order_id).where(ArrivalRow.receipt == wanted.receipt)
        own = and_(row.rail.in_(wanted.rails), row.receipt == wanted.receipt)
        query = query.where(or_(own, row.order_id.in_(of_receipt)))
    found = await tx.execute(query)
    return [OrderLine(one, plan or "", site or "", at) for one, plan, site, at in found]


async def came_lines(
    tx: Tx,
    wanted: Wanted,
    *,
    branches: Branches,
    after: Mark | None,
    limit: int,
    not_before: datetime | None = None,
) -> list[CameLine]:
    """What came without being asked for, newest first; nothing older than ``not_before``."""
    if wanted.site_id or (wanted.state and wanted.state not in ARRIVAL_STATES):
        return []
    row = ArrivalRow
    query = (
        select(row, SubscriberRow)
        .outerjoin(ReceivedRow, ReceivedRow.id == row.received_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == ReceivedRow.subscriber_id)
        .where(row.order_id.is_(None), within(row, branches))
    )
    query = newest(query, at=row.at, key=row.id, after=after, limit=limit)
    query = _spanned(query, row.at, wanted)
    if not_before is not None:
        query = query.where(row.at >= not_before)
    if wanted.state:
        query = query.where(row.state.in_(ARRIVAL_STATES[wanted.state]))
    if wanted.rail:
        query = query.where(row.rail == wanted.rail)
    if wanted.phone:
        query = query.where(or_(row.payer == wanted.phone, SubscriberRow.msisdn == wanted.phone))
    if wanted.receipt:
        query = query.where(row.receipt == wanted.receipt)
    return [CameLine(one, whose) for one, whose in await tx.execute(query)]


def _spanned(query: Query, at: Any, wanted: Wanted) -> Query:
    if wanted.since is not None:
        query = query.where(at >= wanted.since)
    if wanted.until is not None:
        query = query.where(at < wanted.until)
    return query


async def story(tx: Tx, name: str, *, branches: Branches) -> Story | None:
    """The story of an order, or of money that nobody asked for; None for what is not theirs."""
    order = await tx.scalar(
        select(PaymentRow).where(PaymentRow.order_id == name, within(PaymentRow, branches))
    )
    if order is None:
        came = await tx.scalar(
            select(ArrivalRow).where(ArrivalRow.id == name, within(ArrivalRow, branches))
        )
        if came is None:
            return None
        if came.order_id is not None:
            return await story(tx, came.order_id, branches=branches)
        return await _told(tx, None, (came,))
    row = ArrivalRow
    query = select(row).where(row.order_id == order.order_id).order_by(row.at, row.id)
    return await _told(tx, order, tuple(await tx.scalars(query.limit(STORY_LINES_MAX))))


async def _told(tx: Tx, order: PaymentRow | None, came: tuple[ArrivalRow, ...]) -> Story:
    refunds = await _of_arrivals(tx, RefundRow, RefundRow.created_at, came)
    deeds = await _of_arrivals(tx, ArrivalDeedRow, ArrivalDeedRow.at, came)
    plan_id = None if order is None else order.plan_id
    site_id = None if order is None else order.site_id
    return Story(
        order=order,
        plan=None if plan_id is None else await tx.get(PlanRow, plan_id),
        site=None if site_id is None else await tx.get(SiteRow, site_id),
        subscriber=await _whose(tx, order, came),
        came=came,
        callbacks=() if order is None else await _callbacks(tx, order.order_id),
        told=await _told_lines(tx, came),
        refunds=refunds,
        deeds=deeds,
        transactions=await _transactions(tx, order, came, refunds),
        given=None if order is None else await _given(tx, order.order_id),
    )


async def _whose(
    tx: Tx, order: PaymentRow | None, came: Sequence[ArrivalRow]
) -> SubscriberRow | None:
    if order is not None:
        return await tx.get(SubscriberRow, order.subscriber_id)
    received = [one.received_id for one in came if one.received_id is not None]
    query = (
        select(SubscriberRow)
        .join(ReceivedRow, ReceivedRow.subscriber_id == SubscriberRow.id)
        .where(ReceivedRow.id.in_(received))
    )
    return await tx.scalar(query.limit(1))


async def _of_arrivals(tx: Tx, row: Any, at: Any, came: Sequence[ArrivalRow]) -> tuple[Any, ...]:
    query = select(row).where(row.arrival_id.in_([one.id for one in came]))
    return tuple(await tx.scalars(query.order_by(at, row.id).limit(STORY_LINES_MAX)))


async def _callbacks(tx: Tx, order_id: str) -> tuple[tuple[datetime, str], ...]:
    """When the provider called back about an order, and what was made of it."""
    row = InboxRow
    query = (
        select(row.received_at, row.verdict)
        .where(
            row.source == CALLBACKS,
            row.external_id > order_id,
            row.external_id < order_id + AFTER_ALL,
        )
        .order_by(row.received_at)
        .limit(STORY_LINES_MAX)
    )
    return tuple((at, verdict or "") for at, verdict in await tx.execute(query))


async def _told_lines(tx: Tx, came: Sequence[ArrivalRow]) -> tuple[StatementLineRow, ...]:
    """What statements tell of this money, the oldest first."""
    if not came:
        return ()
    row = StatementLineRow
    same = [
        and_(
            row.rail == one.rail,
            row.place == one.place,
            row.receipt == one.receipt,
            row.at >= one.at - SEEN_AROUND,
            row.at <= one.at + SEEN_AROUND,
        )
        for one in came
    ]
    query = select(row).where(or_(*same)).order_by(row.at, row.id)
    return tuple(await tx.scalars(query.limit(STORY_LINES_MAX)))


async def _transactions(
    tx: Tx,
    order: PaymentRow | None,
    came: Sequence[ArrivalRow],
    refunds: Sequence[RefundRow],
) -> tuple[TransactionView, ...]:
    """What was booked of it: a transaction's id begins with what it was posted for."""
    causes = [f"arrival:{one.id}" for one in came]
    causes += [f"received:{one.received_id}" for one in came if one.received_id]
    causes += [f"refund:{one.id}" for one in refunds]
    if order is not None:
        causes.append(f"payment:{order.order_id}")
    row = LedgerTransactionRow
    of = [and_(row.id >= cause, row.id < cause + AFTER_ALL) for cause in causes]
    query = select(row).where(or_(*of)).order_by(row.at, row.id).limit(STORY_LINES_MAX)
    rows = list(await tx.scalars(query))
    postings = (
        select(PostingRow)
        .where(PostingRow.transaction_id.in_([one.id for one in rows]))
        .order_by(PostingRow.transaction_id, PostingRow.n)
    )
    moves = list(await tx.scalars(postings))
    return tuple(
        TransactionView(one, tuple(move for move in moves if move.transaction_id == one.id))
        for one in rows
    )


async def _given(tx: Tx, order_id: str) -> Given | None:
    grant = await tx.scalar(select(GrantRow).where(GrantRow.cause_id == order_id))
    if grant is None:
        return None
    first = select(func.min(SessionRow.opened_at)).where(SessionRow.grant_id == grant.id)
    item = await tx.get(SiteItemRow, (grant.site_id, f"grant/{grant.id}"))
    return Given(
        grant=grant,
        site=await tx.get(SiteRow, grant.site_id),
        generation=None if item is None else item.generation,
        first_session_at=await tx.scalar(first),
    )


async def paid_twice(tx: Tx, since: datetime, *, branches: Branches) -> list[Twice]:
    """Money that came since then for what was paid before, and is still with us; newest first."""
    row, order = ArrivalRow, PaymentRow
    query = (
        select(order, row)
        .join(order, order.reference == row.reference)
        .where(
            row.at >= since,
            row.reference != "",
            row.order_id.is_(None),
            row.state.in_((CREDITED, SUSPENSE)),
            order.rail == row.rail,
            order.settled_at.is_not(None),
            order.receipt != row.receipt,
            within(order, branches),
        )
        .order_by(row.at.desc(), row.id)
        .limit(EXCEPTION_LINES_MAX)
    )
    return [Twice(first, again) for first, again in await tx.execute(query)]


async def taken_back(tx: Tx, since: datetime, *, branches: Branches) -> list[ArrivalRow]:
    """Money that the provider took back since then, without a refund of ours; newest first."""
    row = ArrivalRow
    refunded = select(RefundRow.arrival_id).where(RefundRow.arrival_id == row.id)
    query = (
        select(row)
        .where(row.state == RETURNED, row.at >= since, ~refunded.exists(), within(row, branches))
        .order_by(row.at.desc(), row.id)
        .limit(EXCEPTION_LINES_MAX)
    )
    return list(await tx.scalars(query))


async def refunds_astray(tx: Tx, *, branches: Branches) -> list[tuple[RefundRow, ArrivalRow]]:
    """Refunds of which nobody says whether they went; the oldest first."""
    query = (
        select(RefundRow, ArrivalRow)
        .join(ArrivalRow, ArrivalRow.id == RefundRow.arrival_id)
        .where(RefundRow.state == "unknown", within(RefundRow, branches))
        .order_by(RefundRow.created_at, RefundRow.id)
        .limit(EXCEPTION_LINES_MAX)
    )
    return [(refund, arrival) for refund, arrival in await tx.execute(query)]


async def used_twice(
    tx: Tx, since: datetime, *, branches: Branches
) -> list[tuple[DoubleRedemptionRow, str, str]]:
    """Codes that were used once more since then, with the plan's and the site's name."""
    row = DoubleRedemptionRow
    query = (
        select(row, PlanRow.name, SiteRow.name)
        .join(PlanRow, PlanRow.id == row.plan_id)
        .join(SiteRow, SiteRow.id == row.site_id)
        .where(row.found_at >= since, within(row, branches))
        .order_by(row.found_at.desc(), row.redemption_id)
        .limit(EXCEPTION_LINES_MAX)
    )
    return [(double, plan, site) for double, plan, site in await tx.execute(query)]


async def differences_open(tx: Tx) -> list[DifferenceRow]:
    """What statements and our books do not agree in, and nobody explained; newest day first."""
    row = DifferenceRow
    query = select(row).where(row.state == "open").order_by(row.day.desc(), row.id)
    return list(await tx.scalars(query.limit(EXCEPTION_LINES_MAX)))


async def document_lines(
    tx: Tx,
    *,
    kind: str = "",
    number: str = "",
    owing: bool = False,
    branches: Branches,
    after: Mark | None,
    limit: int,
) -> list[DocumentView]:
    """Documents, newest first; of one kind, of one number or id, or only what is owed of."""
    row = DocumentRow
    query = (
        select(row, DebtRow, SubscriberRow)
        .join(SubscriberRow, SubscriberRow.id == row.subscriber_id)
        .outerjoin(DebtRow, DebtRow.document_id == row.id)
        .where(within(row, branches))
    )
    query = newest(query, at=row.issued_at, key=row.id, after=after, limit=limit)
    if kind:
        query = query.where(row.kind == kind)
    if number:
        query = query.where(document_named(number))
    if owing:
        query = query.where(DebtRow.settled_at.is_(None), DebtRow.document_id.is_not(None))
    return [DocumentView(*line) for line in await tx.execute(query)]


async def collected(
    tx: Tx, since: datetime, until: datetime, *, branch: str
) -> list[tuple[str, str, int, int]]:
    """What orders brought: the site (empty: an account), the rail, how many, and how much."""
    row = PaymentRow
    query = (
        select(
            func.coalesce(SiteRow.name, ""),
            row.rail,
            func.count(),
            func.sum(row.amount_minor),
        )
        .outerjoin(SiteRow, SiteRow.id == row.site_id)
        .where(row.settled_at >= since, row.settled_at < until, row.currency == "KES")
        .group_by(row.site_id, SiteRow.name, row.rail)
        .order_by(func.sum(row.amount_minor).desc(), row.rail)
    )
    if branch:
        query = query.where(within(row, frozenset({branch})))
    return [(site, rail, int(n), int(minor)) for site, rail, n, minor in await tx.execute(query)]


async def difference(tx: Tx, difference_id: str) -> DifferenceRow | None:
    """A difference, to look at, or None."""
    return await tx.get(DifferenceRow, difference_id)


async def site_names(tx: Tx, *, branches: Branches, limit: int = 500) -> list[tuple[str, str]]:
    """Sites to choose from, by name."""
    query = select(SiteRow.id, SiteRow.name).where(within(SiteRow, branches))
    found = await tx.execute(query.order_by(SiteRow.name, SiteRow.id).limit(limit))
    return [(site_id, name) for site_id, name in found]
