"""Sessions that a NAS counts, decided with the clock in the test's hands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.changes import digest
from agent.decide import decide
from agent.desired import desired
from agent.dialling import EXTRA_MAX
from agent.model import (
    Account,
    Accounted,
    AccountStatus,
    Changed,
    Instant,
    Lost,
    Reading,
    SessionClosed,
    State,
    Ticked,
)
from agent.radius.settings import NASES_MAX
from agent.sessions import HUNG_UP_MAX
from agent.uplink.memory import grant_item, login_item
from agent.uplink.seam import DesiredChange
from billing.ids import GrantId
from shaping.plane import MacAddress, MonotonicMs
from tests.support.site import some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from agent.model import Event

MAC = MacAddress("02:00:00:00:00:0a")
START = Account(
    nas="tower-1",
    status=AccountStatus.START,
    mark=b"first",
    key="81",
    login="wanjiku",
    grant_id="g1",
    mac=MAC,
)
STAMP = 1_790_000_000
INTERIM = replace(START, status=AccountStatus.INTERIM, mark=b"second", seconds=300, down_bytes=500)


class Told:
    """A site that is told things, at seconds since it began."""

    def __init__(self, **limits: int) -> None:
        self.state = State()
        self.facts: list[object] = []
        self.generation = 0
        self.items = dict([login_item("wanjiku", "kiboko-7-simba", "sub:1")])
        self.limits = some_limits(**limits)
        self.change(0)

    def at(self, second: float, event: Event, *, boot: str = "b1") -> None:
        """Something happens."""
        ms = int(second * 1000)
        now = Instant(NOON + timedelta(milliseconds=ms), MonotonicMs(1_000_000 + ms), boot)
        self.state, effects = decide(self.state, event, now)
        self.facts += effects

    def change(self, second: float, *, suspended: bool = False) -> None:
        """The controller says how the grant is."""
        self.generation += 1
        key, body = grant_item(
            "g1", limits=self.limits, devices=(), cause_id="sub:1:1", suspended=suspended
        )
        self.items[key] = body
        step = DesiredChange(self.generation, 0, tuple(self.items.items()), (), digest(self.items))
        self.at(second, Changed(step))

    @property
    def closed(self) -> list[str]:
        """Why the sessions closed that did."""
        return [one.reason for one in self.facts if isinstance(one, SessionClosed)]


def test_a_session_that_was_ended_waits_for_its_stop_though_it_was_silent_before() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(START))
    site.change(3_000, suspended=True)
    (session,) = site.state.sessions.values()

    assert session.closed == "suspended"
    assert site.closed == []

    site.at(3_601, Ticked())

    assert site.closed == ["suspended"]


def test_a_session_that_is_lost_costs_no_time_after_its_last_word() -> None:
    site = Told(uptime=36_000)
    site.at(0, Accounted(START))
    site.at(300, Accounted(INTERIM))
    (session_id,) = site.state.sessions
    site.at(3_000, Lost(session_id))

    assert site.state.grants[GrantId("g1")].uptime_ms == 300_000


def test_a_session_outlives_a_boot_of_the_box() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(START))
    site.at(300, Accounted(INTERIM))
    site.at(10, Accounted(replace(INTERIM, mark=b"third", seconds=600, down_bytes=900)), boot="b2")
    readings = [one for one in site.facts if isinstance(one, Reading)]

    assert len({one.session_id for one in readings}) == 1
    assert readings[-1].down_bytes_total == 900


def test_time_ends_a_dialled_session_on_the_second() -> None:
    site = Told(validity=60)
    site.at(0, Accounted(START))
    site.at(60, Ticked())
    (session,) = site.state.sessions.values()

    assert session.closed == "time"


def test_the_plane_never_hears_of_it() -> None:
    site = Told(quota=1_000_000)
    site.at(0, Accounted(START))

    assert not desired(site.state, MonotonicMs(1_000_000)).access


def test_a_login_that_is_taken_back_ends_its_session() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(START))
    del site.items["login/wanjiku"]
    site.change(10)
    (session,) = site.state.sessions.values()

    assert session.closed == "revoked"


def test_a_name_of_a_session_that_another_dials_in_under_costs_the_first_nothing() -> None:
    """RouterOS counts session names from the same number at each start; the Start was lost."""
    site = Told(validity=36_000)
    site.at(0, Accounted(START))
    site.at(300, Accounted(replace(INTERIM, stamp=1_000)))
    other = replace(INTERIM, mark=b"other", login="otieno", grant_id="g2", stamp=1_400)
    site.at(700, Accounted(replace(other, seconds=400, down_bytes=90_000)))
    readings = [one for one in site.facts if isinstance(one, Reading)]

    assert max(one.down_bytes_total for one in readings if one.grant_id == "g1") == 500


def test_a_nas_whose_clock_fell_back_tells_of_somebody_else() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(replace(START, stamp=1_700_000_000)))
    site.at(300, Accounted(replace(INTERIM, stamp=1_700_000_300)))
    other = replace(START, mark=b"other", login="otieno", grant_id="g2", stamp=60)
    site.at(700, Accounted(other))
    more = replace(other, status=AccountStatus.INTERIM, mark=b"more", stamp=360)
    site.at(1_000, Accounted(replace(more, seconds=300, down_bytes=90_000)))
    readings = [one for one in site.facts if isinstance(one, Reading)]

    assert max(one.down_bytes_total for one in readings if one.grant_id == "g1") == 500


def test_what_is_told_late_of_who_had_the_name_before_counts_for_them() -> None:
    site = Told(validity=36_000)
    site.items |= dict([login_item("otieno", "kiboko-7-simba", "sub:2")])
    site.items |= dict([grant_item("g2", limits=site.limits, devices=(), cause_id="sub:2:1")])
    site.change(1)
    site.at(2, Accounted(START))
    site.at(300, Accounted(INTERIM))
    other = replace(START, mark=b"other", login="otieno", grant_id="g2")
    site.at(700, Accounted(other))
    late = replace(INTERIM, status=AccountStatus.STOP, mark=b"late", seconds=400, down_bytes=800)
    site.at(701, Accounted(late))
    counted = {one.grant_id: one.down_bytes_total for one in site.facts if isinstance(one, Reading)}

    assert counted == {"g1": 800}
    assert [one.grant_id for one in site.state.sessions.values()] == ["g2"]


def test_who_dials_in_before_a_restarted_nas_has_the_time_is_not_taken_for_a_ghost() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(replace(START, stamp=1_790_000_000)))
    site.at(300, Accounted(replace(INTERIM, stamp=1_790_000_300)))
    site.at(600, Accounted(Account(nas="tower-1", status=AccountStatus.RESTART, mark=b"restart")))
    site.at(610, Accounted(replace(START, mark=b"again", stamp=1_780_000_000)))

    assert len(site.state.sessions) == 1


def test_a_nas_without_a_clock_uses_a_name_again_and_each_byte_counts() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(replace(START, stamp=1_790_000_000)))
    site.at(300, Accounted(replace(INTERIM, stamp=1_790_000_300)))
    site.at(900, Accounted(replace(START, mark=b"again")))
    site.at(920, Accounted(replace(INTERIM, mark=b"more", seconds=20, down_bytes=70)))
    best = {one.session_id: one.down_bytes_total for one in site.facts if isinstance(one, Reading)}

    assert sum(best.values()) == 570


def test_what_is_played_again_keeps_no_place_and_costs_no_time() -> None:
    site = Told(uptime=36_000)
    start = replace(START, stamp=STAMP)
    heard = replace(INTERIM, stamp=STAMP + 300)
    site.at(0, Accounted(start))
    site.at(300, Accounted(heard))
    for second in range(600, 3_600, 300):
        site.at(second, Accounted(start))
        site.at(second + 1, Accounted(heard))
    (session,) = site.state.sessions.values()

    assert site.state.grants[GrantId("g1")].uptime_ms == 300_000
    assert session.heard_at == 1_000_000 + 300_000


def test_a_nas_that_tells_neither_time_nor_clock_is_heard() -> None:
    site = Told(uptime=36_000)
    site.at(0, Accounted(START))
    site.at(300, Accounted(replace(INTERIM, seconds=0)))
    site.at(600, Accounted(replace(INTERIM, seconds=0, mark=b"third")))
    (session,) = site.state.sessions.values()

    assert session.heard_at == 1_000_000 + 600_000


def test_a_late_stop_of_the_same_name_and_somebody_ends_only_what_it_means() -> None:
    """A NAS that names sessions by ports has one name for all that somebody dials."""
    site = Told(validity=360_000)
    site.at(0, Accounted(replace(START, stamp=STAMP)))
    first = replace(INTERIM, stamp=STAMP + 300)
    site.at(300, Accounted(first))
    site.at(410, Accounted(replace(START, mark=b"again", stamp=STAMP + 410)))
    second = replace(INTERIM, mark=b"i", stamp=STAMP + 510, seconds=100, down_bytes=70)
    site.at(510, Accounted(second))
    stop = replace(first, status=AccountStatus.STOP, seconds=400, stamp=STAMP + 400)
    for mark in (b"stop", b"stop, told again"):
        site.at(520, Accounted(replace(stop, mark=mark, down_bytes=900)))
    (session,) = site.state.sessions.values()

    assert session.closed is None
    assert session.meter.usage.down_bytes == 70
    assert site.state.grants[GrantId("g1")].past.down_bytes == 900


def test_what_is_played_again_of_a_life_before_the_last_is_nobodys() -> None:
    site = Told(validity=360_000)
    heard: list[Account] = []
    for begun, size in ((0, 5_000), (1_000, 70), (2_000, 80)):
        at = STAMP + begun
        start = replace(START, mark=f"start {begun}".encode(), stamp=at)
        stop = replace(start, status=AccountStatus.STOP, mark=f"stop {begun}".encode())
        heard.append(replace(stop, seconds=500, stamp=at + 500, down_bytes=size))
        site.at(begun, Accounted(start))
        if begun < 2_000:
            site.at(begun + 500, Accounted(heard[-1]))
        if begun == 1_000:
            site.at(1_600, Accounted(heard[0]))
    site.at(2_100, Accounted(heard[0]))

    assert len(site.state.sessions) == 1
    assert site.state.grants[GrantId("g1")].past.down_bytes == 5_070


def test_a_start_that_came_after_its_stop_opens_nothing_when_it_is_played_again() -> None:
    site = Told(validity=36_000)
    site.at(0, Accounted(replace(INTERIM, status=AccountStatus.STOP)))
    late = replace(START, late_s=20)
    site.at(5, Accounted(late))
    site.at(500, Accounted(late))

    assert not site.state.sessions


def test_a_restart_that_is_told_late_ends_nothing_that_began_after_it() -> None:
    """A NAS tells it again, with its delay and so under another mark, until it has an answer."""
    site = Told(validity=36_000)
    on = Account(nas="tower-1", status=AccountStatus.RESTART, mark=b"on")
    site.at(0, Accounted(replace(START, key="80", mark=b"before")))
    site.at(10, Accounted(on))
    site.at(20, Accounted(START))
    site.at(40, Accounted(replace(on, mark=b"on again", late_s=30)))
    site.at(300, Accounted(INTERIM))

    assert [one.dial.key for one in site.state.sessions.values() if one.dial] == ["81"]
    assert site.closed == ["left"]


def test_as_many_restarts_are_remembered_as_a_power_cut_of_all_nases_makes() -> None:
    site = Told(validity=36_000)
    on = Account(nas="tower-1", status=AccountStatus.RESTART, mark=b"on")
    site.at(0, Accounted(on))
    for number in range(NASES_MAX):
        other = replace(on, nas=f"tower-{number}", mark=str(number).encode())
        site.at(1, Accounted(other))
    site.at(20, Accounted(START))
    site.at(60, Accounted(on))

    assert site.closed == []


def test_so_many_sessions_are_remembered_once_they_are_over() -> None:
    """Whoever is forgotten, and goes on at a NAS that ends nobody, is counted from the start."""
    site = Told(validity=36_000)
    stop = replace(INTERIM, status=AccountStatus.STOP)
    for number in range(HUNG_UP_MAX + 1):
        site.at(1, Accounted(replace(stop, key=str(number))))

    assert len(site.state.hung_up) == HUNG_UP_MAX
    assert "tower-1 0" not in site.state.hung_up


def test_a_nas_that_tells_no_name_tells_of_who_was_let_in() -> None:
    """RFC 2866 has User-Name as something that may be there."""
    site = Told(validity=36_000)
    site.at(0, Accounted(replace(START, login="")))
    (before,) = site.state.sessions.values()
    site.at(300, Accounted(INTERIM))
    site.at(600, Accounted(replace(INTERIM, login="", grant_id="", seconds=600, down_bytes=900)))
    (session,) = site.state.sessions.values()
    nobody = replace(START, login="", grant_id="", key="82", mark=b"nobody")
    site.at(601, Accounted(nobody))

    assert (before.id, before.closed, session.id) == (session.id, None, before.id)
    assert session.dial is not None
    assert session.dial.login == "wanjiku"
    assert site.state.grants[GrantId("g1")].past.down_bytes == 0
    assert session.meter.usage.down_bytes == 900
    assert len(site.state.sessions) == 1


def test_a_nas_that_begins_sessions_without_end_takes_no_room() -> None:
    site = Told(validity=36_000)
    for number in range(EXTRA_MAX + 20):
        mark = str(number).encode()
        site.at(number / 100, Accounted(replace(START, key=str(number), mark=mark)))
    stop = replace(INTERIM, status=AccountStatus.STOP, key="last", down_bytes=7)
    site.at(9, Accounted(stop))

    assert len(site.state.sessions) == 1 + EXTRA_MAX
    assert sum(one.closed is None for one in site.state.sessions.values()) == 1
    assert site.state.grants[GrantId("g1")].past.down_bytes == 7
