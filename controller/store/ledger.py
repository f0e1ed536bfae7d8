"""The ledger as it is kept: transactions are posted once, and never changed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Row, Select, bindparam, func, insert, select, union_all

from billing.ids import AccountName
from billing.ledger import Posting
from billing.money import Money
from controller.store import array_rows, bulk_rows
from controller.store.database import inserted
from controller.store.rows import LedgerTransactionRow, PostingRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ids import TransactionId
    from billing.ledger import Transaction
    from controller.store.database import Tx


_POSTINGS = insert(PostingRow)


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
    columns = bulk_rows.columns_of(PostingRow)
    await (await tx.connection()).execute(
        _POSTINGS,
        [dict(zip(columns, row, strict=True)) for row in posting_values(transaction)],
    )
    return Posted.CREATED


async def post_many(tx: Tx, transactions: Sequence[Transaction]) -> list[Posted]:
    """Post each transaction once, many in a statement or two; what became of each.

    What stands twice among them is posted by the first one.
    """
    first: dict[TransactionId, Transaction] = {}
    for one in transactions:
        first.setdefault(one.id, one)
    ordered = sorted(first.items())
    rows = [transaction_values(one) for _, one in ordered]
    postings = [posting for _, one in ordered for posting in posting_values(one)]
    new = await array_rows.insert_new(
        tx, LedgerTransactionRow, rows, parts_row=PostingRow, parts=postings
    )
    kept = await _kept(tx, [name for name in first if name not in new])
    return [
        Posted.CREATED
        if one.id in new and first[one.id] is one
        else _repeated(one, kept.get(one.id, first[one.id].postings))
        for one in transactions
    ]


def _repeated(one: Transaction, kept: tuple[Posting, ...]) -> Posted:
    return Posted.EXISTS if kept == one.postings else Posted.EXISTS_WITH_OTHER_POSTINGS


async def _kept(tx: Tx, names: Sequence[TransactionId]) -> dict[TransactionId, tuple[Posting, ...]]:
    """The postings of transactions that are there."""
    found: dict[TransactionId, tuple[Posting, ...]] = dict.fromkeys(names, ())
    if names:
        query = select(*PostingRow.__table__.c).where(
            bulk_rows.among(tx, PostingRow.transaction_id, names)
        )
        for row in await tx.execute(query.order_by(PostingRow.transaction_id, PostingRow.n)):
            found[row.transaction_id] += (_posting(row),)
    return found


def transaction_values(one: Transaction) -> bulk_rows.Values:
    """A transaction as a row of `LedgerTransactionRow`."""
    return (one.id, one.at, one.cause)


def posting_values(one: Transaction) -> list[bulk_rows.Values]:
    """Its postings as rows of `PostingRow`."""
    return [
        (one.id, n, p.source, p.target, p.amount.minor, p.amount.currency)
        for n, p in enumerate(one.postings)
    ]


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
    minor = await tx.scalar(_BALANCE, {"account": account, "currency": currency})
    return Money(int(minor or 0), currency)


def _balance() -> Select[int]:
    """Made once: making it anew takes longer than its answer."""
    of: BindParameter[str] = bindparam("account")
    currency = PostingRow.currency == bindparam("currency")
    parts = union_all(
        select(PostingRow.amount_minor.label("minor")).where(PostingRow.target == of, currency),
        select((-PostingRow.amount_minor).label("minor")).where(PostingRow.source == of, currency),
    ).subquery()
    return select(func.coalesce(func.sum(parts.c.minor), 0))


_BALANCE = _balance()


def _posting(row: PostingRow | Row[Any]) -> Posting:
    return Posting(
        source=AccountName(row.source),
        target=AccountName(row.target),
        amount=Money(row.amount_minor, row.currency),
    )
