"""What is known of sites is sampled by the tick, and rolled up by the hour and the day, once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select

from billing.ids import PlanId
from controller.store import series
from controller.store.series import DAY_S, HOUR_S, METRICS
from controller.store.series_rows import (
    SeriesMarkRow,
    SessionHourRow,
    SessionPaceRow,
    SiteMeterRow,
    SiteRollupRow,
    SiteSampleRow,
)
from controller.usecases.grants import give
from controller.usecases.ingest import ingest
from controller.usecases.sampling import TICK_S, RollUp, Sampler, roll_up
from controller.usecases.sites import NewSite, add_site
from tests.support.builders import (
    MAC,
    OTHER_SITE,
    SITE,
    a_batch,
    a_record,
    closed,
    opened,
    reading,
)
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from controller.store.series import Point
    from tests.support.builders import World

MIB = 1 << 20


@pytest.fixture
async def grant_id(world: World) -> str:
    return await give(world.deps, SITE, plan_id=PlanId("hour"), device_mac=MAC)


async def points(
    world: World, metric: str, *, step_s: int = TICK_S, hours: int = 24, site: str = SITE
) -> list[Point]:
    now = world.clock()
    async with world.deps.db.read() as tx:
        return await series.last(
            tx,
            site,
            metric,
            since=now - timedelta(hours=hours),
            until=now + timedelta(hours=1),
            step=timedelta(seconds=step_s),
        )


async def kept(world: World, at: datetime, **values: int) -> None:
    sample: dict[str, int | str | None] = {"site_id": SITE, "at_s": series.second(at), **values}
    async with world.deps.db.begin() as tx:
        await series.keep(tx, [sample])


async def rollups(world: World, span_s: int = HOUR_S) -> list[SiteRollupRow]:
    query = select(SiteRollupRow).where(SiteRollupRow.span_s == span_s)
    async with world.deps.db.read() as tx:
        rows = await tx.scalars(query.order_by(SiteRollupRow.metric, SiteRollupRow.at_s))
        return list(rows)


async def test_a_site_is_sampled_with_its_sessions_its_outbox_and_the_rate_of_its_readings(
    world: World, grant_id: str
) -> None:
    sampler = Sampler()
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    await sampler.look(world.deps)
    world.clock.advance(20)
    await ingest(
        world.deps, SITE, a_batch(a_record(2, reading(grant_id=grant_id, down=5_000, up=250)))
    )
    assert await sampler.look(world.deps) == 1

    assert [p.mean for p in await points(world, "down_bps")] == [2_000]
    assert [p.mean for p in await points(world, "up_bps")] == [100]
    assert [p.mean for p in await points(world, "sessions")] == [1, 1]
    assert [p.at for p in await points(world, "sessions")] == [
        MORNING,
        MORNING + timedelta(seconds=20),
    ]


async def test_a_silent_site_leaves_a_gap_and_no_peak_when_it_returns(
    world: World, grant_id: str
) -> None:
    sampler = Sampler()
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    await sampler.look(world.deps)
    world.clock.advance(200)
    assert await sampler.look(world.deps) == 0
    world.clock.advance(800)
    await ingest(world.deps, SITE, a_batch(a_record(2, reading(grant_id=grant_id, down=125_000))))
    await sampler.look(world.deps)

    assert [p.mean for p in await points(world, "down_bps")] == [1_000]


async def test_an_hour_is_rolled_up_once_when_it_is_over(world: World) -> None:
    for minute, value in enumerate((5, 1, 9)):
        await kept(world, MORNING + timedelta(minutes=minute), sessions=value)
    world.clock.advance(HOUR_S)
    early = await roll_up(world.deps)
    world.clock.advance(300)
    first, again = await roll_up(world.deps), await roll_up(world.deps)

    assert (early, first, again) == (0, 1, 0)
    (row,) = await rollups(world)
    assert (row.metric, row.count, row.total, row.low, row.high) == ("sessions", 3, 15, 1, 9)


async def test_days_of_downtime_are_caught_up_and_passed_over(world: World) -> None:
    for hour in (0, 1, 2):
        await kept(world, MORNING + timedelta(hours=hour), sessions=hour, rtt_ms=40)
    world.clock.advance(9 * 24 * HOUR_S)
    await kept(world, world.clock() - timedelta(hours=2), sessions=7, rtt_ms=41)

    assert await roll_up(world.deps) == 5  # four hours that were measured, and the day of three
    assert [r.total for r in await rollups(world) if r.metric == "sessions"] == [0, 1, 2, 7]
    days = await rollups(world, 24 * HOUR_S)
    assert [(r.metric, r.count, r.low, r.high) for r in days] == [
        ("rtt_ms", 3, 40, 40),
        ("sessions", 3, 0, 2),
    ]
    assert datetime.fromtimestamp(days[0].at_s, UTC) == datetime(2026, 11, 22, 21, tzinfo=UTC)


async def test_raw_samples_are_forgotten_once_they_are_rolled_up_and_old(world: World) -> None:
    await kept(world, MORNING, sessions=4)
    world.clock.advance(47 * HOUR_S)
    await kept(world, world.clock(), sessions=5)
    await roll_up(world.deps)
    young = len(await points(world, "sessions", hours=72))
    world.clock.advance(2 * HOUR_S)
    await roll_up(world.deps)

    assert young == 2
    assert [p.mean for p in await points(world, "sessions", hours=72)] == [5]
    hourly = await points(world, "sessions", hours=72, step_s=HOUR_S)
    assert [p.mean for p in hourly] == [4, 5]


async def test_every_metric_of_the_seam_has_a_series(world: World) -> None:
    seam = "down_bps up_bps sessions rtt_ms loss_ppm cpu_pct memory_pct disk_pct"
    seam += " temperature_c outbox clock_skew_ms"
    await kept(world, MORNING, **dict.fromkeys(METRICS, -3))

    for metric in seam.split():
        (point,) = await points(world, metric)
        assert (point.low, point.mean, point.high) == (-3, -3, -3)


async def test_hours_of_a_session_are_what_its_readings_add_up_to(
    world: World, grant_id: str
) -> None:
    told = [(1, 3 * MIB), (2, 5 * MIB), (3, 5 * MIB), (4, 9 * MIB)]
    for seq, down in told:
        record = a_record(seq, reading(grant_id=grant_id, down=down, up=seq))
        await ingest(world.deps, SITE, a_batch(record))
        await ingest(world.deps, SITE, a_batch(record))
        world.clock.advance(1_700)
    async with world.deps.db.read() as tx:
        hours = list(await tx.scalars(select(SessionHourRow).order_by(SessionHourRow.hour_s)))
        meter = await tx.get_one(SiteMeterRow, SITE)

    assert [h.down_bytes for h in hours] == [5 * MIB, 4 * MIB]
    assert (meter.down_bytes, meter.up_bytes) == (9 * MIB, 4)


async def test_the_pace_of_a_session_goes_with_it(world: World, grant_id: str) -> None:
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    later = MORNING + timedelta(seconds=10)
    world.clock.advance(10)
    record = a_record(2, reading(grant_id=grant_id, down=10_000), at=later)
    await ingest(world.deps, SITE, a_batch(record))
    async with world.deps.db.read() as tx:
        (pace,) = await tx.scalars(select(SessionPaceRow))
    await ingest(world.deps, SITE, a_batch(a_record(3, closed(grant_id=grant_id), at=later)))
    async with world.deps.db.read() as tx:
        left = await tx.scalar(select(func.count()).select_from(SessionPaceRow))

    assert pace.down_bps == 8_000
    assert left == 0


async def test_sites_are_sampled_in_one_statement_each_for_itself(world: World) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango"))
    for site in (SITE, OTHER_SITE):
        await ingest(world.deps, site, a_batch())
    await Sampler().look(world.deps)
    await Sampler().look(world.deps)  # another controller, in the same tick
    async with world.deps.db.read() as tx:
        rows = list(await tx.scalars(select(SiteSampleRow).order_by(SiteSampleRow.site_id)))

    assert [r.site_id for r in rows] == [SITE, OTHER_SITE]


async def test_a_tick_is_sampled_once(world: World) -> None:
    await ingest(world.deps, SITE, a_batch())
    sampler = Sampler()
    found = [await sampler.look(world.deps)]
    for _ in range(3):
        world.clock.advance(8)
        found.append(await sampler.look(world.deps))

    assert found == [1, 0, 0, 1]


async def test_it_is_rolled_up_after_a_start_and_when_an_hour_is_over(world: World) -> None:
    await kept(world, MORNING - timedelta(hours=2), sessions=1)
    await kept(world, MORNING - timedelta(hours=1), sessions=1)
    roll = RollUp()
    started = await roll.look(world.deps)
    world.clock.advance(299)
    early = await roll.look(world.deps)
    world.clock.advance(1)

    assert (started, early) == (1, 0)
    assert [await roll.look(world.deps) for _ in range(2)] == [1, 0]


async def test_rollups_conserve_sums_and_bounds(world: World) -> None:
    """Whatever is sampled: hours and days have its count, its sum, its least and its most."""
    world.clock.to(MORNING + timedelta(days=4))
    first_s = series.second(MORNING)
    for seed in range(4):
        chance = random.Random(seed)
        places = chance.sample(range(3 * DAY_S // 600), chance.randint(1, 30))
        values = [chance.randint(-(2**40), 2**40) for _ in places]
        samples: list[dict[str, int | str | None]] = [
            {
                "site_id": SITE,
                "at_s": first_s + place * 600,
                "sessions": 1,
                "clock_skew_ms": value,
            }
            for place, value in zip(places, values, strict=True)
        ]
        async with world.deps.db.begin() as tx:
            for row in (SiteSampleRow, SiteRollupRow, SeriesMarkRow):
                await tx.execute(delete(row))
            await series.keep(tx, samples)
        await roll_up(world.deps)
        for span_s in (HOUR_S, DAY_S):
            found = await rollups(world, span_s)
            rows = [row for row in found if row.metric == "clock_skew_ms"]
            assert sum(row.count for row in rows) == len(values), seed
            assert sum(row.total for row in rows) == sum(values), seed
            assert min(row.low for row in rows) == min(values), seed
            assert max(row.high for row in rows) == max(values), seed
            assert all(row.low <= row.total // row.count <= row.high for row in rows), seed
