"""Lines of a router that keeps the secrets: decided, told and counted with the clock in hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.changes import digest
from agent.clock import SystemClock
from agent.decide import decide_all
from agent.desired import desired
from agent.journal import Journal
from agent.line_watch import LOOK_MS, QUIET_MS, TOLD_AT_ONCE, LineWatch, missed, news
from agent.loop import MEND_MS, Loop
from agent.model import (
    Account,
    Accounted,
    AccountStatus,
    Changed,
    Instant,
    Lined,
    Lost,
    Reading,
    SessionClosed,
    SessionOpened,
    Sighted,
    State,
    Ticked,
)
from agent.sessions import HUNG_UP_MAX
from agent.uplink.memory import blocked_item, grant_item, login_item
from agent.uplink.seam import DesiredChange
from shaping import lines
from shaping.memory import MemoryPlane
from shaping.plane import Applied, MacAddress, MonotonicMs, Neighbour, PlaneError, Sight
from tests.support.site import some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.model import Event
    from billing.ids import SessionId
    from shaping.plane import Desired, Line, LineSeen

NAME, SECRET, CAUSE, ROUTER = "wanjiku", "kiboko-7-simba", "sub:1", "tower"
PHONE, OTHER = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
HOUR_S = 3_600


@dataclass
class Site:
    """A site whose box people dial in to; nothing happens by itself."""

    state: State = field(default_factory=State)
    facts: list[object] = field(default_factory=list)
    items: dict[str, bytes] = field(default_factory=dict)
    ms: int = 1_000_000
    generation: int = 0
    boot: str = "b1"

    def __post_init__(self) -> None:
        self.box = MemoryPlane(self.now)

    def now(self) -> MonotonicMs:
        return MonotonicMs(self.ms)

    def event(self, event: Event) -> None:
        """Something happens, and the box is told what follows."""
        self.events([event])

    def events(self, events: list[Event]) -> None:
        """The same of several."""
        now = Instant(NOON + timedelta(milliseconds=self.ms), self.now(), self.boot)
        self.state, effects = decide_all(self.state, events, now)
        self.facts += effects
        asyncio.run(self.box.apply(desired(self.state, self.now(), lines_at=ROUTER)))

    def told(self, *items: tuple[str, bytes], gone: tuple[str, ...] = ()) -> None:
        """The controller says something."""
        self.items |= dict(items)
        self.items = {key: body for key, body in self.items.items() if key not in gone}
        self.generation += 1
        step = DesiredChange(self.generation, 0, tuple(self.items.items()), (), digest(self.items))
        self.event(Changed(step))

    def look(self, seconds: float = 11) -> None:
        """Some time passes, and somebody looks at the lines."""
        self.ms += int(seconds * 1_000)
        self.event(Ticked())
        seen = asyncio.run(self.box.lines())
        accounts = tuple(news(self.state, seen, ROUTER, self.now()))
        if accounts:
            self.event(Lined(accounts))

    def dial(self, mac: MacAddress = PHONE) -> bool:
        """Somebody dials in."""
        return self.box.dial(NAME, SECRET, mac) is not None

    def passes(self, size: int) -> bool:
        """So many bytes come down."""
        address = IPv4Address("10.20.0.2")
        return self.box.pass_bytes(address, lines.MAC, down=size)

    @property
    def dialled(self) -> str | None:
        """Which dial it is by which somebody is in."""
        caller = asyncio.run(self.box.lines())[NAME].caller
        return None if caller is None else caller.key

    def line(self) -> Line:
        """What the box is told of the one line."""
        return desired(self.state, self.now(), lines_at=ROUTER).lines[NAME]

    @property
    def counted(self) -> dict[str, int]:
        """The bytes of which the controller is told, by grant."""
        last: dict[tuple[SessionId, str], int] = {}
        owners: dict[tuple[SessionId, str], str] = {}
        for one in self.facts:
            if isinstance(one, Reading):
                key = one.session_id, one.epoch
                assert one.down_bytes_total >= last.get(key, 0), "readings only rise"
                last[key], owners[key] = one.down_bytes_total, one.grant_id
        sums: dict[str, int] = {}
        for key, size in last.items():
            sums[owners[key]] = sums.get(owners[key], 0) + size
        return sums

    @property
    def opened(self) -> list[MacAddress]:
        """Who began a session."""
        return [one.mac for one in self.facts if isinstance(one, SessionOpened)]

    @property
    def closed(self) -> list[str]:
        """Why sessions are over."""
        return [one.reason for one in self.facts if isinstance(one, SessionClosed)]


def a_site(**limits: Any) -> Site:
    site = Site()
    site.told(login_item(NAME, SECRET, CAUSE), a_grant("g1", **limits))
    return site


def a_grant(name: str, *, cause: str = CAUSE, **limits: Any) -> tuple[str, bytes]:
    limits = {"validity": HOUR_S, **limits}
    return grant_item(name, limits=some_limits(**limits), devices=(), cause_id=f"{cause}:{name}")


def test_a_dial_is_a_session_from_when_it_is_seen_to_when_it_is_not() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    site.passes(50)
    site.box.hang_up(NAME)
    site.look()

    assert (site.opened, site.closed) == ([PHONE], ["left"])
    assert (site.counted, site.state.sessions) == ({"g1": 150}, {})


def test_who_dials_anew_between_two_looks_has_another_session_and_no_byte_counts_twice() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    site.dial(OTHER)
    site.passes(50)
    site.look()
    site.passes(7)
    site.look()

    assert (site.opened, site.closed) == ([PHONE, OTHER], ["left"])
    assert site.counted == {"g1": 157}


def test_a_dial_that_nobody_saw_is_counted_with_the_next() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.box.hang_up(NAME)
    site.look()
    before = site.counted
    site.dial()
    site.look()
    site.passes(1)
    site.look()

    assert (before, site.counted) == ({}, {"g1": 101})


def test_what_passed_just_before_the_end_is_counted_late() -> None:
    site = a_site()
    site.dial()
    site.look()
    site.box.hang_up(NAME)
    site.look()
    site.dial()
    site.passes(30)
    site.box.hang_up(NAME)
    site.look()

    assert site.counted == {"g1": 30}
    assert len(site.opened) == 1


def test_a_counter_that_began_anew_counts_as_another_session() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    site.box.reboot()
    site.event(Ticked())
    site.look()
    site.dial()
    site.passes(5)
    site.look()

    assert (site.counted, len(site.opened)) == ({"g1": 105}, 2)


def test_when_the_grant_ends_the_line_is_shut_counted_out_and_opened_by_the_next() -> None:
    site = a_site(validity=60)
    site.dial()
    site.passes(100)
    site.look()
    site.look(60)
    shut = site.line().rate, site.dial(), site.passes(1)
    site.look()
    closed = site.closed
    site.told(a_grant("g2"))
    site.dial()
    site.passes(5)
    site.look()

    assert (shut, closed) == ((None, False, False), ["time"])
    assert site.counted == {"g1": 100, "g2": 5}


def test_a_new_period_cuts_no_line() -> None:
    site = a_site(validity=60)
    site.told(a_grant("g2"))
    site.dial()
    site.passes(100)
    site.look()
    before = site.dialled
    site.look(60)
    site.passes(9)
    site.look()

    assert before is not None
    assert site.dialled == before
    assert site.counted == {"g1": 100, "g2": 9}


def test_what_a_grant_let_pass_that_ended_while_nobody_looked_is_its_own() -> None:
    site = a_site(validity=60)
    site.dial()
    site.look()
    site.box.hang_up(NAME)
    site.look()
    site.dial()
    site.passes(40)
    site.ms += 120_000
    seen = asyncio.run(site.box.lines())
    site.event(Lined(tuple(news(site.state, seen, ROUTER, site.now()))))
    site.look()

    assert site.counted == {"g1": 40}
    assert site.line().rate is None


def test_a_blocked_device_is_put_out_and_its_line_stays_shut() -> None:
    site = a_site()
    site.dial()
    site.look()
    site.told(blocked_item([PHONE]))
    out = asyncio.run(site.box.lines())[NAME].caller
    site.look()
    shut = site.line().rate
    site.told(gone=(blocked_item([PHONE])[0],))

    assert (out, shut, site.closed) == (None, None, ["revoked"])
    assert site.line().rate is not None


def test_a_name_that_is_taken_back_is_counted_out_before_it_is_gone() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    site.passes(11)
    site.told(gone=(f"login/{NAME}",))
    shut = site.dial()
    site.look()

    assert (shut, site.counted, site.closed) == (False, {"g1": 111}, ["revoked"])
    assert desired(site.state, site.now(), lines_at=ROUTER).lines == {}


def test_a_line_without_a_grant_is_shut_and_so_is_one_that_is_suspended() -> None:
    site = Site()
    site.told(login_item(NAME, SECRET, CAUSE))
    nothing = site.line().rate
    limits = some_limits(validity=HOUR_S)
    item = grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:g1", suspended=True)
    site.told(item)

    assert (nothing, site.line().rate) == (None, None)


def test_time_that_does_not_run_yet_is_given_for_no_longer_than_there_is() -> None:
    site = a_site(uptime=600)
    fresh = site.line()
    site.dial()
    site.look()
    running = site.line()
    site.look(89)
    site.box.hang_up(NAME)
    site.look()
    rested = site.line()

    assert (fresh.open_until, fresh.lease_ms) == (None, 600_000)
    assert (running.open_until is None, running.lease_ms) == (False, None)
    assert rested.lease_ms is not None
    assert 450_000 < rested.lease_ms < 600_000


def test_a_site_without_such_a_router_tells_no_lines() -> None:
    assert desired(a_site().state, MonotonicMs(0)).lines == {}


def test_who_is_in_by_another_nas_has_the_one_place() -> None:
    site = a_site()
    site.dial()
    site.look()
    other = desired(site.state, site.now(), lines_at="elsewhere").lines[NAME]

    assert other.rate is None
    assert site.line().rate is not None


def test_who_dials_in_uses_the_grant_that_has_a_place_when_another_has_none() -> None:
    site = Site()
    limits = some_limits(validity=HOUR_S)
    phones = grant_item("g1", limits=limits, devices=(OTHER,), cause_id=f"{CAUSE}:g1")
    site.told(login_item(NAME, SECRET, CAUSE), phones, a_grant("g2"))
    site.event(Sighted(Neighbour(Sight.SEEN, OTHER, IPv4Address("10.5.50.9"))))
    site.dial()
    site.passes(100)
    site.look()
    site.look()

    assert (site.dial(), site.closed, site.counted) == (True, [], {"g2": 100})


def test_a_line_that_goes_on_with_the_next_grant_takes_the_one_that_has_a_place() -> None:
    site = Site()
    limits = some_limits(validity=HOUR_S)
    phones = grant_item("g1", limits=limits, devices=(OTHER,), cause_id=f"{CAUSE}:g1")
    site.told(login_item(NAME, SECRET, CAUSE), phones, a_grant("g2", validity=60))
    site.event(Sighted(Neighbour(Sight.SEEN, OTHER, IPv4Address("10.5.50.9"))))
    site.dial()
    site.look()
    site.told(a_grant("g3"))
    site.look(60)
    site.passes(5)
    site.look()

    assert (site.closed, site.counted) == (["time"], {"g3": 5})


def test_a_line_whose_end_is_not_decided_yet_is_not_put_out_before_it_is() -> None:
    site = a_site(validity=60)
    site.told(a_grant("g2"))
    site.dial()
    site.look()
    late = MonotonicMs(site.ms + 120_000)
    line = desired(site.state, late, lines_at=ROUTER).lines[NAME]

    assert line.rate is not None
    assert line.open_until is not None
    assert line.open_until < late


def test_an_idle_line_is_told_now_and_then() -> None:
    site = a_site(validity=100 * HOUR_S)
    site.dial()
    for _ in range(100):
        site.look(300)

    assert len(site.state.sessions) == 1


def test_a_line_that_the_router_has_no_more_keeps_no_place_for_hours() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    (session,) = site.state.sessions
    others = {"otieno": asyncio.run(site.box.lines())[NAME]}
    early = list(missed(site.state, others, ROUTER, site.now()))
    late = MonotonicMs(site.ms + 2 * QUIET_MS)
    found = list(missed(site.state, others, ROUTER, late))
    site.event(Lost(session))

    assert (early, found) == ([], [session])
    assert list(missed(site.state, {}, ROUTER, late)) == []
    assert (site.counted, site.state.sessions) == ({"g1": 100}, {})


def test_counts_are_told_no_more_often_than_they_are_kept() -> None:
    site = a_site()
    site.dial()
    site.look()
    for _ in range(20):
        site.passes(1)
        site.look(LOOK_MS / 1_000)

    assert len([one for one in site.facts if isinstance(one, Reading)]) <= 5


def test_a_budget_that_is_used_up_is_told_at_once_and_the_next_grant_goes_on() -> None:
    site = a_site(quota=1_000_000)
    site.dial()
    site.look()
    site.passes(600_000)
    site.look()
    site.told(a_grant("g2"))
    site.passes(400_000)
    shut = site.passes(1)
    site.look(LOOK_MS / 1_000)
    site.passes(5)
    site.look()

    assert (shut, site.closed, site.counted) == (False, ["data"], {"g1": 1_000_000, "g2": 5})


def test_a_line_is_never_forgotten_for_those_of_other_nases() -> None:
    site = a_site()
    site.dial()
    site.passes(100)
    site.look()
    site.box.hang_up(NAME)
    site.look()
    site.told(login_item("otieno", SECRET, "sub:2"), a_grant("h1", cause="sub:2"))
    dials = []
    for number in range(HUNG_UP_MAX + 10):
        start = Account("far", AccountStatus.START, b"%d" % number, f"s{number}", "otieno")
        dials += [start, replace(start, status=AccountStatus.STOP, mark=b"s%d" % number)]
    site.events([Accounted(one) for one in dials])
    site.dial()
    site.passes(1)
    site.look()

    assert site.counted["g1"] == 101
    assert len(site.state.hung_up) == HUNG_UP_MAX + 1


def test_a_line_that_is_not_put_out_is_not_told_again_and_again() -> None:
    site = a_site()
    site.dial()
    site.look()
    seen = asyncio.run(site.box.lines())
    site.told(gone=("grant/g1",))
    more = list(news(site.state, seen, ROUTER, site.now()))
    site.look()

    assert (more, site.closed) == ([], ["revoked"])


async def test_many_lines_are_told_in_portions_so_that_nobody_waits_for_all(tmp_path: Path) -> None:
    clock, names = SystemClock(), [f"house-{number}" for number in range(TOLD_AT_ONCE + 50)]
    box = MemoryPlane(lambda: clock.now().mono)
    journal = Journal(tmp_path / "journal.db")
    loop = Loop(journal=journal, plane=box, clock=clock, lines_at=ROUTER)
    items = [login_item(name, SECRET, f"sub:{name}") for name in names]
    items += [a_grant(f"g-{name}", cause=f"sub:{name}") for name in names]
    step = DesiredChange(1, 0, tuple(items), (), digest(dict(items)))
    opened: list[int] = []
    tasks = [asyncio.create_task(loop.run())]
    try:
        assert await loop.done(Changed(step))
        for name in names:
            box.dial(name, SECRET, PHONE)
        loop.listen(
            lambda facts, _: opened.append(sum(isinstance(f, SessionOpened) for f in facts))
        )
        tasks.append(asyncio.create_task(LineWatch(loop, box, ROUTER).run()))
        async with asyncio.timeout(20):
            while len(loop.state.sessions) < len(names):
                await loop.done(Ticked())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        journal.close()

    assert [some for some in opened if some] == [TOLD_AT_ONCE, 50]


class Silent(MemoryPlane):
    """A box that does not answer as long as it is ``silent``, beside others that do."""

    silent = True

    async def apply(self, desired: Desired) -> Applied:
        """As several boxes of a site do."""
        return (
            Applied(0, refused=("it does not answer",))
            if self.silent
            else await super().apply(desired)
        )

    async def lines(self) -> Mapping[str, LineSeen]:
        """Raises `PlaneError` while it is silent."""
        if self.silent:
            raise PlaneError("it does not answer")
        return await super().lines()


async def test_a_router_that_answers_again_is_told_of_its_lines_at_once(tmp_path: Path) -> None:
    clock = SystemClock()
    box = Silent(lambda: clock.now().mono)
    journal = Journal(tmp_path / "journal.db")
    loop = Loop(journal=journal, plane=box, clock=clock, lines_at=ROUTER)
    items = (login_item(NAME, SECRET, CAUSE), a_grant("g1"))
    tasks = [asyncio.create_task(one.run()) for one in (loop, LineWatch(loop, box, ROUTER))]
    try:
        await loop.done(Changed(DesiredChange(1, 0, items, (), digest(dict(items)))))
        before = box.dial(NAME, SECRET, PHONE)
        box.silent = False
        async with asyncio.timeout(MEND_MS / 2_000):
            while box.dial(NAME, SECRET, PHONE) is None:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        journal.close()

    assert before is None


MOVES = st.lists(
    st.sampled_from(("dial", "other", "hang up", "pass", "look", "look", "boot", "period", "anew")),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_each_byte_of_a_line_is_counted_once(moves: list[str]) -> None:
    site, passed, periods = a_site(), 0, 1
    for move in moves:
        site.ms += 1_000
        match move:
            case "dial" | "other":
                site.dial(PHONE if move == "dial" else OTHER)
            case "hang up":
                site.box.hang_up(NAME)
            case "pass" if asyncio.run(site.box.lines())[NAME].caller is not None:
                passed += 1_000 if site.passes(1_000) else 0
            case "look":
                site.look()
            case "boot":
                site.boot = f"{site.boot}'"
            case "period":
                periods += 1
                ended = a_grant(f"g{periods - 1}", validity=1)
                site.told(ended, a_grant(f"g{periods}", validity=10 * HOUR_S))
            case "anew":
                site.look()
                site.look()
                # What a dial moved that nobody saw goes with the counter.
                assert sum(site.counted.values()) <= passed
                passed = sum(site.counted.values())
                site.box.reboot()
                site.event(Ticked())
            case _:
                pass
    site.dial()
    for _ in range(3):
        site.look()

    assert sum(site.counted.values()) == passed
