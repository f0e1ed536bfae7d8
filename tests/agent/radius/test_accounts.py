"""What NASes tell: counted once, in whatever order and however often it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pyrad.packet import AcctPacket

from agent.model import Reading, SessionClosed, SessionOpened
from agent.radius import words
from tests.support.radius import HERE, MAC, NAME, NAS_SECRET, NO_ANSWER_S, a_radius_site

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Fact
    from tests.support.radius import RadiusSite

GIB = 2**30


async def test_a_session_is_opened_counted_and_closed(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(validity=3600)
        answer = await site.dial()
        assert answer is not None
        given = f"Class = {answer['Class']}"
        await site.tell("Start", "1", given, Framed_IP_Address="10.9.0.5")
        counted: dict[str, Any] = {"Acct_Input_Octets": 1000, "Acct_Output_Octets": 5000}
        await site.tell("Interim-Update", "1", given, Acct_Session_Time=300, **counted)
        await site.tell("Stop", "1", given, Acct_Session_Time=400, Acct_Output_Octets=7000)

        told = facts(site)

    opened, first, last, closed = told
    assert isinstance(opened, SessionOpened)
    assert (opened.mac, opened.addresses) == (MAC.lower(), ("10.9.0.5",))
    assert isinstance(first, Reading)
    assert (first.down_bytes_total, first.up_bytes_total) == (5000, 1000)
    assert isinstance(last, Reading)
    assert (last.down_bytes_total, last.up_bytes_total) == (7000, 1000)
    assert isinstance(closed, SessionClosed)


async def test_bytes_beyond_32_bits_are_counted(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.tell("Start")
        await site.tell(
            "Interim-Update",
            Acct_Session_Time=300,
            Acct_Output_Octets=705_032_704,
            Acct_Output_Gigawords=1,
        )

        assert usage(site) == 5_000_000_000


async def test_a_counter_of_32_bits_that_began_anew_goes_on(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.tell("Start")
        for hours, octets in ((3, 3 * GIB), (6, GIB), (7, GIB + 5)):
            counted: dict[str, Any] = {
                "Acct_Session_Time": hours * 3600,
                "Acct_Output_Octets": octets,
            }
            await site.tell("Interim-Update", **counted)
        late: dict[str, Any] = {
            "Acct_Session_Time": 300,
            "Acct_Output_Octets": 3 * GIB,
            "Acct_Delay_Time": 900,
        }
        await site.tell("Interim-Update", **late)

        assert usage(site) == 5 * GIB + 5


async def test_four_gigabytes_are_not_made_of_a_count_that_fell(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.tell("Start")
        await site.tell("Interim-Update", Acct_Session_Time=300, Acct_Output_Octets=5000)
        await site.tell("Interim-Update", Acct_Session_Time=600, Acct_Output_Octets=4000)
        await site.tell("Interim-Update", Acct_Session_Time=900, Acct_Output_Octets=6000)

        assert usage(site) == 6000


async def test_doubled_late_and_swapped_packets_change_nothing(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        later: dict[str, Any] = {"Acct_Session_Time": 600, "Acct_Output_Octets": 9000}
        earlier: dict[str, Any] = {"Acct_Session_Time": 300, "Acct_Output_Octets": 4000}
        await site.tell("Interim-Update", **later)
        await site.tell("Start", Acct_Delay_Time=610)
        await site.tell("Interim-Update", **earlier, Acct_Delay_Time=300)
        await site.tell("Stop", Acct_Session_Time=700, Acct_Output_Octets=9500)
        before = facts(site)
        await site.tell("Interim-Update", **later, Acct_Delay_Time=200)
        await site.tell("Stop", Acct_Session_Time=700, Acct_Output_Octets=9500, Acct_Delay_Time=5)
        await site.tell("Start", Acct_Delay_Time=900)

        after = facts(site)

    assert [type(one) for one in before] == [SessionOpened, Reading, Reading, SessionClosed]
    assert after == before


async def test_a_late_stop_still_counts(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.tell("Start")
        await site.ask("Acct-Status-Type = Accounting-On", kind="acct")
        assert not site.loop.state.sessions
        await site.tell("Stop", Acct_Session_Time=50, Acct_Output_Octets=1234)

        assert usage(site) == 1234
        last = facts(site)[-1]

    assert isinstance(last, Reading)
    assert last.down_bytes_total == 1234


async def test_a_restart_of_the_nas_that_is_played_again_ends_nothing(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(devices=2)
        restart = an_account(1, Acct_Status_Type=7)
        await exchanged(site, restart)
        await site.tell("Start")
        site.server._answers.clear()  # noqa: SLF001 - as after some time
        await exchanged(site, restart)

        assert len(site.loop.state.sessions) == 1


async def test_a_name_of_a_session_used_again_is_another_session(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        at = 1_790_000_000
        await site.tell("Start", Event_Timestamp=at)
        counted: dict[str, Any] = {"Acct_Session_Time": 300, "Acct_Output_Octets": 4000}
        await site.tell("Interim-Update", **counted, Event_Timestamp=at + 300)
        started = an_account(9, Acct_Status_Type=1, Event_Timestamp=at + 900)
        (first,) = site.loop.state.sessions
        await exchanged(site, started)
        await site.tell(
            "Interim-Update", Acct_Session_Time=20, Acct_Output_Octets=70, Event_Timestamp=at + 920
        )

        assert usage(site) == 4070
        assert first not in site.loop.state.sessions


async def test_usage_survives_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        await site.tell("Start")
        await site.tell("Interim-Update", Acct_Session_Time=300, Acct_Output_Octets=4000)

    async with a_radius_site(tmp_path) as site:
        assert usage(site) == 4000
        await site.tell("Interim-Update", Acct_Session_Time=600, Acct_Output_Octets=9000)
        await site.tell("Start", Acct_Delay_Time=700)

        assert usage(site) == 9000
        assert sum(isinstance(one, SessionOpened) for one in facts(site)) == 1


async def test_a_disk_that_takes_nothing_answers_no_account(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        site.journal.broken = True
        told = site.ask(
            "Acct-Status-Type = Start",
            'Acct-Session-Id = "1"',
            f'User-Name = "{NAME}"',
            kind="acct",
            wait_s=NO_ANSWER_S,
        )
        assert await told is None
        site.journal.broken = False

        assert await site.tell("Start", "1")
        assert len(site.loop.state.sessions) == 1


async def test_forged_accounts_mean_nothing(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe()
        told = ("Acct-Status-Type = Start", 'Acct-Session-Id = "1"', f'User-Name = "{NAME}"')
        answer = await site.ask(*told, kind="acct", secret="a guess of it", wait_s=NO_ANSWER_S)

        assert answer is None
        assert not site.loop.state.sessions
        assert site.server.tally["forged"] == 1


async def test_data_ends_a_session_and_what_was_over_is_counted(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(quota=1_000_000)
        site.nas.silent = True
        await site.tell("Start")
        await site.tell("Interim-Update", Acct_Session_Time=300, Acct_Output_Octets=1_000_100)
        (session,) = site.loop.state.sessions.values()
        assert session.closed == "data"
        await site.tell("Stop", Acct_Session_Time=301, Acct_Output_Octets=1_000_500)

        assert usage(site) == 1_000_500
        answer = await site.dial()

    assert answer is not None
    assert answer.kind == "Access-Reject"


def facts(site: RadiusSite) -> list[Fact]:
    """All that the site has for the controller."""
    return [one.fact for one in site.journal.unsent()]


def usage(site: RadiusSite) -> int:
    """Bytes, both ways, as the controller will reckon them from the readings."""
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for one in facts(site):
        if isinstance(one, Reading):
            key = (one.session_id, one.epoch)
            down, up = best.get(key, (0, 0))
            best[key] = (max(down, one.down_bytes_total), max(up, one.up_bytes_total))
    return sum(down + up for down, up in best.values())


def an_account(number: int, **given: int) -> bytes:
    """An account as its bytes."""
    packet = AcctPacket(secret=NAS_SECRET.encode(), dict=words.dictionary(), id=number)
    packet.AddAttribute("User-Name", NAME)
    packet.AddAttribute("Acct-Session-Id", "81000001")
    for name, value in given.items():
        packet.AddAttribute(name.replace("_", "-"), value)
    raw: bytes = packet.RequestPacket()
    return raw


async def exchanged(site: RadiusSite, raw: bytes) -> None:
    """Send an account from a port of its own, and wait for its answer."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class End(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: object) -> None:
            if not heard.done():
                heard.set_result(data)

    end, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        End, remote_addr=(HERE, site.radius.acct_port)
    )
    end.sendto(raw)
    await asyncio.wait_for(heard, 5)
    end.close()
