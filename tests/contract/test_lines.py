"""What every box that people dial in to promises, asked of each: in memory, MikroTik routers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from shaping import lines
from shaping.memory import MemoryPlane
from shaping.plane import (
    Access,
    Cap,
    CapKey,
    Desired,
    Line,
    MacAddress,
    MonotonicMs,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from shaping.routeros.ppp import ACTIVE, PROFILES, SECRETS
from shaping.together import Box as Member
from shaping.together import Together
from tests.routeros.emulator import Trap
from tests.support.router import WIRING, Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shaping.plane import Applied, LineSeen
    from shaping.routeros.plane import RouterPlane
    from shaping.routeros.session import Lane

JANE, SECRET = "jane", "kiboko-7-simba"
MAC = MacAddress("48:a9:8a:aa:bb:01")
RATE = Rate(down_bps=4_000_000, up_bps=2_000_000)
CAP = CapKey("grant-7")
MINUTE_MS = 60_000


class Box(Protocol):
    """A box under test, whoever dials in to it, and a careless hand."""

    @property
    def plane(self) -> MemoryPlane | RouterPlane | Together: ...
    def now(self) -> MonotonicMs: ...
    def dial(self, name: str, secret: str) -> str | None: ...
    def hang_up(self, name: str) -> None: ...
    def passes(self, address: str, *, up: int, down: int) -> bool: ...
    def successor(self) -> None: ...
    def lose_power(self) -> None: ...
    def pass_time(self, ms: int) -> None: ...


@dataclass
class MemoryBox:
    clock_ms: int = 1_000_000
    plane: MemoryPlane = field(init=False)

    def __post_init__(self) -> None:
        self.plane = MemoryPlane(self.now)

    def now(self) -> MonotonicMs:
        return MonotonicMs(self.clock_ms)

    def dial(self, name: str, secret: str) -> str | None:
        return self.plane.dial(name, secret, MAC)

    def hang_up(self, name: str) -> None:
        self.plane.hang_up(name)

    def passes(self, address: str, *, up: int, down: int) -> bool:
        return self.plane.pass_bytes(ip_address(address), lines.MAC, up=up, down=down)

    def successor(self) -> None:
        pass  # what it does not forget, nobody has to find again

    def lose_power(self) -> None:
        self.plane.reboot()

    def pass_time(self, ms: int) -> None:
        self.clock_ms += ms


@dataclass
class RouterBox:
    router: Emulated
    plane: Any = field(init=False)
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.lane = self.router.a_lane()
        self.plane = self.router.a_plane(self.lane, WIRED)

    def now(self) -> MonotonicMs:
        return self.router.now()

    def dial(self, name: str, secret: str) -> str | None:
        try:
            return self.router.do(lambda box: box.dial(name, secret, MAC.upper()))
        except Trap:
            return None

    def hang_up(self, name: str) -> None:
        self.router.do(lambda box: box.hang_up(name))

    def passes(self, address: str, *, up: int, down: int) -> bool:
        passed = self.router.do(lambda box: box.pass_bytes(address, up=up, down=down))
        asyncio.run(self.plane.lines())
        return passed == (up, down)

    def successor(self) -> None:
        self.lane.close()
        self._begin()

    def close(self) -> None:
        asyncio.run(self.plane.clear())

    def lose_power(self) -> None:
        self.router.do(lambda box: box.power_cut())

    def pass_time(self, ms: int) -> None:
        self.router.do(lambda box: box.pass_time(-(-ms // 1_000)))


class PairBox(RouterBox):
    """The same router beside another of its site, to which nobody dials in."""

    def __init__(self, router: Emulated, beside: Emulated) -> None:
        self._beside = beside
        super().__init__(router)

    def _begin(self) -> None:
        super()._begin()
        self._other = self._beside.a_lane()
        near, far = IPv4Network("10.5.0.0/17"), IPv4Network("10.5.128.0/17")
        boxes = (
            Member("six", self._beside.a_plane(self._other), (far,)),
            Member("seven", self.plane, (near,), lines=self.plane),
        )
        self.plane = Together(boxes, now=self.now)

    def successor(self) -> None:
        self._other.close()
        super().successor()

    def close(self) -> None:
        asyncio.run(self.plane.clear())
        assert self._beside.rows(SECRETS) == []
        self._other.close()


WIRED = type(WIRING)(WIRING.lans, WIRING.portal, WIRING.portal_port, IPv4Network("10.64.0.0/24"))


@pytest.fixture(scope="module")
def router_six() -> Iterator[Emulated]:
    with Emulated(major=6) as router:
        yield router


@pytest.fixture(scope="module")
def router_seven() -> Iterator[Emulated]:
    with Emulated(major=7) as router:
        yield router


@pytest.fixture(params=["memory", "router_six", "router_seven", "pair"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    if request.param == "memory":
        yield MemoryBox()
        return
    if request.param == "pair":
        names = ("router_seven", "router_six")
        routed: RouterBox = PairBox(*map(request.getfixturevalue, names))
    else:
        routed = RouterBox(request.getfixturevalue(request.param))
    yield routed
    routed.close()
    routed.lane.close()
    for menu in (SECRETS, PROFILES, ACTIVE):
        rows = routed.router.rows(menu)
        assert not [row for row in rows if row.get("comment", "").startswith("lango")]


def apply(box: Box, desired: Desired) -> Applied:
    return asyncio.run(box.plane.apply(desired))


def told(box: Box, **changes: Any) -> Applied:
    """Tell the box of Jane's line alone."""
    return apply(box, Desired(lines={JANE: a_line(**changes)}))


def a_line(**changes: Any) -> Line:
    return Line(**{"secret": SECRET, "rate": RATE, **changes})


def seen(box: Box) -> LineSeen:
    return asyncio.run(box.plane.lines())[JANE]


def dialled(box: Box) -> str:
    address = box.dial(JANE, SECRET)
    assert address is not None, "she may"
    return address


def counted(box: Box) -> tuple[int, int]:
    counter = seen(box).counter
    return counter.down_bytes_total, counter.up_bytes_total


def test_who_has_the_name_and_the_secret_dials_in_and_is_seen(box: Box) -> None:
    told(box)
    wrong, unknown = box.dial(JANE, "another"), box.dial("joe", SECRET)
    address = dialled(box)
    caller = seen(box).caller

    assert (wrong, unknown) == (None, None)
    assert caller is not None
    assert (caller.mac, caller.address) == (MAC, address)


def test_what_passes_is_counted_for_the_line_and_for_no_session(box: Box) -> None:
    told(box)
    address = dialled(box)

    assert box.passes(address, up=70, down=5_000)
    assert counted(box) == (5_000, 70)
    assert asyncio.run(box.plane.counters()) == {}


def test_a_line_counts_on_over_its_dials_and_has_one_address(box: Box) -> None:
    told(box)
    first = dialled(box)
    box.passes(first, up=1, down=10)
    before = seen(box).caller
    box.hang_up(JANE)
    nobody = seen(box)
    again = dialled(box)
    box.passes(again, up=1, down=10)
    after = seen(box)

    assert first == again
    assert nobody.caller is None
    assert (nobody.counter.epoch, counted(box)) == (after.counter.epoch, (20, 2))
    assert before is not None
    assert after.caller is not None
    assert after.caller.key != before.key


def test_a_line_without_a_rate_is_put_out_and_lets_nobody_in(box: Box) -> None:
    told(box)
    address = dialled(box)
    box.passes(address, up=1, down=10)
    told(box, rate=None)
    after = seen(box)

    assert after.caller is None
    assert (counted(box), box.dial(JANE, SECRET)) == ((10, 1), None)
    assert not box.passes(address, up=1, down=1)


def test_a_line_that_is_told_no_more_is_gone_with_who_is_in(box: Box) -> None:
    told(box)
    address = dialled(box)
    apply(box, Desired())

    assert asyncio.run(box.plane.lines()) == {}
    assert not box.passes(address, up=1, down=1)
    assert box.dial(JANE, SECRET) is None


def test_a_new_secret_lets_in_by_it_and_not_by_the_old_one(box: Box) -> None:
    told(box)
    told(box, secret="a-new-one")

    assert box.dial(JANE, SECRET) is None
    assert box.dial(JANE, "a-new-one")


def test_a_change_of_speed_cuts_no_line(box: Box) -> None:
    told(box)
    address = dialled(box)
    before = seen(box).caller
    told(box, rate=Rate(8_000_000, 8_000_000))
    after = seen(box).caller

    assert before is not None
    assert after is not None
    assert after.key == before.key
    assert box.passes(address, up=1, down=1)


def test_the_box_itself_ends_what_passes_on_time(box: Box) -> None:
    told(box, open_until=MonotonicMs(box.now() + MINUTE_MS))
    address = dialled(box)
    before = box.passes(address, up=1, down=1)
    box.pass_time(MINUTE_MS + 1_000)

    assert before
    assert not box.passes(address, up=1, down=1)


def test_what_begins_while_nobody_looks_ends_with_its_lease(box: Box) -> None:
    told(box, lease_ms=10 * MINUTE_MS)
    address = dialled(box)
    box.pass_time(4 * MINUTE_MS)
    before = box.passes(address, up=1, down=1)
    box.pass_time(7 * MINUTE_MS)

    assert before
    assert not box.passes(address, up=1, down=1)


def test_a_lease_is_renewed_while_somebody_looks(box: Box) -> None:
    told(box, lease_ms=10 * MINUTE_MS)
    address = dialled(box)
    for _ in range(3):
        box.pass_time(6 * MINUTE_MS)
        told(box, lease_ms=10 * MINUTE_MS)

    assert box.passes(address, up=1, down=1)


def test_a_budget_ends_what_passes_by_a_line(box: Box) -> None:
    desired = Desired(lines={JANE: a_line(cap=CAP)}, caps={CAP: Cap(left_bytes=1_000)})
    apply(box, desired)
    address = dialled(box)
    before = box.passes(address, up=400, down=600)
    box.passes(address, up=1, down=0)

    assert before
    assert not box.passes(address, up=1, down=1)


def test_a_line_shares_a_pool(box: Box) -> None:
    pool = PoolKey("ap-1")
    apply(box, Desired(lines={JANE: a_line(pool=pool)}, pools={pool: Pool(RATE)}))

    assert box.passes(dialled(box), up=1, down=1)


def test_telling_it_again_changes_nothing(box: Box) -> None:
    until = MonotonicMs(box.now() + MINUTE_MS)
    first = told(box, open_until=until)
    again = told(box, open_until=until)

    assert first.changes > 0
    assert (again.changes, again.drift, again.refused) == (0, (), ())


def test_a_successor_finds_lines_dials_and_counts_as_they_were(box: Box) -> None:
    told(box)
    address = dialled(box)
    box.passes(address, up=1, down=10)
    before = seen(box)
    box.successor()
    changes = told(box).changes
    after = seen(box)

    assert changes == 0
    assert after == before


def test_after_a_power_cut_who_may_dials_in_again_and_counts_anew(box: Box) -> None:
    told(box)
    box.passes(dialled(box), up=1, down=10)
    epoch = seen(box).counter.epoch
    box.lose_power()
    told(box)
    nobody = seen(box).caller
    box.passes(dialled(box), up=2, down=20)

    assert nobody is None
    assert (seen(box).counter.epoch != epoch, counted(box)) == (True, (20, 2))


def test_a_device_that_has_a_lines_address_takes_nothing_from_it(box: Box) -> None:
    told(box)
    address = dialled(box)
    thief = Access(MacAddress("02:00:00:00:00:0c"), IPv4Address(address), frozenset(), RATE)
    both = Desired({SessionKey("0193-thief"): thief}, lines={JANE: a_line()})
    applied = apply(box, both)
    passed = box.passes(address, up=1, down=10)
    thefts = asyncio.run(box.plane.counters())

    assert not [text for text in applied.refused if JANE in text]
    assert (passed, counted(box)) == (True, (10, 1))
    assert not any(one.down_bytes_total for one in thefts.values())


def test_many_lines_have_an_address_each(box: Box) -> None:
    names = [f"house-{number}" for number in range(40)]
    apply(box, Desired(lines={name: a_line() for name in names}))
    addresses = {box.dial(name, SECRET) for name in names}

    assert len(addresses) == len(names)
    assert None not in addresses
