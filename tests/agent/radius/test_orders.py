"""What NASes are told of sessions: changes, ends, and what becomes of ghosts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from agent.model import Notice, SessionClosed
from agent.radius import steering
from agent.radius.line import WAITS_S
from agent.radius.settings import Unpaid
from agent.radius.steer import DEAF_AFTER, Steer
from agent.radius.steering import Said
from agent.uplink.memory import grant_item, login_item
from tests.support.radius import CAUSE, NAME, SECRET, Dialled, a_radius_site
from tests.support.site import some_limits
from tests.support.steered import SteeredClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.radius import RadiusSite

SEVERAL = 8
OTHER = "02:00:00:00:00:0B"


async def test_a_suspended_subscriber_is_cut_off(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        await site.put(a_grant(suspended=True))
        await site.nas.until(("end", "1"))
        await site.tell("Stop", "1", Acct_Session_Time=9, Acct_Output_Octets=77)

        assert not site.nas.sessions
        assert closed(site) == ["suspended"]


@pytest.mark.parametrize("key", ["jnpr demux0.1073741824:100-200:7", "7" * 200, "kikao-é"])
async def test_a_session_is_ended_by_the_very_name_that_its_nas_gave_it(
    tmp_path: Path, key: str
) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, key)
        await site.put(a_grant(suspended=True))
        await site.nas.until(("end", key))
        await site.tell("Stop", key, Acct_Session_Time=9)

        assert not site.nas.sessions
        assert closed(site) == ["suspended"]


async def test_a_new_speed_is_told_and_the_line_stays(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        faster = some_limits(validity=3600)
        object.__setattr__(faster, "down_bps", 8_000_000)
        await site.put(grant_item("g1", limits=faster, devices=(), cause_id=f"{CAUSE}:1"))
        await site.nas.until(("change", "1"))
        await site.until(lambda: "8000000" in told_of(site))

        assert site.nas.sessions["1"].words["Mikrotik-Rate-Limit"] == "2000000/8000000"
        assert [kind for kind, _ in site.nas.seen] == ["change"]


async def test_nothing_is_told_of_a_session_that_is_as_it_was_let_in(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        await site.until(lambda: "4000000" in told_of(site))
        site.server.steer.look()
        await asyncio.sleep(0)

        assert site.nas.seen == []


async def test_a_speed_that_changed_while_somebody_came_in_is_told(tmp_path: Path) -> None:
    """Whoever dials in just before the night ends decides when their line is up."""
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(validity=3600)
        answer = await site.dial()
        assert answer is not None
        slower = some_limits(validity=3600)
        object.__setattr__(slower, "down_bps", 1_000_000)
        await site.put(grant_item("g1", limits=slower, devices=(), cause_id=f"{CAUSE}:1"))
        site.nas.sessions["1"] = Dialled(NAME, "10.9.0.5")
        await site.tell("Start", "1", f"Class = {answer['Class']}", Framed_IP_Address="10.9.0.5")
        await site.nas.until(("change", "1"))

        assert site.nas.sessions["1"].words["Mikrotik-Rate-Limit"] == "2000000/1000000"


async def test_a_new_period_does_not_cut_the_line(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        await site.tell("Interim-Update", "1", Acct_Session_Time=300, Acct_Output_Octets=5000)
        next_one = grant_item(
            "g2", limits=some_limits(validity=3600), devices=(), cause_id=f"{CAUSE}:2"
        )
        await site.swap(next_one, "grant/g1")
        await site.tell("Interim-Update", "1", Acct_Session_Time=600, Acct_Output_Octets=9000)
        (session,) = site.loop.state.sessions.values()

        assert session.grant_id == "g2"
        assert session.meter.usage.total_bytes == 4000
        assert closed(site) == ["revoked"]
        assert ("end", "1") not in site.nas.seen


async def test_a_ghost_gives_way_at_once(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        site.nas.sessions.clear()

        answer = await site.dial(mac=OTHER)

    assert answer is not None
    assert answer.kind == "Access-Accept"


async def test_somebody_who_is_there_does_not(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")

        answer = await site.dial(mac=OTHER)
        site.nas.stubborn = True
        again = await site.dial(mac=OTHER)

    assert answer is not None
    assert answer["Reply-Message"] == "This name is in use already."
    assert again is not None
    assert again.kind == "Access-Reject"


async def test_who_dials_a_hundred_times_has_the_nas_asked_once(tmp_path: Path) -> None:
    """Or one customer keeps the orders to the NAS, and everybody's accounts, waiting."""
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        (session,) = site.loop.state.sessions.values()
        site.nas.silent = True
        asked = [asyncio.ensure_future(site.server.steer.ask(session)) for _ in range(100)]
        await asyncio.sleep(0)
        asked[0].cancel()
        said = await asyncio.gather(*asked, return_exceptions=True)

        assert set(said[1:]) == {Said.SILENT}
        assert len(site.nas.seen) == len(WAITS_S)


async def test_the_same_device_takes_its_own_place(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")

        answer = await site.dial()
        await site.nas.until(("end", "1"))

    assert answer is not None
    assert answer.kind == "Access-Accept"
    assert not site.nas.sessions


async def test_a_second_session_beyond_what_was_bought_is_ended(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        site.nas.sessions["2"] = Dialled(NAME, "10.9.0.6")
        await site.tell("Start", "2")
        await site.nas.until(("end", "2"))

        assert set(site.nas.sessions) == {"1"}


async def test_what_is_told_as_ended_and_lives_is_ended_again(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        site.nas.lies = True
        site.server.steer.again_ms = (1,)
        await site.drop("grant/g1")
        await site.nas.until(("end", "1"))
        assert site.loop.state.sessions
        site.nas.seen.clear()
        site.nas.lies = False
        await site.nas.until(("end", "1"))
        await site.until(lambda: not site.loop.state.sessions)

        assert closed(site) == ["revoked"]


async def test_staff_learn_of_a_nas_that_obeys_nobody(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        site.nas.stubborn = True
        site.server.steer.again_ms = (1,)
        await site.drop("grant/g1")
        await site.until(lambda: any(isinstance(one, Notice) for one in facts(site)))

        notice = next(one for one in facts(site) if isinstance(one, Notice))

    assert notice.code == "nas_deaf"
    assert "tower-1" in notice.text


async def test_a_deaf_nas_is_told_of_once_and_not_for_each_session(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1", devices=3)
        for key in ("2", "3"):
            site.nas.sessions[key] = Dialled(NAME, "10.9.0.6")
            await site.tell("Start", key)
        site.nas.stubborn = True
        site.server.steer.again_ms = (1,)
        await site.drop("grant/g1")
        async with asyncio.timeout(15):
            while min(site.nas.seen.count(("end", key)) for key in "123") <= DEAF_AFTER:
                site.nas.asked.clear()
                await site.nas.asked.wait()
        await site.until(lambda: any(isinstance(one, Notice) for one in facts(site)))

        assert [one.code for one in facts(site) if isinstance(one, Notice)] == ["nas_deaf"]


async def test_many_sessions_that_change_all_the_time_are_not_looked_at_each_time(
    tmp_path: Path,
) -> None:
    class Counting(Steer):
        looks = 0

        def look(self) -> None:
            self.looks += 1
            super().look()

    async with a_radius_site(tmp_path, clock=SteeredClock()) as site:
        await dialled(site, "0", devices=SEVERAL)
        for number in range(1, SEVERAL):
            await site.tell("Start", str(number))
        steer = Counting(site.loop, site.radius)
        work = asyncio.ensure_future(steer.run())
        for seconds in range(1, SEVERAL):
            await site.tell("Interim-Update", "0", Acct_Session_Time=seconds)
        work.cancel()

    assert steer.looks == 1


async def test_who_pays_while_on_the_page_is_let_on(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path, unpaid=Unpaid.LIST) as site:
        await site.put(login_item(NAME, SECRET, CAUSE))
        answer = await site.dial()
        assert answer is not None
        site.nas.sessions["1"] = Dialled(NAME, "10.9.0.5")
        await site.tell("Start", "1", f"Class = {answer['Class']}", Framed_IP_Address="10.9.0.5")
        assert not site.loop.state.sessions
        await site.put(a_grant())
        await site.nas.until(("end", "1"))

        assert not site.nas.sessions


async def test_a_session_of_somebody_unknown_is_the_routers_own_affair(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        site.nas.sessions["9"] = Dialled("local-secret", "10.9.0.9")

        assert await site.tell("Start", "9", name="local-secret")
        site.server.steer.look()

        assert not site.loop.state.sessions
        assert site.nas.seen == []


async def test_an_answer_of_somebody_else_means_nothing(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await dialled(site, "1")
        (session,) = site.loop.state.sessions.values()
        assert session.dial is not None
        order = steering.end(site.radius.nases[0], session.dial, number=5)
        unknown = bytes((42, 5, 0, 26)) + bytes(16) + bytes((101, 6, 0, 0, 1, 247))

        assert steering.answered(order, unknown) is None


def a_grant(*, devices: int = 1, **given: Any) -> tuple[str, bytes]:
    """The subscriber's grant."""
    limits = some_limits(validity=3600, devices=devices)
    return grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:1", **given)


async def dialled(site: RadiusSite, key: str, *, devices: int = 1) -> None:
    """Let the subscriber in, and have the small NAS tell so."""
    await site.put(login_item(NAME, SECRET, CAUSE), a_grant(devices=devices))
    answer = await site.dial()
    assert answer is not None
    site.nas.sessions[key] = Dialled(NAME, "10.9.0.5")
    given = f"Class = {answer['Class']}"
    await site.tell("Start", key, given, Framed_IP_Address="10.9.0.5")


def facts(site: RadiusSite) -> list[Any]:
    """All that the site has for the controller."""
    return [one.fact for one in site.journal.unsent()]


def closed(site: RadiusSite) -> list[str]:
    """Why the sessions closed that did."""
    return [one.reason for one in facts(site) if isinstance(one, SessionClosed)]


def told_of(site: RadiusSite) -> str:
    """What the NAS is known to hold the one session to."""
    (session,) = site.loop.state.sessions.values()
    return "" if session.dial is None else session.dial.told
