"""What many ask at the same time is durable together, and each is answered for itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from billing.ids import AccountName
from billing.ledger import balances
from controller.store import inbox, ledger
from controller.store.database import DatabaseBusy
from controller.store.group import Group
from controller.store.ledger import Posted
from controller.store.rows import InboxRow
from tests.controller.store.test_ledger import CASH, a_transaction
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ledger import Transaction
    from controller.store.database import Database, Tx

CALLERS = 60


class Gone(BaseException):
    """As a process that is ending."""


class Lapsed(Exception):  # noqa: N818 - a refusal, see style
    """An item that cannot be done."""


def posting(db: Database, *, together_max: int = 500) -> Group[Transaction, Posted]:
    return Group(db, ledger.post_many, together_max=together_max)


def unkept(name: str) -> Transaction:
    """A transaction that no database keeps: no account has so long a name, or so odd a one."""
    fine = a_transaction(name)
    odd = replace(fine.postings[0], source=AccountName("\ud800"))
    return replace(fine, postings=(odd,))


async def total(db: Database) -> int:
    async with db.read() as tx:
        return balances(await ledger.all_postings(tx)).get((CASH, "KES"), 0)


async def kept(db: Database) -> set[str]:
    async with db.read() as tx:
        return set(await tx.scalars(select(InboxRow.external_id)))


async def claimed(tx: Tx, names: Sequence[str]) -> list[bool]:
    """Claims each in the inbox; what is called bad cannot be, once all others were."""
    took = {
        name: await inbox.take(tx, source="test", external_id=name, body=b"", now=MORNING)
        for name in sorted(names)
    }
    if bad := [name for name in names if name.startswith("bad")]:
        raise Lapsed(bad[0])
    return [took[name] for name in names]


async def test_who_asks_meanwhile_is_in_the_next_commit(db: Database) -> None:
    commits = list[object]()
    event.listen(db.engine.sync_engine, "commit", commits.append)
    group = posting(db)
    ends = await asyncio.gather(*(group.do(a_transaction(f"t{n}")) for n in range(CALLERS)))

    assert set(ends) == {Posted.CREATED}
    assert await total(db) == CALLERS * 500
    assert len(commits) == 1


async def test_no_more_than_so_many_are_together(db: Database) -> None:
    commits = list[object]()
    event.listen(db.engine.sync_engine, "commit", commits.append)
    group = posting(db, together_max=25)
    await asyncio.gather(*(group.do(a_transaction(f"t{n}")) for n in range(CALLERS)))

    assert len(commits) == 3


async def test_each_is_answered_for_itself(db: Database) -> None:
    group = posting(db)
    one, again, more = await asyncio.gather(
        group.do_all([a_transaction()]),
        group.do_all([a_transaction()]),
        group.do_all([a_transaction("two"), a_transaction(minor=501)]),
    )

    assert (one, again) == ([Posted.CREATED], [Posted.EXISTS])
    assert more == [Posted.CREATED, Posted.EXISTS_WITH_OTHER_POSTINGS]


async def test_one_that_the_database_refuses_fails_alone(db: Database) -> None:
    group = posting(db)
    ends = await asyncio.gather(
        group.do(a_transaction("before")),
        group.do(unkept("bad")),
        group.do(a_transaction("after")),
        return_exceptions=True,
    )

    assert [ends[0], ends[2]] == [Posted.CREATED, Posted.CREATED]
    assert isinstance(ends[1], DBAPIError | UnicodeError)
    assert await total(db) == 1_000


async def test_those_that_cannot_be_done_are_told_why_and_leave_nothing(db: Database) -> None:
    names = [f"{'bad' if n in (7, 31) else 'fine'} {n}" for n in range(CALLERS)]
    group = Group(db, claimed)
    ends = await asyncio.gather(*(group.do(name) for name in names), return_exceptions=True)

    assert [str(end) for end in ends if end is not True] == ["bad 7", "bad 31"]
    assert await kept(db) == {name for name in names if name.startswith("fine")}


async def test_what_one_hands_over_is_done_as_a_whole_or_not(db: Database) -> None:
    group = Group(db, claimed)
    ends = await asyncio.gather(
        group.do_all(["with it", "bad"]), group.do_all(["other"]), return_exceptions=True
    )

    assert isinstance(ends[0], Lapsed)
    assert ends[1] == [True]
    assert await kept(db) == {"other"}


async def test_who_may_try_again_is_told_so_once(db: Database) -> None:
    tries = list[list[str]]()

    async def busy(_tx: Tx, names: Sequence[str]) -> list[bool]:
        tries.append(list(names))
        raise DatabaseBusy("others hold it")

    group = Group(db, busy)
    ends = await asyncio.gather(group.do("one"), group.do("two"), return_exceptions=True)

    assert [type(end) for end in ends] == [DatabaseBusy, DatabaseBusy]
    assert tries == [["one", "two"]]


async def test_on_postgresql_one_is_made_ready_while_another_is_written(db: Database) -> None:
    meeting = asyncio.Barrier(1 if db.is_sqlite else 2)

    async def met(_tx: Tx, numbers: Sequence[int]) -> Sequence[int]:
        await meeting.wait()
        return [len(numbers)] * len(numbers)

    group = Group(db, met)
    async with asyncio.timeout(10):
        sizes = await asyncio.gather(*(group.do(n) for n in range(200)))

    assert set(sizes) == ({200} if db.is_sqlite else {100})


async def test_when_the_process_goes_nobody_waits_for_ever(db: Database) -> None:
    async def goes(_tx: Tx, _names: Sequence[str]) -> list[bool]:
        raise Gone

    group = Group(db, goes)
    async with asyncio.timeout(10):
        with pytest.raises(Gone):
            await group.do("one")


async def test_who_went_away_holds_up_nobody(db: Database) -> None:
    group = posting(db)
    gone = asyncio.create_task(group.do(a_transaction("gone")))
    stays = asyncio.create_task(group.do(a_transaction("stays")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays is Posted.CREATED
    with pytest.raises(asyncio.CancelledError):
        await gone


@pytest.mark.parametrize("turns", range(6))
async def test_who_asks_in_the_moment_in_which_a_group_ends_is_done_too(
    db: Database, turns: int
) -> None:
    group = posting(db)
    await group.do(a_transaction("first"))
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        end = await group.do(a_transaction("second"))

    assert end is Posted.CREATED
