"""Transactions are whole, wait for each other, and see one moment, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from controller.store import notices, sites
from controller.store.database import Database, DatabaseBusy, inserted, upsert_many
from controller.store.rows import PlanRow, ProviderTokenRow
from controller.store.site_rows import NoticeRow, SiteGenerationRow, SiteItemRow, SiteRow
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from controller.store.database import Tx

TASKS = 40


def a_site(site_id: str = "kahawa") -> SiteRow:
    return SiteRow(
        id=site_id, name="K", operator_name="O", help_phone="", language="en", created_at=MORNING
    )


async def bump(db: Database) -> None:
    """Read, think, write: loses counts unless transactions wait for each other."""
    async with db.begin() as tx:
        site = await tx.get_one(SiteRow, "kahawa", with_for_update={"key_share": True})
        seen = site.generation
        await asyncio.sleep(0)
        site.generation = seen + 1


async def generation(db: Database) -> int:
    async with db.read() as tx:
        return (await tx.get_one(SiteRow, "kahawa")).generation


async def test_many_transactions_at_once_lose_nothing(db: Database) -> None:
    async with db.begin() as tx:
        tx.add(a_site())
    await asyncio.gather(*(bump(db) for _ in range(TASKS)))

    assert await generation(db) == TASKS


async def test_two_processes_at_once_lose_nothing(db: Database, db_url: str) -> None:
    async with db.begin() as tx:
        tx.add(a_site())
    other = Database(db_url)
    await asyncio.gather(*(bump(one) for one in (db, other) * (TASKS // 2)))
    await other.close()

    assert await generation(db) == TASKS


async def test_block_that_raises_leaves_nothing(db: Database) -> None:
    async def half_done() -> None:
        async with db.begin() as tx:
            tx.add(a_site())
            await tx.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await half_done()
    async with db.read() as tx:
        assert await sites.load(tx, "kahawa") is None


async def test_task_that_is_cancelled_leaves_nothing_and_blocks_nobody(db: Database) -> None:
    reached = asyncio.Event()

    async def dawdle() -> None:
        async with db.begin() as tx:
            tx.add(a_site())
            await tx.flush()
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(dawdle())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.begin() as tx:
        tx.add(a_site())


async def test_looking_keeps_nothing(db: Database) -> None:
    async with db.read() as tx:
        tx.add(a_site())
        await tx.flush()
    async with db.read() as tx:
        assert await sites.load(tx, "kahawa") is None


async def test_look_sees_one_moment(db: Database) -> None:
    async def count(tx: Tx) -> int:
        return (await tx.execute(select(func.count()).select_from(SiteRow))).scalar_one()

    async with db.read() as tx:
        before = await count(tx)
        async with db.begin() as writing:
            writing.add(a_site())

        assert await count(tx) == before


async def test_readers_do_not_wait_for_the_writer(db: Database) -> None:
    async with db.begin() as writing:
        writing.add(a_site())
        await writing.flush()
        async with asyncio.timeout(5), db.read() as tx:
            assert await sites.load(tx, "kahawa") is None


async def test_what_refers_to_nothing_is_refused(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as tx:
            tx.add(SiteGenerationRow(site_id="nowhere", generation=1, digest=b""))


async def test_taken_key_is_told_and_not_overwritten(db: Database) -> None:
    async def insert(text: str) -> bool:
        async with db.begin() as tx:
            return await inserted(tx, NoticeRow, id="n", at=MORNING, code="c", text=text)

    assert [await insert("first"), await insert("second")] == [True, False]
    async with db.read() as tx:
        assert (await tx.scalars(select(NoticeRow.text))).one() == "first"


async def test_many_who_insert_one_key_at_once_insert_it_once(db: Database) -> None:
    async def insert(n: int) -> bool:
        async with db.begin() as tx:
            return await inserted(tx, NoticeRow, id="n", at=MORNING, code="c", text=str(n))

    assert sum(await asyncio.gather(*(insert(n) for n in range(TASKS)))) == 1


async def test_upsert_of_many_replaces_what_was_there(db: Database) -> None:
    async def put(body: bytes) -> None:
        async with db.begin() as tx:
            values: list[dict[str, object]] = [
                {"site_id": "kahawa", "key": f"k{n}", "generation": 1, "body": body}
                for n in range(1_500)
            ]
            await upsert_many(tx, SiteItemRow, keys=("site_id", "key"), values=values)

    async with db.begin() as tx:
        tx.add(a_site())
    await put(b"one")
    await put(b"two")
    async with db.read() as tx:
        bodies = (await tx.scalars(select(SiteItemRow.body))).all()

    assert bodies == [b"two"] * 1_500


async def test_instant_comes_back_aware_and_in_utc(db: Database) -> None:
    nairobi = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=3)))
    async with db.begin() as tx:
        await notices.add(tx, now=nairobi, code="c", text="t")
    async with db.read() as tx:
        at = (await tx.scalars(select(NoticeRow.at))).one()

    assert at == nairobi
    assert at.tzinfo is UTC


async def test_naive_instant_is_a_bug(db: Database) -> None:
    with pytest.raises(Exception, match="naive time"):
        async with db.begin() as tx:
            await notices.add(tx, now=datetime(2026, 1, 1), code="c", text="t")  # noqa: DTZ001


async def test_large_amounts_are_kept_exactly(db: Database) -> None:
    async with db.begin() as tx:
        tx.add(
            ProviderTokenRow(
                credential="c", sealed=b"", expires_at=MORNING, version=9_007_199_254_740_993
            )
        )
    async with db.read() as tx:
        assert (await tx.get_one(ProviderTokenRow, "c")).version == 9_007_199_254_740_993


async def test_constraint_holds_in_the_database_itself(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as tx:
            tx.add(
                PlanRow(
                    id="p",
                    name="p",
                    price_minor=-1,
                    currency="KES",
                    down_bps=1,
                    up_bps=1,
                    validity_s=1,
                    devices_max=1,
                    rank=0,
                    created_at=MORNING,
                )
            )


async def test_sqlite_is_set_to_be_durable(sqlite_db: Database) -> None:
    told = {}
    async with sqlite_db.read() as tx:
        for name in ("journal_mode", "synchronous", "foreign_keys"):
            told[name] = await tx.scalar(text(f"PRAGMA {name}"))

    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_sqlite_keeps_an_index_in_memory_and_copies_its_log_seldom(
    sqlite_db: Database,
) -> None:
    async with sqlite_db.read() as tx:
        told = [
            await tx.scalar(text(f"PRAGMA {name}")) for name in ("cache_size", "wal_autocheckpoint")
        ]

    assert told == [-16_000, 8_000]


async def test_sqlite_writer_that_waits_too_long_for_another_process_says_so(
    sqlite_db: Database,
) -> None:
    impatient = Database(sqlite_db.url, busy_timeout_ms=50)
    async with sqlite_db.begin() as tx:
        tx.add(a_site())
        await tx.flush()
        with pytest.raises(DatabaseBusy):
            async with impatient.begin():
                pass
    await impatient.close()


@pytest.mark.postgres
async def test_postgres_deadlock_is_told_as_busy_and_one_side_goes_on(
    postgres_db: Database,
) -> None:
    async with postgres_db.begin() as tx:
        tx.add_all((a_site("one"), a_site("two")))
    both = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with postgres_db.begin() as tx:
            await tx.get_one(SiteRow, first, with_for_update=True)
            await both.wait()
            await tx.get_one(SiteRow, second, with_for_update=True)

    ends = await asyncio.gather(lock("one", "two"), lock("two", "one"), return_exceptions=True)

    assert [type(end) for end in ends].count(DatabaseBusy) == 1
    assert None in ends
