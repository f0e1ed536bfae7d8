"""Sessions that a NAS counts, decided with the clock in the test's hands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.changes import digest
from agent.decide import decide
from agent.desired import desired
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
