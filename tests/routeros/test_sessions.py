"""Hotspot and PPPoE: who gets in, what the box makes for him, what is written at the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.routeros.emulator import Box, Passed, Trap, Version, routeros
from tests.routeros.witness import attributes, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAC, ADDRESS = "AA:BB:CC:DD:EE:01", "10.5.50.14"


@pytest.fixture(params=[6, 7])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    async with routeros(major=request.param) as one:
        one.join(MAC, ADDRESS, name="Galaxy-A14")
        one.add("/ip/hotspot/user/profile", name="1H", rate_limit="2M/5M", session_timeout="2h")
        yield one


def user(box: Box, **words: str) -> dict[str, str]:
    told = {"name": "K7Q2", "password": "pw", "profile": "1H", **words}
    box.add("/ip/hotspot/user", **told)
    return told


def account(box: Box) -> dict[str, str]:
    return next(r for r in box.rows("/ip/hotspot/user") if r["name"] == "K7Q2")


async def test_a_session_has_a_queue_and_lets_bytes_pass(box: Box) -> None:
    user(box)
    box.sign_in("K7Q2", "pw", ADDRESS)

    assert box.pass_bytes(ADDRESS, up=10, down=100) == Passed(10, 100)
    (active,) = box.rows("/ip/hotspot/active")
    (queue,) = box.rows("/queue/simple")
    (host,) = box.rows("/ip/hotspot/host")
    assert active[".id"] == "*E32050A", "the address, its bytes turned around"
    assert (active["bytes-in"], active["bytes-out"]) == ("10", "100")
    assert (queue["name"], queue["target"]) == ("<hotspot-K7Q2>", f"{ADDRESS}/32")
    assert (queue["max-limit"], queue["bytes"]) == ("2000000/5000000", "10/100")
    assert (host["authorized"], host["found-by"]) == ("true", "DHCP")


async def test_a_queue_that_the_box_made_is_not_for_others_to_change(box: Box) -> None:
    user(box)
    box.sign_in("K7Q2", "pw", ADDRESS)

    with pytest.raises(Trap, match="can not change dynamic"):
        box.edit("/queue/simple", "<hotspot-K7Q2>", max_limit="1M/1M")
    with pytest.raises(Trap, match="can not change dynamic"):
        box.remove("/queue/simple", "<hotspot-K7Q2>")


async def test_totals_are_written_when_a_session_ends_and_not_before(box: Box) -> None:
    user(box)
    box.sign_in("K7Q2", "pw", ADDRESS)
    box.pass_time(61)
    box.pass_bytes(ADDRESS, up=10, down=100)
    during = account(box)
    box.sign_out(ADDRESS)
    after = account(box)

    assert (during["uptime"], during["bytes-in"]) == ("0s", "0")
    assert (after["uptime"], after["bytes-in"], after["bytes-out"]) == ("1m1s", "10", "100")
    assert box.rows("/queue/simple") == []


async def test_a_power_cut_forgets_the_session_and_a_reboot_does_not(box: Box) -> None:
    user(box)
    box.sign_in("K7Q2", "pw", ADDRESS)
    box.pass_bytes(ADDRESS, up=10)
    box.power_cut()
    cut = account(box)["bytes-in"]
    box.sign_in("K7Q2", "pw", ADDRESS)
    box.pass_bytes(ADDRESS, up=10)
    box.reboot()

    assert (cut, account(box)["bytes-in"]) == ("0", "10")


async def test_time_and_bytes_run_out(box: Box) -> None:
    user(box, limit_uptime="1h", limit_bytes_total="100")
    box.sign_in("K7Q2", "pw", ADDRESS)
    box.pass_time(600)
    assert box.rows("/ip/hotspot/active")[0]["session-time-left"] == "50m"

    assert box.pass_bytes(ADDRESS, up=60, down=60) == Passed(60, 40)
    assert box.rows("/ip/hotspot/active") == []
    with pytest.raises(Trap, match="has reached traffic limit"):
        box.sign_in("K7Q2", "pw", ADDRESS)


async def test_a_session_ends_on_the_second(box: Box) -> None:
    user(box, limit_uptime="1h")
    box.sign_in("K7Q2", "pw", ADDRESS)
    box.pass_time(3_599)
    before = len(box.rows("/ip/hotspot/active"))
    box.pass_time(1)

    assert (before, box.rows("/ip/hotspot/active")) == (1, [])
    assert account(box)["uptime"] == "1h"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"password": "other"}, "invalid username or password"),
        ({"disabled": "yes"}, "invalid username or password"),
        ({"mac_address": "02:00:00:00:00:99"}, "invalid username or password"),
    ],
)
async def test_who_may_not_sign_in_is_told(box: Box, words: dict[str, str], message: str) -> None:
    user(box, **words)

    with pytest.raises(Trap, match=message):
        box.sign_in("K7Q2", "pw", ADDRESS)


async def test_an_account_is_shared_as_far_as_its_profile_says(box: Box) -> None:
    user(box)
    box.sign_in("K7Q2", "pw", ADDRESS)

    with pytest.raises(Trap, match="no more sessions are allowed for user K7Q2"):
        box.sign_in("K7Q2", "pw", "10.5.50.15")


async def test_the_api_signs_in_and_throws_out(box: Box) -> None:
    user(box)

    def visit() -> list[list[list[str]]]:
        with signed_in(box.host, box.port) as w:
            login = ("=user=K7Q2", "=password=pw", f"=ip={ADDRESS}", f"=mac-address={MAC}")
            wrong = w.ask("/ip/hotspot/active/login", "=user=K7Q2", "=password=x", f"=ip={ADDRESS}")
            right = w.ask("/ip/hotspot/active/login", *login)
            (row,) = w.rows("/ip/hotspot/active/print", "=.proplist=.id", "?user=K7Q2")
            return [wrong, right, w.ask("/ip/hotspot/active/remove", f"=.id={row['.id']}")]

    wrong, right, gone = await asyncio.to_thread(visit)

    assert attributes(wrong[0])["message"] == "invalid username or password"
    assert (right, gone) == ([["!done"]], [["!done"]])
    assert box.rows("/ip/hotspot/active") == []


async def test_the_garden_is_open_to_strangers(box: Box) -> None:
    box.add("/ip/hotspot/walled-garden/ip", dst_address="198.51.100.0/24")
    box.add("/ip/hotspot/walled-garden", dst_host="*.example.net")

    assert box.pass_bytes(ADDRESS, up=1, to="198.51.100.7").up == 1
    assert box.pass_bytes(ADDRESS, up=1, to="pay.example.net").up == 1
    assert box.pass_bytes(ADDRESS, up=1, to="example.org").up == 0
    assert box.rows("/ip/hotspot/walled-garden")[0]["hits"] == "1"


async def test_a_blocked_device_does_not_even_reach_the_garden(box: Box) -> None:
    box.add("/ip/hotspot/walled-garden/ip", dst_address="198.51.100.0/24")
    box.add("/ip/hotspot/ip-binding", mac_address=MAC, type="blocked")

    assert box.pass_bytes(ADDRESS, up=1, to="198.51.100.7").up == 0


async def test_an_idle_stranger_is_forgotten_and_a_lease_runs_out(box: Box) -> None:
    box.pass_time(299)
    idle = len(box.rows("/ip/hotspot/host"))
    box.pass_time(1)

    assert (idle, box.rows("/ip/hotspot/host")) == (1, [])
    (lease,) = box.rows("/ip/dhcp-server/lease")
    assert (lease["expires-after"], lease["host-name"]) == ("55m", "Galaxy-A14")
    box.pass_time(3_300)
    assert box.rows("/ip/dhcp-server/lease") == []


async def test_neighbours_and_the_bridge_know_who_is_there_and_who_left(box: Box) -> None:
    (before,) = box.rows("/ip/arp")
    (learnt,) = box.rows("/interface/bridge/host")
    box.leave(ADDRESS)
    (after,) = box.rows("/ip/arp")

    assert (before["mac-address"], before["complete"], after["complete"]) == (MAC, "true", "false")
    assert (learnt["mac-address"], learnt["on-interface"]) == (MAC, "ether2")
    assert after.get("status") == (None if box.version < Version(7) else "failed")


async def test_a_static_lease_gives_its_address(box: Box) -> None:
    words = {"mac_address": "aa:bb:cc:dd:ee:02", "server": "dhcp1"}
    box.add("/ip/dhcp-server/lease", address="10.5.50.77", **words)

    assert box.join("AA:BB:CC:DD:EE:02") == "10.5.50.77"


async def test_rules_and_lists_decide_and_marks_are_counted() -> None:
    async with routeros(hotspot=False) as box:
        box.add("/ip/firewall/filter", chain="forward", src_address_list="!paid", action="drop",
                in_interface="bridge")  # fmt: skip
        box.add("/ip/firewall/mangle", chain="forward", action="mark-packet", dst_address=ADDRESS,
                new_packet_mark="m", passthrough="no")  # fmt: skip
        box.add("/queue/tree", name="dl", parent="bridge", packet_mark="m", max_limit="5M")
        blocked = box.pass_bytes(ADDRESS, up=5)
        box.add("/ip/firewall/address-list", list="paid", address=ADDRESS)

        assert (blocked.up, box.pass_bytes(ADDRESS, up=5, down=50)) == (0, Passed(5, 50))
        assert box.rows("/queue/tree")[0]["bytes"] == "50"
        assert box.rows("/queue/tree")[0]["max-limit"] == "5000000"
        assert box.rows("/ip/firewall/filter")[0]["bytes"] == "5"


async def test_fasttrack_passes_queues_by() -> None:
    async with routeros(hotspot=False) as box:
        box.add("/queue/simple", name="q", target=ADDRESS)
        box.add("/ip/firewall/filter", chain="forward", action="fasttrack-connection",
                connection_state="established,related")  # fmt: skip

        assert box.pass_bytes(ADDRESS, up=5) == Passed(5, 0)
        assert box.rows("/queue/simple")[0]["bytes"] == "0/0"


async def test_pppoe_is_counted_by_its_interface_and_its_queue(box: Box) -> None:
    box.add("/ppp/profile", name="10M", rate_limit="3M/10M", remote_address="pppoe-pool")
    box.add("/ppp/secret", name="jane", password="pw", profile="10M", service="pppoe")
    address = box.dial("jane", "pw")

    assert box.pass_bytes(address, up=10, down=100) == Passed(10, 100)
    interface = box.rows("/interface")[-1]
    (queue,) = box.rows("/queue/simple")
    (active,) = box.rows("/ppp/active")
    assert (interface["name"], interface["dynamic"]) == ("<pppoe-jane>", "true")
    assert (interface["rx-byte"], interface["tx-byte"]) == ("10", "100")
    assert (queue["target"], queue["bytes"]) == ("<pppoe-jane>", "10/100")
    assert not {"bytes", "bytes-in"} & active.keys()


async def test_a_disabled_secret_does_not_end_a_session_but_a_removed_session_ends(
    box: Box,
) -> None:
    secret = box.add("/ppp/secret", name="jane", password="pw")
    box.dial("jane", "pw")
    box.edit("/ppp/secret", secret, disabled="yes")
    (online,) = box.rows("/ppp/active")
    box.remove("/ppp/active", online[".id"])

    assert box.rows("/ppp/active") == []
    assert box.rows("/ppp/secret")[0]["last-logged-out"] == box.stamp
    with pytest.raises(Trap, match="authentication failed"):
        box.dial("jane", "pw")
