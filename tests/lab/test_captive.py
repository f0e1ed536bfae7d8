"""Before paying, nothing passes but the portal."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.device import GATEWAY_V6, INTERNET_V4, INTERNET_V6

if TYPE_CHECKING:
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

PROBES = (
    "http://captive.apple.com/hotspot-detect.html",
    "http://www.apple.com/library/test/success.html",
    "http://connectivitycheck.gstatic.com/generate_204",
    "http://clients3.google.com/generate_204",
    "http://connect.rom.miui.com/generate_204",
    "http://connectivitycheck.platform.hicloud.com/generate_204",
    "http://www.msftconnecttest.com/connecttest.txt",
    "http://www.msftncsi.com/ncsi.txt",
    "http://detectportal.firefox.com/success.txt?ipv4",
    "http://connectivity-check.ubuntu.com/",
    "http://nmcheck.gnome.org/check_network_status.txt",
    "http://networkcheck.kde.org/",
)


@pytest.mark.parametrize("url", PROBES)
async def test_every_systems_probe_is_sent_to_the_portal(lab: Lab, url: str) -> None:
    answer = await lab.stranger().get(url)

    assert (answer.status, answer.location) == (302, "http://wifi.lango/")


async def test_the_probe_is_sent_to_the_portal_over_ipv6_too(lab: Lab) -> None:
    answer = await lab.stranger().get("http://captive.apple.com/", address=INTERNET_V6)

    assert (answer.status, answer.location) == (302, "http://wifi.lango/")


async def test_the_portal_shows_what_is_for_sale(lab: Lab) -> None:
    answer = await lab.stranger().browse("http://captive.apple.com/")

    assert "40 minutes" in answer.text


async def test_the_portal_opens_over_ipv6(lab: Lab) -> None:
    answer = await lab.stranger().get("http://wifi.lango/", address=GATEWAY_V6)

    assert answer.status == 200


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
async def test_https_is_refused_at_once(lab: Lab, address: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        await lab.stranger().connect(address, 443, wait_s=2)


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
@pytest.mark.parametrize("port", [22, 53, 853, 5001, 8080])
async def test_no_other_port_can_be_reached(lab: Lab, address: str, port: int) -> None:
    assert not await lab.stranger().reaches(address, port, wait_s=0.5)


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
async def test_no_datagram_leaves_the_site(lab: Lab, address: str) -> None:
    before = lab.site.flows.datagrams_total
    await lab.stranger().udp_up(20_000, bps=1_000_000, address=address, settle_s=0.3)

    assert lab.site.flows.datagrams_total == before


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
async def test_no_echo_leaves_the_site(lab: Lab, address: str) -> None:
    said = lab.stranger().ns.run("sh", "-c", f"ping -c2 -i0.2 -W1 {address} || true")

    assert "0 received" in said


async def test_no_name_is_answered_from_outside(lab: Lab) -> None:
    asked = lab.stranger().ns.socket(kind=socket.SOCK_DGRAM)
    asked.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\3lab\0\0\1\0\1", (INTERNET_V4, 53))
    with asked, pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(asked, 512), 0.5)


async def test_the_gateway_offers_devices_no_door_but_its_own(lab: Lab) -> None:
    device = lab.stranger()
    open_ports = [port for port in (22, 8443, 5001) if await device.reaches("10.77.0.1", port)]

    assert open_ports == []
