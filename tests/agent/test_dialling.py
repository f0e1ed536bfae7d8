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
