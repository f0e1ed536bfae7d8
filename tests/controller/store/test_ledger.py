"""Transactions are posted once, and their postings never change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from psycopg import Error
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from billing.ids import AccountName, TransactionId
from billing.ledger import Posting, Transaction, balances
from billing.money import Money
from controller.store import ledger
from controller.store.database import Database, DatabaseBusy
from controller.store.ledger import Posted
from controller.store.rows import LedgerTransactionRow, PostingRow
from tests.support.clock import MORNING

CASH, WALLET, INCOME = AccountName("asset:cash"), AccountName("wallet"), AccountName("income")


def a_transaction(name: str = "one", *, minor: int = 500) -> Transaction:
    amount = Money(minor)
    return Transaction(
        id=TransactionId(name),
        at=MORNING,
        cause="a test",
        postings=(Posting(WALLET, CASH, amount), Posting(INCOME, WALLET, amount)),
    )


async def post(db: Database, transaction: Transaction) -> Posted:
    async with db.begin() as tx:
        return await ledger.post(tx, transaction)


async def test_transaction_is_posted_once(db: Database) -> None:
    assert await post(db, a_transaction()) is Posted.CREATED
    assert await post(db, a_transaction()) is Posted.EXISTS


async def test_same_cause_with_other_postings_is_told_apart(db: Database) -> None:
    await post(db, a_transaction())

    assert await post(db, a_transaction(minor=501)) is Posted.EXISTS_WITH_OTHER_POSTINGS


async def test_transaction_posted_ten_times_at_once_is_there_once(db: Database) -> None:
    ends = await asyncio.gather(*(post(db, a_transaction()) for _ in range(10)))

    assert sorted(ends) == [Posted.CREATED] + [Posted.EXISTS] * 9


async def test_postings_come_back_as_they_were(db: Database) -> None:
    await post(db, a_transaction())
    async with db.read() as tx:
        assert await ledger.postings_of(tx, TransactionId("one")) == a_transaction().postings


async def test_balances_are_sums_of_postings_and_sum_to_zero(db: Database) -> None:
    for n in range(5):
        await post(db, a_transaction(f"t{n}", minor=100 + n))
    async with db.read() as tx:
        held = [(await ledger.balance(tx, account)).minor for account in (CASH, WALLET, INCOME)]
        every = balances(await ledger.all_postings(tx))

    assert held == [510, 0, -510]
    assert sum(every.values()) == 0


@pytest.mark.parametrize(
    ("source", "target", "minor"), [("a", "b", 0), ("a", "b", -5), ("a", "a", 5)]
)
async def test_database_itself_refuses_a_posting_that_moves_nothing(
    db: Database, source: str, target: str, minor: int
) -> None:
    posting = insert(PostingRow).values(
        transaction_id="bad", n=0, source=source, target=target, amount_minor=minor, currency="KES"
    )
    async with db.begin() as tx:
        tx.add(LedgerTransactionRow(id="bad", at=MORNING, cause="a test"))
    with pytest.raises(IntegrityError):
        async with db.begin() as tx:
            await tx.execute(posting)


async def post_many(db: Database, *transactions: Transaction) -> list[Posted]:
    async with db.begin() as tx:
        return await ledger.post_many(tx, transactions)


async def test_many_are_posted_at_once_and_answered_each_as_if_alone(db: Database) -> None:
    await post(db, a_transaction("old"))
    ends = await post_many(
        db,
        a_transaction("new"),
        a_transaction("old"),
        a_transaction("old", minor=501),
        a_transaction("new"),
        a_transaction("new", minor=501),
    )

    other = Posted.EXISTS_WITH_OTHER_POSTINGS
    assert ends == [Posted.CREATED, Posted.EXISTS, other, Posted.EXISTS, other]
    async with db.read() as tx:
        assert await ledger.postings_of(tx, TransactionId("new")) == a_transaction().postings
        assert await ledger.postings_of(tx, TransactionId("old")) == a_transaction().postings


async def test_none_are_posted_at_once(db: Database) -> None:
    assert await post_many(db) == []


async def test_many_who_post_the_same_many_at_once_post_them_once(db: Database) -> None:
    names = [f"t{n}" for n in range(40)]
    ends = await asyncio.gather(
        *(post_many(db, *(a_transaction(name) for name in names[::step])) for step in (1, -1, 1))
    )

    assert sorted(end for each in ends for end in each) == (
        [Posted.CREATED] * 40 + [Posted.EXISTS] * 80
    )


@pytest.mark.parametrize(
    "cause", ["said \"no\", 'so'", "back\\slash\\", '"', "{a,b}", "NULL", " ", ""]
)
async def test_a_cause_is_kept_as_it_was_said(db: Database, cause: str) -> None:
    await post_many(db, replace(a_transaction(), cause=cause), a_transaction("two"))
    async with db.read() as tx:
        assert (await tx.get_one(LedgerTransactionRow, "one")).cause == cause


async def test_a_name_that_is_too_long_is_refused_and_not_cut_off(postgres_db: Database) -> None:
    long = a_transaction("n" * 121)
    with pytest.raises(Error, match="too long"):
        await post_many(postgres_db, long)


async def test_who_waits_too_long_for_the_same_is_told_to_try_again(postgres_db: Database) -> None:
    hasty = Database(postgres_db.url, busy_timeout_ms=50)
    async with postgres_db.begin() as tx:
        await ledger.post_many(tx, [a_transaction()])
        with pytest.raises(DatabaseBusy):
            await post_many(hasty, a_transaction())
    await hasty.close()
