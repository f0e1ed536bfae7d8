"""What is drawn on papers, as it was kept: documents by their numbers, and what accounts moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, or_, select

from billing.accounts import receivable, wallet
from controller.store.billing_rows import DocumentRow
from controller.store.rows import LedgerTransactionRow, PostingRow

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement

    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class Movement:
    """What one transaction did to what a subscriber owes: more of it, and less of it."""

    transaction_id: str
    at: datetime
    cause: str
    charged_minor: int
    paid_minor: int


async def find(tx: Tx, name: str) -> DocumentRow | None:
    """A document by its id, or by its number as it is shown (``INV-main-000042``)."""
    series, _, number = name.rpartition("-")
    query = select(DocumentRow).where(DocumentRow.id == name)
    if series and number.isascii() and number.isdigit() and len(number) <= 18:  # noqa: PLR2004 - an int of the database
        query = select(DocumentRow).where(
            DocumentRow.series == series, DocumentRow.number == int(number)
        )
    return (await tx.scalars(query)).first()


async def owed_before(tx: Tx, subscriber_id: str, at: datetime) -> int:
    """What a subscriber owed at a moment, less what his wallet held; negative in his favour."""
    charged, paid = _sums(subscriber_id)
    query = (
        select(func.coalesce(charged, 0), func.coalesce(paid, 0))
        .select_from(PostingRow)
        .join(LedgerTransactionRow, LedgerTransactionRow.id == PostingRow.transaction_id)
        .where(_touches(subscriber_id), LedgerTransactionRow.at < at)
    )
    more, less = (await tx.execute(query)).one()
    return int(more) - int(less)


async def movements(tx: Tx, subscriber_id: str, since: datetime, until: datetime) -> list[Movement]:
    """What happened to an account, in order; what a wallet paid of an invoice is no change."""
    row = LedgerTransactionRow
    charged, paid = _sums(subscriber_id)
    query = (
        select(row.id, row.at, row.cause, charged, paid)
        .join(PostingRow, PostingRow.transaction_id == row.id)
        .where(_touches(subscriber_id), row.at >= since, row.at < until)
        .group_by(row.id, row.at, row.cause)
        .order_by(row.at, row.id)
    )
    return [
        Movement(name, at, cause, int(more), int(less))
        for name, at, cause, more, less in await tx.execute(query)
    ]


def _accounts(subscriber_id: str) -> tuple[str, str]:
    return receivable(subscriber_id), wallet(subscriber_id)


def _touches(subscriber_id: str) -> ColumnElement[bool]:
    """Whether a posting leads into or out of a subscriber's accounts, and not between them."""
    ours = _accounts(subscriber_id)
    into, out = PostingRow.target.in_(ours), PostingRow.source.in_(ours)
    return and_(or_(into, out), ~and_(into, out))


def _sums(subscriber_id: str) -> tuple[Any, Any]:
    ours, minor = _accounts(subscriber_id), PostingRow.amount_minor
    return (
        func.sum(case((PostingRow.target.in_(ours), minor), else_=0)),
        func.sum(case((PostingRow.source.in_(ours), minor), else_=0)),
    )
