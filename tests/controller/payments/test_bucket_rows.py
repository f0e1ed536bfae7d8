"""One pace for all processes, on both databases."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from controller.payments.bucket import PaceError
from controller.payments.bucket_rows import BucketRows
from controller.store import paces
from controller.store.database import Database
from tests.support.daraja import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAME = "mpesa:600111"


@pytest.fixture
async def two(db_url: str) -> AsyncIterator[list[BucketRows]]:
    """The buckets of two processes."""
    opened = [Database(db_url) for _ in range(2)]
    yield [BucketRows(db, 5) for db in opened]
    for db in opened:
        await db.close()


async def test_two_together_have_one_burst_and_one_queue(two: list[BucketRows]) -> None:
    waits = await asyncio.gather(*(b.take(NAME, NOON) for b in two for _ in range(8)))

    assert sorted(waits) == [0] * 5 + [n / 5 for n in range(1, 12)]


async def test_a_bucket_that_nobody_used_is_full_for_whoever_comes_first(
    two: list[BucketRows],
) -> None:
    assert await asyncio.gather(*(b.take(NAME, NOON) for b in two)) == [0, 0]


async def test_time_fills_it_for_both(two: list[BucketRows]) -> None:
    await asyncio.gather(*(two[0].take(NAME, NOON) for _ in range(5)))
    later = NOON + timedelta(milliseconds=400)

    assert [await two[1].take(NAME, later) for _ in range(3)] == [0, 0, 0.2]


async def test_who_would_wait_too_long_takes_no_turn(two: list[BucketRows]) -> None:
    taken = await asyncio.gather(
        *(b.take(NAME, NOON) for b in two for _ in range(40)), return_exceptions=True
    )
    turned_away = [t for t in taken if isinstance(t, PaceError)]

    assert len(turned_away) == 80 - 5 - 50
    assert await two[0].take(NAME, NOON + timedelta(seconds=1)) == pytest.approx(9.2)


async def test_a_database_that_is_too_busy_gives_no_turn(db_url: str) -> None:
    holder, other = Database(db_url), Database(db_url, busy_timeout_ms=50)
    await BucketRows(holder, 5).take(NAME, NOON)
    held, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with holder.begin() as tx:
            await paces.locked(tx, NAME, NOON)
            held.set()
            await done.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    with pytest.raises(PaceError):
        await BucketRows(other, 5).take(NAME, NOON)
    done.set()
    await holding
    await holder.close()
    await other.close()


async def test_two_real_processes_stay_under_the_rate(db_url: str) -> None:
    command = [sys.executable, "-m", "tests.support.taker", db_url, "5", "20"]
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        for _ in range(2)
    ]
    told = [(await process.communicate())[0] for process in processes]

    assert sorted(wait for text in told for wait in json.loads(text)) == [0] * 5 + [
        n / 5 for n in range(1, 36)
    ]
