"""What every data plane promises, asked of each: in memory, a Linux gateway, MikroTik routers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from shaping.linux.plane import boot_clock
from shaping.memory import MemoryPlane
from shaping.plane import (
    Applied,
    Burst,
    Cap,
    CapKey,
    Desired,
    MonotonicMs,
    PlaneError,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from shaping.routeros.rows import LISTS, QUEUES
from shaping.together import Box as Member
from shaping.together import Together
from tests.support.gateway import KEY, PHONE, SERVER4, Street, an_access, mac_of, v4_of
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shaping.plane import Counter, DataPlane
    from shaping.routeros.plane import RouterPlane
    from shaping.routeros.session import Lane

CAP = CapKey("grant-7")
NEXT = SessionKey("0193-next")
AP, SECTOR, TOWER = PoolKey("ap-1"), PoolKey("sector-2"), PoolKey("tower")
WIDE = Rate(down_bps=40_000_000, up_bps=20_000_000)
TREE = {AP: Pool(WIDE, SECTOR), SECTOR: Pool(WIDE), TOWER: Pool(WIDE)}
GARDEN = frozenset({ip_network(f"{SERVER4}/31"), ip_network("fd77:2::/64")})
PING_BYTES = 32
"""What one ping carries at layer 3, each way."""


class Box(Protocol):
    """A box under test: its plane, a device that pings through it, and a careless hand."""

    @property
    def plane(self) -> DataPlane: ...
    def now(self) -> MonotonicMs: ...
    def ping(self) -> bool: ...
    def lose_everything(self) -> None: ...
    def successor(self) -> None: ...
    def remove_access(self) -> None: ...
    def remove_garden(self) -> None: ...
    def remove_pools(self) -> None: ...
    def pass_time(self, ms: int) -> None: ...


@dataclass
class MemoryBox:
    clock_ms: int = 1_000_000
    plane: MemoryPlane = field(init=False)

    def __post_init__(self) -> None:
        self.plane = MemoryPlane(self.now)

    def now(self) -> MonotonicMs:
        return MonotonicMs(self.clock_ms)

    def ping(self) -> bool:
        device, there = (v4_of(PHONE), mac_of(PHONE)), ip_address(SERVER4)
        return self.plane.pass_bytes(
            *device, up=PING_BYTES, remote=there
        ) and self.plane.pass_bytes(*device, down=PING_BYTES, remote=there)

    def lose_everything(self) -> None:
        self.plane.reboot()

    def successor(self) -> None:
        pass  # what it does not forget, nobody has to find again

    def remove_access(self) -> None:
        self.plane.tamper(v4_of(PHONE))

    def remove_garden(self) -> None:
        self.plane.tamper_with_garden()

    def remove_pools(self) -> None:
        self.plane.tamper_with_pools()

    def pass_time(self, ms: int) -> None:
        self.clock_ms += ms


@dataclass
class LinuxBox:
    street: Street

    @property
    def plane(self) -> DataPlane:
        return self.street.plane

    def now(self) -> MonotonicMs:
        return boot_clock()

    def ping(self) -> bool:
        return self.street.reaches(PHONE, SERVER4)

    def lose_everything(self) -> None:
        self.street.nft("delete table inet lango")

    def remove_access(self) -> None:
        self.street.nft("flush set inet lango up4", "flush set inet lango down4")

    def successor(self) -> None:
        self.street.restart()

    def remove_garden(self) -> None:
        self.street.nft("flush set inet lango garden4")

    def remove_pools(self) -> None:
        self.street.gateway.run("tc", "qdisc", "del", "dev", "wan0", "root")
        asyncio.run(self.street.plane.verify())

    def pass_time(self, ms: int) -> None:
        end = boot_clock() + ms
        while boot_clock() < end:
            asyncio.run(asyncio.sleep((end - boot_clock()) / 1000))


@dataclass
class RouterBox:
    """A router of one version. What it is told, it is told by an agent that counts it."""

    router: Emulated
    plane: RouterPlane = field(init=False)
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.lane = self.router.a_lane()
        self.plane = self.router.a_plane(self.lane)

    def now(self) -> MonotonicMs:
        return self.router.now()

    def ping(self) -> bool:
        """There, a reading as an agent takes one all the time, and back.

        A router has no budgets of bytes: they end with the reading that finds them used up.
        """
        return self.passes(up=PING_BYTES) and self.passes(down=PING_BYTES)

    def passes(self, **sizes: int) -> bool:
        """Whether the phone's bytes pass; a reading is taken then."""
        address, mac = str(v4_of(PHONE)), mac_of(PHONE).upper()
        passed = self.router.do(lambda box: box.pass_bytes(address, mac=mac, to=SERVER4, **sizes))
        asyncio.run(self.plane.counters())
        return sum(passed) == PING_BYTES

    def lose_everything(self) -> None:
        self.router.do(lambda box: box.power_cut())

    def successor(self) -> None:
        self.lane.close()
        self._begin()

    def remove_access(self) -> None:
        self._remove(LISTS, "way")

    def remove_garden(self) -> None:
        self._remove(LISTS, "garden")

    def remove_pools(self) -> None:
        self._remove(QUEUES, "pool")

    def _remove(self, menu: str, kind: str) -> None:
        for row in self.router.rows(menu):
            if row.get("comment", "").startswith(f"lango {kind} "):
                identity = row[".id"]
                self.router.do(lambda box, one=identity: box.remove(menu, one))  # type: ignore[misc]
        asyncio.run(self.plane.verify())

    def pass_time(self, ms: int) -> None:
        """At least so long: a router ends access on its whole seconds."""
        self.router.do(lambda box: box.pass_time(-(-ms // 1_000)))


@dataclass
class PairBox:
    """Two routers of one site, one of each version; the phone is behind the newer one."""

    seven: Emulated
    six: Emulated
    plane: Together = field(init=False)
    first: RouterBox = field(init=False)
    second: RouterBox = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.second = RouterBox(self.seven), RouterBox(self.six)
        self._begin()

    def _begin(self) -> None:
        near, far = (ip_network(f"10.77.0.{part}/25") for part in (0, 128))
        assert isinstance(near, IPv4Network)
        assert isinstance(far, IPv4Network)
        boxes = (
            Member("seven", self.first.plane, (near,)),
            Member("six", self.second.plane, (far,)),
        )
        self.plane = Together(boxes, now=self.now)

    def now(self) -> MonotonicMs:
        return self.seven.now()

    def ping(self) -> bool:
        return self.first.ping()

    def lose_everything(self) -> None:
        for one in (self.first, self.second):
            one.lose_everything()

    def successor(self) -> None:
        for one in (self.first, self.second):
            one.successor()
        self._begin()

    def remove_access(self) -> None:
        self.first.remove_access()

    def remove_garden(self) -> None:
        self.first.remove_garden()

    def remove_pools(self) -> None:
        self.first.remove_pools()

    def pass_time(self, ms: int) -> None:
        for one in (self.first, self.second):
            one.pass_time(ms)

    def close(self) -> None:
        asyncio.run(self.plane.clear())
        for one in (self.first, self.second):
            one.lane.close()


@pytest.fixture(scope="module")
def router_six() -> Iterator[Emulated]:
    with Emulated(major=6) as router:
        yield router


@pytest.fixture(scope="module")
def router_seven() -> Iterator[Emulated]:
    with Emulated(major=7) as router:
        yield router


@pytest.fixture(scope="module")
def wired_street() -> Iterator[Street]:
    with Street() as street:
        yield street


@pytest.fixture(
    params=[
        "memory",
        pytest.param("linux", marks=pytest.mark.root),
        "router_six",
        "router_seven",
        "pair",
    ]
)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    if request.param == "memory":
        yield MemoryBox()
        return
    if request.param == "pair":
        names = ("router_seven", "router_six")
        pair = PairBox(*map(request.getfixturevalue, names))
        yield pair
        pair.close()
        return
    if request.param != "linux":
        routed = RouterBox(request.getfixturevalue(request.param))
        yield routed
        asyncio.run(routed.plane.clear())
        routed.lane.close()
        return
    street: Street = request.getfixturevalue("wired_street")
    yield LinuxBox(street)
    asyncio.run(street.plane.clear())


def apply(box: Box, desired: Desired) -> Applied:
    return asyncio.run(box.plane.apply(desired))


def counters(box: Box) -> dict[SessionKey, Counter]:
    return dict(asyncio.run(box.plane.counters()))


def said(texts: tuple[str, ...]) -> list[str]:
    """The texts of a plane, without the name of the box."""
    return [text.rpartition(": ")[2] for text in texts]


def one(**changes: Any) -> Desired:
    """The phone's session alone, with an IPv4 address alone."""
    return Desired({KEY: replace(an_access(), ipv6=frozenset(), **changes)})


def test_a_device_that_is_not_listed_is_captive(box: Box) -> None:
    apply(box, Desired())

    assert not box.ping()


def test_a_device_that_is_listed_passes(box: Box) -> None:
    apply(box, one())

    assert box.ping()


def test_repeating_an_apply_changes_nothing(box: Box) -> None:
    desired = replace(one(cap=CAP), caps={CAP: Cap(1_000)}, blocked=frozenset({mac_of(9)}))
    apply(box, desired)

    assert apply(box, desired) == Applied(0)


def test_what_passed_is_counted_each_way(box: Box) -> None:
    apply(box, one())
    box.ping()
    counter = counters(box)[KEY]

    assert (counter.down_bytes_total, counter.up_bytes_total) == (PING_BYTES, PING_BYTES)


def test_what_was_refused_is_not_counted(box: Box) -> None:
    apply(box, one(closed=True))
    box.ping()
    counter = counters(box)[KEY]

    assert (counter.down_bytes_total, counter.up_bytes_total) == (0, 0)


def test_a_closed_session_keeps_its_counters_and_passes_nothing(box: Box) -> None:
    apply(box, one())
    box.ping()
    before = counters(box)[KEY]
    apply(box, one(closed=True))

    assert not box.ping()
    assert counters(box)[KEY] == before


def test_a_session_that_is_no_longer_listed_is_forgotten(box: Box) -> None:
    apply(box, one())
    apply(box, Desired())

    assert counters(box) == {}


def test_renewal_and_another_speed_keep_counters_and_epoch(box: Box) -> None:
    apply(box, one(open_until=MonotonicMs(box.now() + 5_000)))
    box.ping()
    before = counters(box)[KEY]
    slow = Rate(down_bps=1_000_000, up_bps=1_000_000)
    apply(box, one(open_until=MonotonicMs(box.now() + 60_000), rate=slow))

    assert counters(box)[KEY] == before


def test_a_deadline_ends_access_by_itself(box: Box) -> None:
    apply(box, one(open_until=MonotonicMs(box.now() + 300)))
    before = box.ping()
    box.pass_time(350)

    assert (before, box.ping()) == (True, False)


def test_a_deadline_that_has_passed_gives_no_access(box: Box) -> None:
    apply(box, one(open_until=MonotonicMs(box.now() - 1)))

    assert not box.ping()


def test_a_budget_ends_access_by_itself(box: Box) -> None:
    apply(box, replace(one(cap=CAP), caps={CAP: Cap(2 * PING_BYTES)}))
    before = box.ping()

    assert (before, box.ping()) == (True, False)


def test_a_budget_told_again_is_not_filled_again(box: Box) -> None:
    desired = replace(one(cap=CAP), caps={CAP: Cap(2 * PING_BYTES)})
    apply(box, desired)
    box.ping()
    apply(box, replace(desired, caps={CAP: Cap(100 * PING_BYTES)}))

    assert not box.ping()


def test_a_new_revision_of_a_budget_counts_from_now(box: Box) -> None:
    desired = replace(one(cap=CAP), caps={CAP: Cap(1)})
    apply(box, desired)
    before = box.ping()
    apply(box, replace(desired, caps={CAP: Cap(2 * PING_BYTES, revision=1)}))

    assert (before, box.ping(), box.ping()) == (False, True, False)


def test_a_blocked_device_passes_nothing_even_when_listed(box: Box) -> None:
    apply(box, replace(one(), blocked=frozenset({mac_of(PHONE)})))

    assert not box.ping()


def test_an_address_moves_to_another_session_and_both_keep_their_own_count(box: Box) -> None:
    apply(box, one())
    box.ping()
    closed, opened = one(closed=True).access[KEY], one().access[KEY]
    apply(box, Desired({KEY: closed, NEXT: opened}))
    box.ping()
    box.ping()
    counted = counters(box)

    assert counted[KEY].up_bytes_total == PING_BYTES
    assert counted[NEXT].up_bytes_total == 2 * PING_BYTES


def test_a_session_sums_what_its_earlier_addresses_passed(box: Box) -> None:
    apply(box, one())
    box.ping()
    before = counters(box)[KEY]
    apply(box, one(ipv4=v4_of(77)))

    assert counters(box)[KEY] == before
    assert not box.ping()


def test_access_removed_by_hand_is_given_back_and_told(box: Box) -> None:
    apply(box, one())
    box.remove_access()
    before = box.ping()
    applied = apply(box, one())

    assert (before, box.ping()) == (False, True)
    assert any("10.77.0.101" in words for words in applied.drift)


def test_counters_that_were_lost_begin_a_new_epoch(box: Box) -> None:
    apply(box, one())
    box.ping()
    before = counters(box)[KEY]
    box.lose_everything()
    apply(box, one())
    after = counters(box)[KEY]

    assert after.epoch != before.epoch
    assert after.up_bytes_total == 0


def test_clear_leaves_no_counter_and_no_access(box: Box) -> None:
    apply(box, one())
    asyncio.run(box.plane.clear())

    assert counters(box) == {}


def test_a_desired_state_that_cannot_be_is_refused_and_changes_nothing(box: Box) -> None:
    apply(box, one())
    box.ping()
    before = counters(box)
    shared = Desired({NEXT: one().access[KEY], KEY: one().access[KEY]})
    with pytest.raises(PlaneError, match=r"share 10\.77\.0\.101"):
        apply(box, shared)

    assert counters(box) == before
    assert box.ping()


POOLED = {
    "a pool inside a pool": TREE,
    "a pool of another rate": TREE | {AP: Pool(Rate(9_000_000, 9_000_000), SECTOR)},
    "a pool that became part of another": TREE | {AP: Pool(WIDE, TOWER)},
    "a pool that is part of none any more": {AP: Pool(WIDE)},
}


@pytest.mark.parametrize("name", POOLED)
def test_a_session_in_a_pool_passes_and_keeps_its_counters(box: Box, name: str) -> None:
    apply(box, replace(one(pool=AP), pools=TREE))
    box.ping()
    before = counters(box)[KEY]
    desired = replace(one(pool=AP), pools=POOLED[name])
    apply(box, desired)

    assert counters(box)[KEY] == before
    assert box.ping()
    assert apply(box, desired) == Applied(0)


def test_a_session_that_enters_and_leaves_a_pool_keeps_its_counters(box: Box) -> None:
    apply(box, replace(one(), pools=TREE))
    box.ping()
    before = counters(box)[KEY]
    apply(box, replace(one(pool=AP), pools=TREE))
    apply(box, replace(one(pool=TOWER), pools=TREE))
    apply(box, one())

    assert counters(box)[KEY] == before
    assert box.ping()


def test_a_pool_that_is_not_there_is_refused_by_name(box: Box) -> None:
    with pytest.raises(PlaneError, match="is in pool 'ap-1', unknown"):
        apply(box, one(pool=AP))


def test_pools_in_a_circle_are_refused_by_name_and_change_nothing(box: Box) -> None:
    apply(box, replace(one(pool=AP), pools=TREE))
    circle = {AP: Pool(WIDE, SECTOR), SECTOR: Pool(WIDE, AP)}
    with pytest.raises(PlaneError, match="circle: ap-1 in sector-2 in ap-1"):
        apply(box, replace(one(pool=AP), pools=circle))

    assert box.ping()
    assert apply(box, replace(one(pool=AP), pools=TREE)) == Applied(0)


def test_pools_removed_by_hand_are_given_back_and_told(box: Box) -> None:
    desired = replace(one(pool=AP), pools=TREE)
    apply(box, desired)
    box.remove_pools()
    drift = apply(box, desired).drift

    assert {f"the pool {key} was changed" for key in TREE} <= set(said(drift))
    assert apply(box, desired) == Applied(0)
    assert box.ping()


def test_a_successor_finds_all_as_it_was_left(box: Box) -> None:
    rate = Rate(4_000_000, 2_000_000, Burst(8_000_000, 4_000_000, 1_000_000))
    pooled = replace(one(pool=AP, rate=rate), pools=TREE, garden=GARDEN)
    apply(box, pooled)
    before = counters(box)
    box.successor()

    assert apply(box, pooled) == Applied(0)
    assert counters(box) == before


def test_a_burst_comes_and_goes_under_the_same_meter(box: Box) -> None:
    plain = Rate(4_000_000, 2_000_000)
    apply(box, one(rate=plain))
    before = counters(box)[KEY]
    bursting = one(rate=replace(plain, burst=Burst(8_000_000, 4_000_000, 1_000_000)))
    changes = [apply(box, desired).changes for desired in (bursting, bursting, one(rate=plain))]

    assert changes == [1, 0, 1]
    assert counters(box)[KEY] == before


def test_the_garden_is_open_to_a_captive_device(box: Box) -> None:
    apply(box, Desired())
    before = box.ping()
    apply(box, Desired(garden=GARDEN))

    assert (before, box.ping()) == (False, True)


def test_the_garden_is_not_counted(box: Box) -> None:
    apply(box, replace(one(), garden=GARDEN))
    box.ping()

    assert counters(box)[KEY].up_bytes_total == 0


def test_the_garden_is_closed_to_blocked_devices(box: Box) -> None:
    apply(box, Desired(blocked=frozenset({mac_of(PHONE)}), garden=GARDEN))

    assert not box.ping()


def test_what_left_the_garden_is_closed_again(box: Box) -> None:
    apply(box, Desired(garden=GARDEN))
    apply(box, Desired(garden=frozenset({ip_network("203.0.113.0/24")})))

    assert not box.ping()


def test_a_garden_changed_by_hand_is_mended_and_told(box: Box) -> None:
    apply(box, Desired(garden=GARDEN))
    box.remove_garden()
    before = box.ping()
    drift = apply(box, Desired(garden=GARDEN)).drift

    assert "the walled garden was changed" in said(drift)
    assert (before, box.ping()) == (False, True)
