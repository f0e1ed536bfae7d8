"""What many ask at the same time is durable together, and each is answered for itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from billing.ids import AccountName
from billing.ledger import balances
from controller.store import ledger
from controller.store.group import PostingGroup
from controller.store.ledger import Posted
from tests.controller.store.test_ledger import CASH, a_transaction

if TYPE_CHECKING:
    from billing.ledger import Transaction
    from controller.store.database import Database

CALLERS = 60


def unkept(name: str) -> Transaction:
    """A transaction that no database keeps: no account has so long a name, or so odd a one."""
    fine = a_transaction(name)
    odd = replace(fine.postings[0], source=AccountName("\ud800"))
    return replace(fine, postings=(odd,))


async def total(db: Database) -> int:
    async with db.read() as tx:
        return balances(await ledger.all_postings(tx)).get((CASH, "KES"), 0)


async def test_who_asks_meanwhile_is_in_the_next_commit(db: Database) -> None:
    commits = list[object]()
    event.listen(db.engine.sync_engine, "commit", commits.append)
    group = PostingGroup(db)
    ends = await asyncio.gather(*(group.post(a_transaction(f"t{n}")) for n in range(CALLERS)))

    assert set(ends) == {Posted.CREATED}
    assert await total(db) == CALLERS * 500
    assert len(commits) == 1


async def test_no_more_than_so_many_are_together(db: Database) -> None:
    commits = list[object]()
    event.listen(db.engine.sync_engine, "commit", commits.append)
    group = PostingGroup(db, together_max=25)
    await asyncio.gather(*(group.post(a_transaction(f"t{n}")) for n in range(CALLERS)))

    assert len(commits) == 3


async def test_each_is_answered_for_itself(db: Database) -> None:
    group = PostingGroup(db)
    one, again, more = await asyncio.gather(
        group.post_many([a_transaction()]),
        group.post_many([a_transaction()]),
        group.post_many([a_transaction("two"), a_transaction(minor=501)]),
    )

    assert (one, again) == ([Posted.CREATED], [Posted.EXISTS])
    assert more == [Posted.CREATED, Posted.EXISTS_WITH_OTHER_POSTINGS]


async def test_one_that_is_refused_fails_alone(db: Database) -> None:
    group = PostingGroup(db)
    ends = await asyncio.gather(
        group.post(a_transaction("before")),
        group.post(unkept("bad")),
        group.post(a_transaction("after")),
        return_exceptions=True,
    )

    assert [ends[0], ends[2]] == [Posted.CREATED, Posted.CREATED]
    assert isinstance(ends[1], DBAPIError | UnicodeError)
    assert await total(db) == 1_000


async def test_who_went_away_holds_up_nobody(db: Database) -> None:
    group = PostingGroup(db)
    gone = asyncio.create_task(group.post(a_transaction("gone")))
    stays = asyncio.create_task(group.post(a_transaction("stays")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays is Posted.CREATED
    with pytest.raises(asyncio.CancelledError):
        await gone
