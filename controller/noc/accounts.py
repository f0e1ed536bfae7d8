"""What staff look at of subscribers and their money: reading queries for the HTTP API.

Lists are newest first and paged by a `Mark`, as those of ``views.py``. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, or_, select, union_all

from billing.accounts import wallet
from controller.store.billing_rows import DebtRow, DocumentRow, SubscriptionRow
from controller.store.rows import PostingRow, SubscriberRow
from controller.store.scope import Branches, within

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.noc.views import Mark
    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

DOCUMENTS_SHOWN = 10
"""Of one subscriber, beside everything else that is known of them."""


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """A subscriber, what their wallet holds, and what they owe; in minor units of shillings."""

    row: SubscriberRow
    wallet_minor: int
    owed_minor: int


async def subscriber_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    search: str = "",
    branch_id: str | None = None,
    branches: Branches = None,
) -> list[SubscriberView]:
    """Subscribers, newest first; of those whose name or phone holds what is searched for."""
    row = SubscriberRow
    query = select(row).where(within(row, branches))
    if search.strip():
        query = query.where(_named(search.strip()))
    if branch_id is not None:
        query = query.where(row.branch_id == branch_id)
    query = newest(query, at=row.created_at, key=row.id, after=after, limit=limit)
    return await with_money(tx, list(await tx.scalars(query)))


async def subscriber_view(tx: Tx, row: SubscriberRow) -> SubscriberView:
    """One subscriber with the money."""
    (view,) = await with_money(tx, [row])
    return view


async def subscription_rows(tx: Tx, subscriber_id: str) -> list[SubscriptionRow]:
    """A subscriber's subscriptions, newest first."""
    row = SubscriptionRow
    query = select(row).where(row.subscriber_id == subscriber_id)
    return list(await tx.scalars(query.order_by(row.created_at.desc(), row.id)))


async def last_documents(tx: Tx, subscriber_id: str) -> list[tuple[DocumentRow, DebtRow | None]]:
    """What was issued last to a subscriber, each with what is open of it."""
    row = DocumentRow
    query = (
        select(row, DebtRow)
        .outerjoin(DebtRow, DebtRow.document_id == row.id)
        .where(row.subscriber_id == subscriber_id)
        .order_by(row.issued_at.desc(), row.id.desc())
        .limit(DOCUMENTS_SHOWN)
    )
    return [(document, debt) for document, debt in await tx.execute(query)]


def newest(query: Query, *, at: Any, key: Any, after: Mark | None, limit: int) -> Query:
    """``query`` newest first, from after ``after``; ``key`` breaks ties."""
    if after is not None:
        query = query.where(or_(at < after.at, and_(at == after.at, key < after.id)))
    return query.order_by(at.desc(), key.desc()).limit(limit)


def _named(search: str) -> Any:
    named = func.lower(SubscriberRow.name).contains(search.lower(), autoescape=True)
    digits = "".join(c for c in search if c not in " -+().")
    if not (digits.isascii() and digits.isdigit()):
        return named
    # People say 0712…; phones are kept as 254712….
    international = f"254{digits[1:]}" if digits.startswith("0") else digits
    return or_(named, SubscriberRow.msisdn.contains(international))


async def with_money(tx: Tx, rows: list[SubscriberRow]) -> list[SubscriberView]:
    """Subscribers with what their wallets hold and what they owe, in the order given."""
    ids = [row.id for row in rows]
    held, owed = await _wallets(tx, ids), await _owed(tx, ids)
    return [SubscriberView(row, held.get(row.id, 0), owed.get(row.id, 0)) for row in rows]


async def _wallets(tx: Tx, ids: Collection[str]) -> dict[str, int]:
    named = {wallet(one): one for one in ids}
    sides = union_all(
        select(PostingRow.source.label("account"), PostingRow.amount_minor.label("minor")).where(
            PostingRow.source.in_(named), PostingRow.currency == "KES"
        ),
        select(PostingRow.target, -PostingRow.amount_minor).where(
            PostingRow.target.in_(named), PostingRow.currency == "KES"
        ),
    ).subquery()
    query = select(sides.c.account, func.sum(sides.c.minor)).group_by(sides.c.account)
    return {named[account]: int(minor) for account, minor in await tx.execute(query)}


async def _owed(tx: Tx, ids: Collection[str]) -> dict[str, int]:
    query = (
        select(DebtRow.subscriber_id, func.sum(DebtRow.open_minor))
        .where(DebtRow.subscriber_id.in_(ids))
        .group_by(DebtRow.subscriber_id)
    )
    return {subscriber_id: int(minor) for subscriber_id, minor in await tx.execute(query)}
