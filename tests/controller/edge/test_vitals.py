"""What an agent says of its box is believed as far as it can be, and of this moment only."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from wirepb.v1 import edge_pb2 as pb

from controller.edge import wire
from controller.edge.dispatch import Dispatch
from controller.records import Vitals
from controller.store import series, vitals
from controller.store.alerts import open_alerts
from controller.usecases import alerts
from controller.usecases.sampling import Sampler
from controller.work import VERBS
from tests.support.builders import JOURNAL, SITE, a_world, with_site
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database
    from controller.store.series_rows import SiteVitalsRow
    from tests.support.builders import World

NOW_MS = wire.milliseconds(MORNING)


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    return await with_site(a_world(db, tmp_path))


def told(**changed: int) -> pb.SiteVitals:
    message = pb.SiteVitals(taken_at_ms=NOW_MS, boot="b1", uptime_s=7, cpu_pct=0, memory_pct=40)
    for name, value in changed.items():
        setattr(message, name, value)
    return message


async def report(world: World, message: pb.SiteVitals | None) -> pb.ReportAck:
    request = pb.ReportRequest(journal=JOURNAL, vitals=message)
    return await Dispatch(world.deps, VERBS).report(SITE, request)


async def kept(world: World) -> SiteVitalsRow | None:
    async with world.deps.db.read() as tx:
        return await vitals.load(tx, SITE)


def test_what_is_absent_is_unknown_and_zero_is_zero() -> None:
    found = wire.vitals(told())

    assert found == Vitals(MORNING, "b1", 7, cpu_pct=0, memory_pct=40)


def test_a_portal_that_is_shut_is_not_one_of_which_nothing_is_known() -> None:
    shut = wire.vitals(pb.SiteVitals(taken_at_ms=NOW_MS, boot="b1", portal_open=False))
    older = wire.vitals(told())

    assert shut is not None
    assert older is not None
    assert (shut.portal_open, older.portal_open) == (False, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_pct", 101),
        ("disk_pct", 2**31),
        ("temperature_c", -273),
        ("wan_down_bytes", 2**63),
        ("loss_ppm", 1_000_001),
        ("clock_skew_ms", -(2**62)),
        ("dhcp_leases", 2**24),
        ("dhcp_addresses", 0),
    ],
)
def test_a_number_that_cannot_be_is_left_out_and_nothing_else(name: str, value: int) -> None:
    found = wire.vitals(told(**{name: value}))

    assert found is not None
    assert getattr(found, name) is None
    assert found.memory_pct == 40


@pytest.mark.parametrize(
    "message",
    [pb.SiteVitals(), pb.SiteVitals(boot="b 1"), pb.SiteVitals(boot="b", taken_at_ms=-1)],
)
def test_vitals_of_no_machine_are_none(message: pb.SiteVitals) -> None:
    assert wire.vitals(message) is None


async def test_vitals_are_kept_and_sampled(world: World) -> None:
    await report(world, told(rtt_ms=42, clock_skew_ms=0, wan_down_bytes=1_000))
    sampler = Sampler()
    await sampler.look(world.deps)
    world.clock.advance(20)
    later = NOW_MS + 20_000
    await report(world, told(taken_at_ms=later, clock_skew_ms=0, wan_down_bytes=6_000))
    await sampler.look(world.deps)
    async with world.deps.db.read() as tx:
        found = {
            metric: await series.last(
                tx,
                SITE,
                metric,
                since=MORNING,
                until=MORNING + timedelta(hours=1),
                step=timedelta(seconds=20),
            )
            for metric in ("rtt_ms", "memory_pct", "wan_down_bps", "temperature_c")
        }

    assert [p.mean for p in found["memory_pct"]] == [40, 40]
    assert [p.mean for p in found["rtt_ms"]] == [42]
    assert [p.mean for p in found["wan_down_bps"]] == [2_000]
    assert found["temperature_c"] == []


async def test_a_counter_that_began_anew_is_no_rate(world: World) -> None:
    sampler = Sampler()
    await report(world, told(wan_down_bytes=9_000))
    await sampler.look(world.deps)
    world.clock.advance(20)
    again = told(wan_down_bytes=50_000)  # more than before, of another life
    again.boot = "b2"
    await report(world, again)
    await sampler.look(world.deps)
    async with world.deps.db.read() as tx:
        newest = await series.newest(tx, [SITE], since=MORNING)

    assert newest[SITE].wan_down_bps is None


async def test_vitals_that_a_slow_link_held_are_dropped_when_the_site_knows_its_clock(
    world: World,
) -> None:
    skew_ms = -3_600_000  # an hour behind, and knows it
    await report(world, told(taken_at_ms=NOW_MS - 61_000 + skew_ms, clock_skew_ms=skew_ms))
    late = await kept(world)
    await report(world, told(taken_at_ms=NOW_MS - 59_000 + skew_ms, clock_skew_ms=skew_ms))

    assert late is None
    assert await kept(world) is not None


async def test_a_box_in_1970_is_placed_by_our_own_clock(world: World) -> None:
    await report(world, told(taken_at_ms=12_000))
    row = await kept(world)

    assert row is not None
    assert row.at == MORNING


async def test_an_agent_of_before_reports_as_ever_and_hears_what_time_it_is(world: World) -> None:
    ack = await report(world, None)

    assert ack.now_ms == NOW_MS
    assert await kept(world) is None


@pytest.mark.parametrize(
    ("leases", "addresses", "wanted"),
    [(181, 200, ["91 % of the addresses"]), (180, 200, []), (300, 200, ["100 % of the addresses"])],
)
async def test_a_site_whose_addresses_run_out_is_an_alert(
    world: World, leases: int, addresses: int, wanted: list[str]
) -> None:
    for _ in range(20):
        now_ms = wire.milliseconds(world.clock())
        message = told(taken_at_ms=now_ms, dhcp_leases=leases, dhcp_addresses=addresses)
        await report(world, message)
        await alerts.look(world.deps)
        world.clock.advance(5)
    async with world.deps.db.read() as tx:
        found = [row.text for row in await open_alerts(tx) if row.rule == "dhcp_pool"]

    assert [text.partition(" for")[0] for text in found] == wanted


async def test_a_site_that_gives_out_no_addresses_is_no_alert_and_no_figure(world: World) -> None:
    await report(world, told())
    row = await kept(world)

    assert row is not None
    assert (row.dhcp_leases, row.dhcp_addresses) == (None, None)
