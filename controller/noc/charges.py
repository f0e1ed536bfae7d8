"""What staff look at of what is charged: subscriptions, documents, debts, money, runs.

Reading queries for the HTTP API. Lists are newest first, debts the oldest first; all are paged by a
`Mark`. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, exists, or_, select

from controller.noc.accounts import newest
from controller.store.billing_rows import (
    BillingRunRow,
    DebtRow,
    DocumentRow,
    DunningStepRow,
    ReceivedRow,
    SubscriptionRow,
)
from controller.store.rows import SubscriberRow
from controller.store.scope import Branches, document_named, within

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.views import Mark
    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription and who has it."""

    row: SubscriptionRow
    subscriber: SubscriberRow


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document, what is open of it (None: it makes no debt), and whose it is."""

    row: DocumentRow
    debt: DebtRow | None
    subscriber: SubscriberRow


@dataclass(frozen=True, slots=True)
class DebtView:
    """What is open of an invoice, whose it is, and whether people go after it."""

    row: DebtRow
    document: DocumentRow
    subscriber: SubscriberRow
    in_recovery: bool


@dataclass(frozen=True, slots=True)
class ReceivedView:
    """Money that came in, and for whom."""

    row: ReceivedRow
    subscriber: SubscriberRow


async def subscription_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    subscriber_id: str | None = None,
    state: str | None = None,
    site_id: str | None = None,
    branches: Branches = None,
) -> list[SubscriptionView]:
    """Subscriptions, newest first; of one subscriber, in one state, at one site where asked."""
    row = SubscriptionRow
    query = newest(_subscriptions(), at=row.created_at, key=row.id, after=after, limit=limit)
    query = query.where(within(row, branches))
    for column, wanted in (
        (row.subscriber_id, subscriber_id),
        (row.state, state),
        (row.site_id, site_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return [SubscriptionView(*line) for line in await tx.execute(query)]


async def subscription_view(tx: Tx, subscription_id: str) -> SubscriptionView | None:
    """One subscription, or None."""
    query = _subscriptions().where(SubscriptionRow.id == subscription_id)
    found = (await tx.execute(query)).first()
    return None if found is None else SubscriptionView(*found)


def _subscriptions() -> Query:
    return select(SubscriptionRow, SubscriberRow).join(
        SubscriberRow, SubscriberRow.id == SubscriptionRow.subscriber_id
    )


async def document_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    kind: str | None = None,
    subscriber_id: str | None = None,
    branches: Branches = None,
) -> list[DocumentView]:
    """Documents, newest first; of one kind, of one subscriber where asked."""
    row = DocumentRow
    query = newest(_documents(), at=row.issued_at, key=row.id, after=after, limit=limit)
    query = query.where(within(row, branches))
    if kind is not None:
        query = query.where(row.kind == kind)
    if subscriber_id is not None:
        query = query.where(row.subscriber_id == subscriber_id)
    return [DocumentView(*line) for line in await tx.execute(query)]


async def document_view(tx: Tx, named: str) -> DocumentView | None:
    """The document of an id, or of a number as it is printed, or None."""
    found = (await tx.execute(_documents().where(document_named(named)))).first()
    return None if found is None else DocumentView(*found)


def _documents() -> Query:
    return (
        select(DocumentRow, DebtRow, SubscriberRow)
        .join(SubscriberRow, SubscriberRow.id == DocumentRow.subscriber_id)
        .outerjoin(DebtRow, DebtRow.document_id == DocumentRow.id)
    )


async def debt_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    subscriber_id: str | None = None,
    branch_id: str | None = None,
    due_before: datetime | None = None,
    recovery: bool = False,
    branches: Branches = None,
) -> list[DebtView]:
    """Open debts, those first that were due first; only what people go after where asked."""
    row = DebtRow
    given = exists().where(
        DunningStepRow.document_id == row.document_id, DunningStepRow.step.startswith("recovery")
    )
    query = (
        select(row, DocumentRow, SubscriberRow, given)
        .join(DocumentRow, DocumentRow.id == row.document_id)
        .join(SubscriberRow, SubscriberRow.id == row.subscriber_id)
        .where(row.settled_at.is_(None), within(DocumentRow, branches))
        .order_by(row.due_at, row.document_id)
        .limit(limit)
    )
    if after is not None:
        later = and_(row.due_at == after.at, row.document_id > after.id)
        query = query.where(or_(row.due_at > after.at, later))
    if subscriber_id is not None:
        query = query.where(row.subscriber_id == subscriber_id)
    if branch_id is not None:
        query = query.where(DocumentRow.branch_id == branch_id)
    if due_before is not None:
        query = query.where(row.due_at <= due_before)
    if recovery:
        query = query.where(given)
    return [DebtView(*line) for line in await tx.execute(query)]


async def received_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    subscriber_id: str | None = None,
    branches: Branches = None,
) -> list[ReceivedView]:
    """Money that came in, newest first, for one subscriber where asked."""
    row = ReceivedRow
    query = newest(_received(), at=row.at, key=row.id, after=after, limit=limit)
    query = query.where(within(row, branches))
    if subscriber_id is not None:
        query = query.where(row.subscriber_id == subscriber_id)
    return [ReceivedView(*line) for line in await tx.execute(query)]


async def received_view(tx: Tx, received_id: str) -> ReceivedView | None:
    """Money that came in, or None."""
    found = (await tx.execute(_received().where(ReceivedRow.id == received_id))).first()
    return None if found is None else ReceivedView(*found)


def _received() -> Query:
    return select(ReceivedRow, SubscriberRow).join(
        SubscriberRow, SubscriberRow.id == ReceivedRow.subscriber_id
    )


async def run_rows(tx: Tx, *, after: Mark | None, limit: int) -> list[BillingRunRow]:
    """Rounds of due work that found something to do, newest first."""
    row = BillingRunRow
    query = newest(select(row), at=row.began_at, key=row.id, after=after, limit=limit)
    return list(await tx.scalars(query))
