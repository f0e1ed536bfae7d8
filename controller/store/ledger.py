"""The ledger as it is kept: transactions are posted once, and never changed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union_all

from billing.ids import AccountName
from billing.ledger import Posting
from billing.money import Money
from controller.store.database import inserted
from controller.store.rows import LedgerTransactionRow, PostingRow

if TYPE_CHECKING:
    from billing.ids import TransactionId
    from billing.ledger import Transaction
    from controller.store.database import Tx


class Posted(StrEnum):
    """What became of posting a transaction."""

    CREATED = "created"
    EXISTS = "exists"
    EXISTS_WITH_OTHER_POSTINGS = "exists_with_other_postings"


async def post(tx: Tx, transaction: Transaction) -> Posted:
    """Post a transaction once: its id is made from its cause, so a repeat finds it here."""
    new = await inserted(
        tx,
        LedgerTransactionRow,
        id=transaction.id,
        at=transaction.at,
        cause=transaction.cause,
    )
    if not new:
        same = await postings_of(tx, transaction.id) == transaction.postings
        return Posted.EXISTS if same else Posted.EXISTS_WITH_OTHER_POSTINGS
    tx.add_all(
        PostingRow(
            transaction_id=transaction.id,
            n=n,
            source=posting.source,
            target=posting.target,
            amount_minor=posting.amount.minor,
            currency=posting.amount.currency,
        )
        for n, posting in enumerate(transaction.postings)
    )
    await tx.flush()
    return Posted.CREATED


async def postings_of(tx: Tx, transaction_id: TransactionId) -> tuple[Posting, ...]:
    """The postings of a transaction, in order; none when it was never posted."""
    query = select(PostingRow).where(PostingRow.transaction_id == transaction_id)
    return tuple(_posting(row) for row in await tx.scalars(query.order_by(PostingRow.n)))


async def all_postings(tx: Tx) -> list[Posting]:
    """Every posting there is: for audits and small ledgers."""
    query = select(PostingRow).order_by(PostingRow.transaction_id, PostingRow.n)
    return [_posting(row) for row in await tx.scalars(query)]


async def balance(tx: Tx, account: AccountName, currency: str = "KES") -> Money:
    """What an account holds: all that it was debited with, less all that it was credited with."""
    parts = union_all(
        select(PostingRow.amount_minor.label("minor")).where(
            PostingRow.target == account, PostingRow.currency == currency
        ),
        select((-PostingRow.amount_minor).label("minor")).where(
            PostingRow.source == account, PostingRow.currency == currency
        ),
    ).subquery()
    minor = await tx.scalar(select(func.coalesce(func.sum(parts.c.minor), 0)))
    return Money(int(minor or 0), currency)


def _posting(row: PostingRow) -> Posting:
    return Posting(
        source=AccountName(row.source),
        target=AccountName(row.target),
        amount=Money(row.amount_minor, row.currency),
    )
