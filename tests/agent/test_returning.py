"""A whole agent: devices come back, make room, and connect televisions; real time never passes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agent.model import DeviceJoined, Notice, SessionClosed, Sighted
from agent.uplink.memory import grant_item
from portal.captive.gate import Refusal, Welcome
from shaping.plane import MacAddress, Neighbour, Sight
from tests.support.gates import PAYER, RECEIPT, SiteWorld, an_hour, mac_of
from tests.support.portal import PHONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.model import Fact

NEIGHBOUR, ANEW, TELEVISION = "10.77.0.8", "10.77.0.9", "10.77.0.20"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[SiteWorld]:
    world = SiteWorld(tmp_path)
    await world.start()
    yield world
    await world.stop()


def facts(site: SiteWorld) -> list[Fact]:
    return [record.fact for _, record in sorted(site.controller.records.items())]


def mac(address: str) -> MacAddress:
    from ipaddress import ip_address

    found = mac_of(ip_address(address))
    assert found is not None
    return found


async def test_a_badge_survives_a_restart_of_the_agent(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.stop()
    await site.start()
    await site.quiet(20)
    welcome = await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()

    assert welcome is Welcome.IN
    assert await site.gate.sign_in(ANEW)


async def test_a_badge_survives_a_power_cut_and_the_ghost_it_left(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.stop()
    site.clock.boot(off_s=600)
    await site.start()
    await site.quiet(16)
    welcome = await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()

    assert welcome is Welcome.IN
    assert site.passes(ANEW)
    assert not site.passes(PHONE)


async def test_after_a_power_cut_ghosts_block_no_payer(site: SiteWorld) -> None:
    await site.shared(PHONE, NEIGHBOUR, devices_max=2)
    await site.stop()
    site.clock.boot(off_s=600)
    await site.start()
    at_once = await site.gate.redeem(ANEW, code=RECEIPT)
    places = site.gate.places(ANEW)
    await site.seen(NEIGHBOUR)
    await site.quiet(16)
    later = await site.gate.redeem(ANEW, code=RECEIPT)
    await site.elapse()

    assert (at_once, later) == (Refusal.DEVICES_FULL, None)
    assert places is not None
    assert await site.gate.sign_in(ANEW)
    assert [site.passes(one) for one in (PHONE, NEIGHBOUR, ANEW)] == [False, True, True]


async def test_after_a_restart_of_the_agent_alone_nobody_counts_as_lost(site: SiteWorld) -> None:
    await site.shared(PHONE, NEIGHBOUR, devices_max=2)
    await site.stop()
    await site.start()
    await site.quiet(30)

    assert await site.gate.redeem(ANEW, code=RECEIPT) is Refusal.DEVICES_FULL


async def test_of_many_that_show_one_badge_at_one_moment_one_gets_the_place(
    site: SiteWorld,
) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    came = [f"10.77.3.{last}" for last in range(1, 9)]
    asked = [asyncio.ensure_future(site.gate.come_back(one, badge=badge)) for one in came]
    await site.elapse()
    welcomes = [await one for one in asked]

    assert sorted(welcomes) == [*[Welcome.FULL] * 7, Welcome.IN]
    assert [site.passes(one) for one in came].count(True) == 1


async def test_the_controller_is_told_who_took_whose_place_and_by_what_proof(
    site: SiteWorld,
) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    await site.gate.come_back(ANEW, badge=badge)
    await site.clock.advance(10)
    told = [one for one in facts(site) if isinstance(one, DeviceJoined)]

    assert [(one.mac, one.instead_of, one.proof) for one in told] == [
        (mac(ANEW), mac(PHONE), "cookie")
    ]
    assert [one.reason for one in facts(site) if isinstance(one, SessionClosed)] == ["moved"]


async def test_no_paid_second_is_lost_or_won_on_the_way(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    before = site.gate.device(PHONE).access
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()
    after = site.gate.device(ANEW).access

    assert before is not None
    assert after is not None
    assert before.seconds_left is not None
    assert after.seconds_left == before.seconds_left - 21
    assert after.until == before.until


async def test_what_a_device_used_before_counts_after(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    site.passes(PHONE)
    await site.clock.advance(3)
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()
    site.passes(ANEW)
    await site.clock.advance(3)
    access = site.gate.device(ANEW).access

    assert access is not None
    assert (access.down_bytes, access.up_bytes) == (2_000, 200)


async def test_when_the_controller_says_the_join_too_nothing_changes(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()
    for devices in ([mac(PHONE)], [mac(ANEW)]):
        item = grant_item("shared", limits=an_hour(1), devices=devices, spent=(30, 0, 0))
        site.controller.put_item(*item)
        await site.clock.advance(2)

        assert site.passes(ANEW)


async def test_a_device_that_came_back_is_in_though_its_browser_keeps_the_old_badge(
    site: SiteWorld,
) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    await site.quiet(20)
    await site.gate.come_back(ANEW, badge=badge)
    await site.elapse()

    assert await site.gate.come_back(ANEW, badge=badge) is Welcome.IN
    assert len([one for one in facts(site) if isinstance(one, DeviceJoined)]) <= 1


async def test_a_right_that_was_proved_is_forgotten_after_ten_minutes(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    site.passes(PHONE)
    await site.gate.redeem(ANEW, code=RECEIPT)
    before = site.gate.places(ANEW)
    await site.quiet(601, but=(PHONE,))

    assert before is not None
    assert site.gate.places(ANEW) is None


async def test_moves_are_forgiven_after_ten_minutes(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=1)
    badge = site.gate.badge(PHONE) or ""
    here, there = ANEW, PHONE
    ends = []
    for wait_s in (1, 1, 1, 600, 1):
        ref = site.gate.device(there).device_ref
        end = await site.gate.move(here, device_ref=ref, badge=badge)
        ends.append(end)
        await site.elapse()
        if end is None:
            here, there = there, here
        await site.quiet(max(5, wait_s), but=(there,))

    assert ends == [None, None, None, Refusal.MOVED_OFTEN, None]


async def test_a_device_is_sent_three_codes_and_no_more_for_a_while(site: SiteWorld) -> None:
    ends = [await site.gate.send_code(PHONE, phone=PAYER) for _ in range(4)]
    other = await site.gate.send_code(NEIGHBOUR, phone=PAYER)
    await site.clock.advance(900, step_ms=60_000)
    later = await site.gate.send_code(PHONE, phone=PAYER)

    assert ends == [None, None, None, Refusal.TOO_MANY_TRIES]
    assert (other, later) == (None, None)
    assert len(site.controller.sent_codes) == 5


async def test_the_whole_site_sends_so_many_codes_and_no_more(site: SiteWorld) -> None:
    for last in range(100, 160):
        assert await site.gate.send_code(f"10.77.1.{last}", phone=PAYER) is None

    assert await site.gate.send_code("10.77.1.99", phone=PAYER) is Refusal.TOO_MANY_TRIES


async def test_guessing_a_phones_code_ends_after_five_tries(site: SiteWorld) -> None:
    guesses = [f"00000{n}" for n in range(6)]
    ends = [await site.gate.redeem(PHONE, code=one, phone=PAYER) for one in guesses]

    assert ends == [*[Refusal.CODE_WRONG] * 5, Refusal.TOO_MANY_TRIES]


async def test_ten_devices_are_shown_and_those_that_hide_their_maker_last(
    site: SiteWorld,
) -> None:
    await site.shared(PHONE, devices_max=2)
    for last in range(30, 41):
        await site.nearby(f"10.77.0.{last}")
    made_up = Neighbour(Sight.SEEN, MacAddress("02:aa:aa:aa:aa:aa"), None)
    await site.loop.kept(Sighted(made_up))
    found = site.gate.screenless(PHONE)

    assert not isinstance(found, Refusal)
    assert len(found) == 10
    assert "AA:AA" not in [one.address_end for one in found]


async def test_a_device_seen_long_ago_is_not_shown(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=2)
    await site.nearby(TELEVISION)
    await site.quiet(301, but=(PHONE,))

    assert site.gate.screenless(PHONE) == []


async def test_a_device_that_ordered_is_no_television(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=2)
    await site.gate.order(NEIGHBOUR, plan_id="hour", phone=PAYER)
    await site.clock.advance(1)

    assert site.gate.screenless(PHONE) == []


async def test_looking_and_connecting_are_limited(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=50)
    for last in range(20, 26):
        await site.nearby(f"10.77.0.{last}")
    refs = [site.gate.device(f"10.77.0.{last}").device_ref for last in range(20, 26)]
    connects = [await site.gate.connect(PHONE, device_ref=ref) for ref in refs]
    looks = [site.gate.screenless(PHONE) for _ in range(31)]

    assert connects == [*[None] * 5, Refusal.TOO_MANY_TRIES]
    assert (isinstance(looks[29], Refusal), looks[30]) == (False, Refusal.TOO_MANY_TRIES)


async def test_a_television_is_online_and_its_kind_survives_a_restart(site: SiteWorld) -> None:
    await site.shared(PHONE, devices_max=2)
    await site.nearby(TELEVISION)
    ref = site.gate.device(TELEVISION).device_ref
    await site.gate.connect(PHONE, device_ref=ref)
    await site.elapse()
    online = site.passes(TELEVISION)
    await site.stop()
    await site.start()
    places = site.gate.places(PHONE)

    assert online
    assert places is not None
    assert [one.companion for one in places.places] == [False, True]


async def test_two_stations_with_one_address_are_told_to_staff_and_to_the_customer(
    site: SiteWorld,
) -> None:
    await site.shared(PHONE, devices_max=1)
    for port in ("ap1", "ap2"):
        seen = Neighbour(Sight.SEEN, mac(PHONE), None, port)
        await site.loop.kept(Sighted(seen))
    await site.clock.advance(6)

    assert site.gate.device(PHONE).contested
    assert "mac_contested" in [one.code for one in facts(site) if isinstance(one, Notice)]
