"""Records become usage once, in whatever order and however often they come."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.ids import PlanId, SiteId
from controller.records import Notice, SiteRecord
from controller.store.rows import GrantRow, SessionEpochRow, SessionRow
from controller.store.site_rows import JournalRow, NoticeRow, SiteRow
from controller.usecases.grants import give
from controller.usecases.ingest import Batch, ingest
from controller.usecases.sites import NewSite, add_site
from tests.support.builders import (
    MAC,
    OTHER_SITE,
    SITE,
    Killed,
    MortalDatabase,
    a_batch,
    a_record,
    closed,
    hex_id,
    opened,
    reading,
)
from tests.support.clock import MORNING

DRIFT = Notice("drift", "somebody changed a rule")

if TYPE_CHECKING:
    from controller.store.rows import Row
    from tests.support.builders import World


@pytest.fixture
async def grant_id(world: World) -> str:
    return await give(world.deps, SITE, plan_id=PlanId("hour"), device_mac=MAC)


async def grant(world: World, grant_id: str) -> GrantRow:
    async with world.deps.db.read() as tx:
        return await tx.get_one(GrantRow, grant_id)


async def session(world: World, name: str = "session") -> SessionRow:
    async with world.deps.db.read() as tx:
        return await tx.get_one(SessionRow, hex_id(name))


async def count(world: World, row: type[Row]) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(row))).scalar_one()


async def test_session_is_opened_counted_and_closed(world: World, grant_id: str) -> None:
    acked = await ingest(
        world.deps,
        SITE,
        a_batch(
            a_record(1, opened(grant_id=grant_id)),
            a_record(2, reading(grant_id=grant_id, down=700, up=50, validity_s=60, uptime_s=55)),
            a_record(3, closed(grant_id=grant_id, reason="data")),
        ),
    )
    seen, used = await session(world), await grant(world, grant_id)

    assert acked == 3
    assert (seen.down_bytes, seen.up_bytes, seen.closed_reason) == (700, 50, "data")
    assert (used.used_bytes, used.spent_validity_s, used.spent_uptime_s) == (750, 60, 55)


async def test_usage_is_the_sum_of_the_highest_reading_of_each_epoch(
    world: World, grant_id: str
) -> None:
    readings = [("b1", 100), ("b1", 300), ("b2", 40), ("b1", 200), ("b2", 45)]
    records = [
        a_record(n, reading(grant_id=grant_id, epoch=epoch, down=down))
        for n, (epoch, down) in enumerate(readings, start=1)
    ]
    await ingest(world.deps, SITE, a_batch(*records))

    assert (await session(world)).down_bytes == 345
    assert (await grant(world, grant_id)).used_bytes == 345


async def test_usage_of_a_grant_is_that_of_all_its_sessions(world: World, grant_id: str) -> None:
    await ingest(
        world.deps,
        SITE,
        a_batch(
            a_record(1, reading("one", grant_id=grant_id, down=100)),
            a_record(2, reading("two", grant_id=grant_id, up=11)),
        ),
    )

    assert (await grant(world, grant_id)).used_bytes == 111


async def test_replay_shuffled_and_doubled_adds_nothing(world: World, grant_id: str) -> None:
    chance = random.Random(7)
    records = [a_record(1, opened(grant_id=grant_id))]
    records += [
        a_record(n, reading(grant_id=grant_id, epoch=f"b{n // 20}", down=n * 10, validity_s=n))
        for n in range(2, 100)
    ]
    await ingest(world.deps, SITE, a_batch(*records))
    before = (await session(world), await grant(world, grant_id), await count(world, NoticeRow))
    for _ in range(3):
        chance.shuffle(records)
        acked = await ingest(world.deps, SITE, a_batch(*records, *records))

        assert acked == 99
    after = (await session(world), await grant(world, grant_id), await count(world, NoticeRow))

    assert [columns(row) for row in after[:2]] == [columns(row) for row in before[:2]]
    assert after[2] == before[2]


def columns(row: Row | int) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


async def test_shuffled_batch_counts_as_the_sorted_one(world: World, grant_id: str) -> None:
    records = [a_record(n, reading(grant_id=grant_id, down=n)) for n in range(1, 30)]
    random.Random(3).shuffle(records)

    assert await ingest(world.deps, SITE, a_batch(*records)) == 29
    assert (await session(world)).down_bytes == 29


async def test_after_a_gap_nothing_is_taken(world: World, grant_id: str) -> None:
    records = [a_record(n, reading(grant_id=grant_id, down=n)) for n in (1, 2, 4, 5)]

    assert await ingest(world.deps, SITE, a_batch(*records)) == 2
    assert (await session(world)).down_bytes == 2


async def test_gap_is_closed_by_what_was_missing(world: World, grant_id: str) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, reading(grant_id=grant_id, down=1))))
    rest = [a_record(n, reading(grant_id=grant_id, down=n)) for n in (2, 3)]

    assert await ingest(world.deps, SITE, a_batch(*rest)) == 3


async def test_another_journal_of_the_same_site_counts_from_its_own_beginning(
    world: World, grant_id: str
) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, reading("one", grant_id=grant_id, down=5))))
    other = a_batch(a_record(1, reading("two", grant_id=grant_id, down=7)), journal="b" * 32)

    assert await ingest(world.deps, SITE, other) == 1
    assert (await grant(world, grant_id)).used_bytes == 12


async def test_same_batch_ten_times_at_once_counts_once(world: World, grant_id: str) -> None:
    batch = a_batch(
        a_record(1, opened(grant_id=grant_id)),
        a_record(2, reading(grant_id=grant_id, down=9)),
        a_record(3, DRIFT),
    )
    acks = await asyncio.gather(*(ingest(world.deps, SITE, batch) for _ in range(10)))

    assert acks == [3] * 10
    assert (await grant(world, grant_id)).used_bytes == 9
    assert await count(world, NoticeRow) == 1


async def test_batch_cut_off_before_the_commit_left_nothing(
    world: World, db_url: str, grant_id: str
) -> None:
    mortal = MortalDatabase(db_url, nth=1, moment="inside")
    batch = a_batch(a_record(1, reading(grant_id=grant_id, down=5)))
    with pytest.raises(Killed):
        await ingest(world.on(mortal).deps, SITE, batch)
    await mortal.close()

    assert await count(world, SessionRow) == await count(world, JournalRow) == 0
    assert await ingest(world.deps, SITE, batch) == 1


async def test_first_access_starts_the_validity_clock(world: World, grant_id: str) -> None:
    world.clock.advance(500)
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id), at=MORNING)))
    started = await grant(world, grant_id)

    assert started.started_at == MORNING
    assert started.valid_until == world.clock() + timedelta(hours=1)


async def test_second_access_does_not_start_it_again(world: World, grant_id: str) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    before = await grant(world, grant_id)
    world.clock.advance(900)
    at = world.clock()
    await ingest(world.deps, SITE, a_batch(a_record(2, opened("two", grant_id=grant_id), at=at)))
    after = await grant(world, grant_id)

    assert (after.started_at, after.valid_until) == (before.started_at, before.valid_until)


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)])
async def test_site_with_a_wrong_clock_is_dated_by_ours(
    world: World, grant_id: str, at: datetime
) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id), at=at)))

    assert (await session(world)).opened_at == world.clock()


async def test_spending_never_falls(world: World, grant_id: str) -> None:
    await ingest(
        world.deps,
        SITE,
        a_batch(
            a_record(1, reading(grant_id=grant_id, validity_s=100, uptime_s=90)),
            a_record(2, reading(grant_id=grant_id, validity_s=50, uptime_s=95)),
        ),
    )
    spent = await grant(world, grant_id)

    assert (spent.spent_validity_s, spent.spent_uptime_s) == (100, 95)


async def test_site_cannot_write_into_another_sites_session(world: World, grant_id: str) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    await ingest(world.deps, SITE, a_batch(a_record(1, reading(grant_id=grant_id, down=5))))
    forged = a_batch(a_record(1, reading(grant_id=grant_id, down=10**9)))

    assert await ingest(world.deps, OTHER_SITE, forged) == 1
    assert (await session(world)).down_bytes == 5
    assert await codes(world) == {"foreign_session"}


async def test_site_cannot_spend_another_sites_grant(world: World, grant_id: str) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    forged = a_batch(a_record(1, reading("new", grant_id=grant_id, down=10**9, validity_s=9_999)))
    await ingest(world.deps, OTHER_SITE, forged)
    untouched = await grant(world, grant_id)

    assert (untouched.used_bytes, untouched.spent_validity_s) == (0, 0)
    assert await codes(world) == {"foreign_grant"}


async def codes(world: World) -> set[str]:
    async with world.deps.db.read() as tx:
        return set(await tx.scalars(select(NoticeRow.code)))


async def test_a_session_forged_by_another_site_is_not_counted_when_the_own_site_reports(
    world: World, grant_id: str
) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    forged = a_record(1, reading("forged", grant_id=grant_id, down=10**12))
    await ingest(world.deps, OTHER_SITE, a_batch(forged))
    await ingest(world.deps, SITE, a_batch(a_record(1, reading(grant_id=grant_id, down=700))))

    assert (await grant(world, grant_id)).used_bytes == 700


async def test_empty_report_tells_what_was_applied(world: World) -> None:
    acked = await ingest(world.deps, SITE, Batch("c" * 32, (), 2, b"d" * 32, "0.1"))
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)

    assert acked == 0
    assert (site.applied_generation, site.applied_digest) == (2, b"d" * 32)
    assert (site.agent_version, site.last_seen_at) == ("0.1", world.clock())


async def test_reports_of_many_sites_at_once_are_all_counted(world: World) -> None:
    names = [SiteId(f"site-{n}") for n in range(8)]
    given = {}
    for name in names:
        await add_site(world.deps, NewSite(name, name, "Lango Net"))
        given[name] = await give(world.deps, name, plan_id=PlanId("hour"), device_mac=MAC)

    async def report(name: SiteId) -> None:
        for start in range(1, 101, 20):
            records: list[SiteRecord] = [
                a_record(n, reading(name, grant_id=given[name], down=n))
                for n in range(start, start + 20)
            ]
            await ingest(world.deps, name, a_batch(*records))

    await asyncio.gather(*(report(name) for name in names))

    assert [(await grant(world, given[name])).used_bytes for name in names] == [100] * 8
    assert await count(world, SessionEpochRow) == 8
