"""Several boxes of one site as one plane: who has which device, and what one dead box does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from shaping.memory import MemoryPlane
from shaping.plane import (
    Access,
    Applied,
    Cap,
    CapKey,
    Desired,
    MonotonicMs,
    Partial,
    PlaneError,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from shaping.split import split
from shaping.together import GIVEN_UP_MS, Box, Together
from tests.support.gateway import mac_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shaping.plane import Counter

EAST, WEST = IPv4Network("10.1.0.0/24"), IPv4Network("10.2.0.0/24")
NETWORKS = {"east": (EAST,), "west": (WEST,)}
A, B = SessionKey("a"), SessionKey("b")
RATE = Rate(4_000_000, 2_000_000)
SOON_S = 2.0
"""Far less than a box that hangs is ever waited for at first."""


def at(address: str, number: int = 1, **changes: Any) -> Access:
    access = Access(mac_of(number), IPv4Address(address), frozenset(), RATE)
    return replace(access, **changes)


@dataclass
class Fragile:
    """A box in memory that can hang, and be gone."""

    clock: Clock
    free: asyncio.Event = field(default_factory=asyncio.Event)
    gone: str = ""
    asked: int = 0
    plane: MemoryPlane = field(init=False)

    def __post_init__(self) -> None:
        self.plane = MemoryPlane(self.clock.now)
        self.free.set()

    async def apply(self, desired: Desired) -> Applied:
        await self._trouble()
        return await self.plane.apply(desired)

    async def counters(self) -> Mapping[SessionKey, Counter]:
        await self._trouble()
        return await self.plane.counters()

    async def clear(self) -> None:
        await self._trouble()
        await self.plane.clear()

    async def _trouble(self) -> None:
        self.asked += 1
        await self.free.wait()
        if self.gone:
            raise PlaneError(self.gone)

    def passes(self, access: Access, size: int = 100) -> bool:
        assert access.ipv4 is not None
        return self.plane.pass_bytes(access.ipv4, access.mac, up=size)


@dataclass
class Clock:
    ms: int = 1_000_000

    def now(self) -> MonotonicMs:
        return MonotonicMs(self.ms)


class Site:
    def __init__(self) -> None:
        self.clock = Clock()
        self.east, self.west = Fragile(self.clock), Fragile(self.clock)
        # Two lives of meters are never called the same.
        for _ in range(100):
            asyncio.run(self.west.plane.apply(Desired()))
        self.begin()

    def begin(self, **limits: float) -> None:
        boxes = (Box("east", self.east, (EAST,)), Box("west", self.west, (WEST,)))
        self.plane = Together(boxes, now=self.clock.now, **limits)


@pytest.fixture
def site() -> Site:
    return Site()


def test_each_box_gets_its_own_devices_with_their_budgets_and_all_that_is_shared() -> None:
    pools = {PoolKey("ap"): Pool(RATE)}
    desired = Desired(
        {A: at("10.1.0.5", cap=CapKey("one")), B: at("10.2.0.5", 2, cap=CapKey("two"))},
        caps={CapKey("one"): Cap(1_000), CapKey("two"): Cap(2_000)},
        blocked=frozenset({mac_of(9)}),
        pools=pools,
        garden=frozenset({IPv4Network("203.0.113.0/24")}),
    )
    parts = split(desired, NETWORKS, {}).parts

    assert {name: set(part.access) for name, part in parts.items()} == {"east": {A}, "west": {B}}
    assert {name: set(part.caps) for name, part in parts.items()} == {
        "east": {"one"},
        "west": {"two"},
    }
    assert all(
        (part.pools, part.blocked, part.garden) == (pools, desired.blocked, desired.garden)
        for part in parts.values()
    )


def test_a_device_that_moved_is_closed_where_it_was() -> None:
    whole = split(Desired({A: at("10.2.0.5")}), NETWORKS, {"east": {A}, "west": ()})

    assert whole.homes == {A: "west"}
    assert whole.parts["east"].access[A].closed
    assert not whole.parts["west"].access[A].closed


def test_a_session_without_an_address_stays_where_it_is_held() -> None:
    whole = split(Desired({A: at("10.2.0.5", ipv4=None)}), NETWORKS, {"west": {A}})

    assert [set(part.access) for part in whole.parts.values()] == [set(), {A}]
    assert whole.homeless == ()


async def test_an_address_in_no_network_is_told_and_the_rest_is_done(site: Site) -> None:
    desired = Desired({A: at("10.9.0.5"), B: at("10.2.0.5", 2)})
    applied = await site.plane.apply(desired)

    assert applied.refused == ("10.9.0.5 of 02:00:00:00:00:01 is in no router's networks",)
    assert site.west.passes(desired.access[B])


async def test_a_move_keeps_every_byte_of_both_boxes(site: Site) -> None:
    there, here = at("10.1.0.5"), at("10.2.0.5")
    await site.plane.apply(Desired({A: there}))
    site.east.passes(there, 100)
    await site.plane.apply(Desired({A: here}))
    site.west.passes(here, 30)
    left = site.east.passes(there, 500)
    told = [(await site.plane.counters())[A] for _ in range(2)]
    await site.plane.apply(Desired({A: here}))

    assert not left
    assert [one.up_bytes_total for one in told] == [100, 30]
    assert len({one.epoch for one in told}) == 2
    assert A not in await site.east.plane.counters()


async def test_a_successor_tells_the_last_count_of_what_moved_before(site: Site) -> None:
    there, here = at("10.1.0.5"), at("10.2.0.5")
    await site.plane.apply(Desired({A: there}))
    site.east.passes(there, 100)
    site.begin()
    await site.plane.apply(Desired({A: here}))
    told = [(await site.plane.counters())[A].up_bytes_total for _ in range(2)]

    assert told == [100, 0]


@pytest.mark.parametrize("how", ["hangs", "gone"])
async def test_a_dead_box_harms_no_other_and_is_told_row_by_row(site: Site, how: str) -> None:
    site.begin(patience_s=0.2, grace_s=0.01)
    desired = Desired({A: at("10.1.0.5"), B: at("10.2.0.5", 2)})
    await site.plane.apply(Desired())
    if how == "gone":
        site.east.gone = "no route to it"
    else:
        site.east.free.clear()
    applied = await site.plane.apply(desired)

    assert site.west.passes(desired.access[B])
    assert not site.east.passes(desired.access[A])
    assert applied.unreached == {A}
    assert [text.partition(":")[0] for text in applied.refused] == ["east does not answer", "east"]
    assert "02:00:00:00:00:01" in applied.refused[1]


async def test_a_box_that_hangs_is_not_waited_for_again_and_mended_when_it_is_back(
    site: Site,
) -> None:
    site.begin(patience_s=0.1, grace_s=0.01)
    desired = Desired({A: at("10.1.0.5"), B: at("10.2.0.5", 2)})
    await site.plane.apply(Desired())
    site.east.free.clear()
    await site.plane.apply(desired)
    before = site.east.asked
    again = [await site.plane.apply(desired) for _ in range(3)]
    site.east.free.set()
    async with asyncio.timeout(SOON_S):
        while (await site.plane.apply(desired)).unreached:
            await site.plane.counters()

    assert [one.unreached for one in again] == [{A}] * 3
    assert site.east.asked - before < 6, "a box that is busy is asked nothing"
    assert site.east.passes(desired.access[A])


async def test_counters_go_on_and_name_the_sessions_of_which_nobody_knows(site: Site) -> None:
    desired = Desired({A: at("10.1.0.5"), B: at("10.2.0.5", 2)})
    await site.plane.apply(desired)
    site.west.passes(desired.access[B], 70)
    site.east.gone = "no route to it"
    counters = await site.plane.counters()

    assert counters[B].up_bytes_total == 70
    assert isinstance(counters, Partial)
    assert counters.unread == {A}


async def test_a_box_that_is_gone_for_long_no_longer_keeps_sessions_from_ending(
    site: Site,
) -> None:
    desired = Desired({A: at("10.1.0.5"), B: at("10.2.0.5", 2)})
    await site.plane.apply(desired)
    site.east.gone = "no route to it"
    await site.plane.counters()
    site.clock.ms += GIVEN_UP_MS
    counters, applied = await site.plane.counters(), await site.plane.apply(desired)

    assert not isinstance(counters, Partial)
    assert applied.unreached == frozenset()
    assert applied.refused, "it is still told"


async def test_what_cannot_be_is_refused_before_any_box_is_told(site: Site) -> None:
    await site.plane.apply(Desired())
    asked = site.east.asked
    both = Desired({A: at("10.2.0.5"), B: at("10.2.0.5", 2)})
    with pytest.raises(PlaneError, match=r"share 10\.2\.0\.5"):
        await site.plane.apply(both)

    assert site.east.asked == asked


async def test_when_no_box_answers_the_plane_has_failed(site: Site) -> None:
    site.east.gone = site.west.gone = "no route to it"
    with pytest.raises(PlaneError, match="no route"):
        await site.plane.apply(Desired())
    with pytest.raises(PlaneError, match="no route"):
        await site.plane.counters()


async def test_to_be_told_to_stop_stops_a_question_under_way(site: Site) -> None:
    site.east.free.clear()
    site.west.free.clear()
    asking = asyncio.create_task(site.plane.counters())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.gather(*left, return_exceptions=True)

    assert all(task.cancelled() for task in left)
