"""How the box is, from its files; and what the agent's own calls say of the link."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent.courier import HEARTBEAT_MS
from agent.model import Instant
from agent.status import of_box
from agent.vitals import (
    CALLS_MS,
    FRESH_MS,
    SMALL_BYTES,
    Box,
    Calls,
    LinkSeen,
    busy_and_all,
    hottest,
    memory_pct,
    resident_kib,
    traffic,
)
from billing.ids import OrderId
from shaping.plane import MonotonicMs
from tests.agent.test_loop import Site
from tests.support.site import some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo: 109212     131    0    0    0     0          0         0   109212     131    0    0
  wan0: 9000000    7000    0    1    0     0          0         0  1000000    5000    0    0
br-lan:1000500    5100    0    0    0     0          0         0  8900000    6900    0    0
"""
STAT = """\
cpu  100 10 50 800 40 0 0 0 0 0
cpu0 100 10 50 800 40 0 0 0 0 0
intr 1
"""
MEMINFO = """\
MemTotal:         500000 kB
MemFree:           20000 kB
MemAvailable:     125000 kB
"""
START = Instant(wall=NOON, mono=MonotonicMs(1_000_000), boot="8d5e0a6c-1f2b-4c3d-9e8f-001122334455")


def later(now: Instant, ms: int, *, set_by_ms: int = 0) -> Instant:
    """``ms`` later; the wall clock was set by so much meanwhile."""
    wall = now.wall + timedelta(milliseconds=ms + set_by_ms)
    return replace(now, wall=wall, mono=MonotonicMs(now.mono + ms))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "proc/self/net/dev": DEV,
        "proc/stat": STAT,
        "proc/meminfo": MEMINFO,
        "proc/self/statm": "20000 11000 3000 1 0 9000 0\n",
        "sys/class/thermal/thermal_zone0/temp": "48250\n",
        "sys/class/thermal/thermal_zone1/temp": "61900\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def box(root: Path) -> Box:
    return Box(lan="br-lan", wan="wan0", state_dir=root, root=root)


def test_a_box_tells_what_its_files_say(root: Path) -> None:
    machine = box(root)
    machine.vitals(START)
    (root / "proc/stat").write_text("cpu  160 10 70 900 60 0 0 0 0 0\n")
    vitals = machine.vitals(later(START, FRESH_MS))

    assert vitals.uptime_s == 1_010
    assert vitals.boot == "8d5e0a6c1f2b4c3d9e8f001122334455"
    assert vitals.cpu_pct == 40  # 80 ticks of work in 200
    assert vitals.memory_pct == 75
    assert vitals.temperature_c == 61
    assert (vitals.wan_down_bytes, vitals.wan_up_bytes) == (9_000_000, 1_000_000)
    assert (vitals.lan_down_bytes, vitals.lan_up_bytes) == (8_900_000, 1_000_500)
    assert vitals.disk_pct in range(101)
    assert vitals.agent_memory_kib is not None
    assert vitals.agent_memory_kib >= 11_000 * 4


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    vitals = Box(lan="br-lan", wan="wan0", state_dir=tmp_path, root=tmp_path).vitals(START)

    assert of_box(vitals).keys() == {"uptime_s", "disk_pct"}


@pytest.mark.parametrize("text", ["", "nonsense", "cpu", "cpu  x 1 2 3 4", "MemTotal: kB\n", ":"])
def test_files_that_say_nothing_say_nothing(text: str) -> None:
    assert busy_and_all(text) is None
    assert memory_pct(text) is None
    assert traffic(text) == {}
    assert resident_kib(text) is None
    assert hottest([text]) is None


def test_a_sensor_that_is_not_there_is_not_believed() -> None:
    assert hottest(["-273150", "41000", "255000"]) == 41


def test_the_first_look_says_nothing_of_the_processors(root: Path) -> None:
    assert box(root).vitals(START).cpu_pct is None


def test_files_are_not_read_again_within_ten_seconds(root: Path) -> None:
    machine = box(root)
    first = machine.vitals(START)
    (root / "proc/meminfo").write_text(MEMINFO.replace("125000", "250000"))

    assert machine.vitals(later(START, FRESH_MS - 1)) is first
    assert machine.vitals(later(START, FRESH_MS)).memory_pct == 50


def test_latency_is_the_middle_of_what_small_reports_took() -> None:
    calls = Calls()
    for took_ms in (400, 80, 90):
        calls.answered(START, took_ms=took_ms, size_bytes=100, at=None)
    calls.answered(START, took_ms=9_000, size_bytes=SMALL_BYTES + 1, at=None)

    assert calls.seen(START) == LinkSeen(rtt_ms=90, loss_ppm=0)


def test_loss_is_of_the_reports_of_the_last_minutes() -> None:
    calls = Calls()
    calls.failed(START)
    for _ in range(3):
        calls.answered(later(START, 1_000), took_ms=50, size_bytes=1, at=None)

    assert calls.seen(later(START, CALLS_MS)).loss_ppm == 250_000
    assert calls.seen(later(START, CALLS_MS + 1)).loss_ppm == 0
    assert calls.seen(later(START, CALLS_MS + 1_001)) == LinkSeen()


def test_a_clock_is_compared_with_the_controllers_in_the_middle_of_a_call() -> None:
    calls = Calls()
    there = START.wall - timedelta(milliseconds=7_100)
    calls.answered(START, took_ms=200, size_bytes=1, at=there)
    calls.answered(START, took_ms=5_000, size_bytes=1, at=START.wall)

    assert calls.seen(START).clock_skew_ms == 7_000


def test_once_the_clock_was_set_nothing_is_known_of_it() -> None:
    calls = Calls()
    calls.answered(START, took_ms=0, size_bytes=1, at=START.wall - timedelta(days=1))

    assert calls.seen(later(START, 5_000)).clock_skew_ms == 86_400_000
    assert calls.seen(later(START, 5_000, set_by_ms=-86_400_000)).clock_skew_ms is None


@pytest.fixture
async def site(tmp_path: Path, root: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path / "site", vitals=box(root).vitals)
    await made.start()
    yield made
    await made.stop()


async def test_a_report_says_how_the_box_is(site: Site) -> None:
    site.controller.clock = site.clock.now().wall - timedelta(seconds=9)
    await site.clock.advance(60)
    await site.clock.advance(60)
    vitals = site.controller.vitals

    assert vitals is not None
    assert (vitals.memory_pct, vitals.loss_ppm, vitals.rtt_ms) == (75, 0, 0)
    assert vitals.clock_skew_ms is not None
    assert site.journal.last_seq == 0  # nothing of it was journalled


async def test_of_the_time_of_a_cut_nothing_is_told_afterwards(site: Site) -> None:
    await site.clock.advance(60)
    site.uplink.cut()
    await site.clock.advance(600)
    before = site.controller.vitals
    site.uplink.mend()
    await site.clock.advance(61)
    vitals = site.controller.vitals

    assert before is not None
    assert vitals is not None
    assert before.taken_at < site.clock.now().wall - timedelta(seconds=600)
    assert vitals.taken_at > site.clock.now().wall - timedelta(seconds=61)
    assert vitals.loss_ppm is not None
    assert vitals.loss_ppm > 0


async def test_what_the_controller_knows_is_not_told_again(site: Site) -> None:
    await site.clock.advance(61)
    first, site.controller.vitals = site.controller.vitals, None
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await site.clock.advance(3)

    assert first is not None
    assert site.controller.records != {}
    assert site.controller.vitals is None


async def test_how_the_clock_is_is_told_soon_after_it_is_known_and_then_seldom(site: Site) -> None:
    site.controller.clock = site.clock.now().wall
    await site.clock.advance(HEARTBEAT_MS // 1_000 + 1)
    told = site.controller.vitals
    await site.clock.advance(FRESH_MS // 1_000 + 1)
    soon = site.controller.vitals
    await site.clock.advance(FRESH_MS // 1_000 + 1)

    assert told is not None
    assert told.clock_skew_ms is None
    assert soon is not None
    assert soon.clock_skew_ms is not None
    assert site.controller.vitals is soon


@pytest.mark.parametrize("said", [True, False, None])
def test_a_box_tells_whether_its_portal_is_open(root: Path, said: bool | None) -> None:  # noqa: FBT001 - a case
    machine = Box(lan="br-lan", wan="wan0", state_dir=root, root=root, portal_open=lambda: said)

    assert machine.vitals(START).portal_open is said
