"""Sites that fall silent are noticed, kept, and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.store import outages as kept
from controller.store.site_rows import NoticeRow, OutageRow
from controller.usecases.ingest import Batch, ingest
from controller.usecases.outages import DOWN_AFTER, LOOK_BACK, SilenceWatch, outage_s
from tests.support.builders import JOURNAL, SITE

if TYPE_CHECKING:
    from tests.support.builders import World

DOWN_S = int(DOWN_AFTER.total_seconds())


async def hear(world: World) -> None:
    await ingest(world.deps, SITE, Batch(JOURNAL, (), 0, b"", "0.1"))


async def told(world: World) -> list[tuple[str, str]]:
    async with world.deps.db.read() as tx:
        found = await tx.execute(select(NoticeRow.code, NoticeRow.text).order_by(NoticeRow.at))
        return [(code, text) for code, text in found]


async def outages(world: World) -> list[OutageRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(OutageRow).order_by(OutageRow.began_at)))


async def longest_s(world: World) -> int:
    async with world.deps.db.read() as tx:
        return await outage_s(tx, SITE, world.clock())


@pytest.fixture
async def watch(world: World) -> SilenceWatch:
    """A watch of a controller that has been up for long enough to judge."""
    watch = SilenceWatch()
    await watch.look(world.deps)
    world.clock.advance(DOWN_S)
    return watch


async def test_a_site_that_falls_silent_is_down_and_noticed_once(
    world: World, watch: SilenceWatch
) -> None:
    await hear(world)
    last = world.clock()
    world.clock.advance(DOWN_S - 1)
    early = await watch.look(world.deps)
    world.clock.advance(1)
    found = [await watch.look(world.deps), await watch.look(world.deps)]
    (outage,) = await outages(world)

    assert (early, found) == (0, [1, 0])
    assert (outage.began_at, outage.ended_at) == (last, None)
    assert [code for code, _ in await told(world)] == ["site_down"]


async def test_a_site_that_is_heard_again_ends_its_outage(
    world: World, watch: SilenceWatch
) -> None:
    await hear(world)
    world.clock.advance(DOWN_S)
    await watch.look(world.deps)
    world.clock.advance(3_600)
    await hear(world)
    (outage,) = await outages(world)

    assert outage.ended_at == world.clock()
    assert await longest_s(world) == 3_600 + DOWN_S
    codes = await told(world)
    assert [code for code, _ in codes] == ["site_down", "site_back"]
    assert "heard again after 1 h 03 m" in codes[-1][1]


async def test_an_outage_that_nobody_watched_is_kept_when_the_site_is_heard(world: World) -> None:
    await hear(world)
    world.clock.advance(7_200)
    await hear(world)

    assert [outage.ended_at for outage in await outages(world)] == [world.clock()]
    assert [code for code, _ in await told(world)] == ["site_back"]


async def test_a_site_that_reports_in_time_has_no_outage(world: World) -> None:
    for _ in range(5):
        await hear(world)
        world.clock.advance(DOWN_S - 1)
    await hear(world)

    assert await outages(world) == []


async def test_a_site_that_never_reported_is_not_down(world: World, watch: SilenceWatch) -> None:
    world.clock.advance(10 * DOWN_S)

    assert await watch.look(world.deps) == 0


async def test_a_controller_that_has_just_started_blames_nobody(world: World) -> None:
    """It was the controller that was away; sites have a moment to say that they are well."""
    await hear(world)
    world.clock.advance(86_400)
    watch = SilenceWatch()
    at_once = await watch.look(world.deps)
    await hear(world)
    world.clock.advance(DOWN_S - 1)

    assert (at_once, await watch.look(world.deps)) == (0, 0)
    assert "site_down" not in {code for code, _ in await told(world)}


async def test_two_controllers_notice_an_outage_once(world: World, watch: SilenceWatch) -> None:
    await hear(world)
    world.clock.advance(DOWN_S)
    second = SilenceWatch()
    await second.look(world.deps)
    found = await watch.look(world.deps)
    world.clock.advance(DOWN_S)

    assert (found, await second.look(world.deps)) == (1, 0)
    assert len(await outages(world)) == 1


async def test_the_longest_outage_of_late_says_how_long_the_next_may_last(world: World) -> None:
    for silent_s in (400, 9_000, 1_000):
        await hear(world)
        world.clock.advance(silent_s)
    await hear(world)
    before = await longest_s(world)
    world.clock.advance(int(LOOK_BACK.total_seconds()) - 500)

    assert before == 9_000
    assert await longest_s(world) == 1_000


async def test_an_outage_that_lasts_counts_as_far_as_it_has_come(world: World) -> None:
    await hear(world)
    async with world.deps.db.begin() as tx:
        await kept.begin(tx, SITE, world.clock())
    world.clock.advance(5_000)

    assert await longest_s(world) == 5_000
