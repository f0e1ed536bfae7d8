"""The site's own network, by the agent's own dnsmasq: addresses, names, and the portal by itself."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from agent.network import dnsmasq
from agent.network.dnsmasq import CAPTIVE, MAIN
from agent.network.leases import leases
from controller.sandbox.lab.device import GATEWAY_V4, INTERNET_V4
from controller.sandbox.lab.dns import ResolveError, resolve
from controller.sandbox.lab.traffic import PORTAL, PROBE
from tests.support import dhcp
from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = {
    "quotes": b"\"';--",
    "shell": b"$(touch /tmp/x);`id`|reboot",
    "255 bytes": b"a" * 255,
    "UTF-8": "ñandú-☎".encode(),
    "bad UTF-8": b"\xff\xfe\x80host",
    "colours": b"\x1b[31mred\x1b[0m\x07",
    "line break": b"host\n0 00:00:00:00:00:00 10.77.1.9 evil *",
    "nul": b"a\0b",
    "page": b"<script>alert(1)</script>",
    "the portal": b"wifi.lango",
    "a proxy": b"wpad",
    "configuration": b"x\naddress=/#/6.6.6.6",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    path = tmp_path_factory.mktemp("rig")
    async with a_lab(path, devices=30, own_names=True) as running:
        await served(running)
        yield running


async def served(lab: Lab) -> None:
    """Wait until the agent's dnsmasq answers."""
    await eventually(lambda: named(lab.site.devices[-1], "wifi.lango"), wait_s=30)


async def named(device: Device, name: str, *, server: str = GATEWAY_V4) -> str | None:
    """The address of a name, as the device is told it; None when it is told none."""
    try:
        return str(await resolve(device.ns, name, server=server, wait_s=1.0))
    except ResolveError:
        return None


async def test_a_device_gets_its_address_its_gateway_and_its_resolver(lab: Lab) -> None:
    device = lab.fresh()
    reply = await dhcp.leased(device)

    assert reply.kind == dhcp.ACK
    assert IPv4Address("10.77.1.1") <= reply.address <= IPv4Address("10.77.1.250")
    assert reply.addresses(dhcp.ROUTER) == reply.addresses(dhcp.NAME_SERVER) == (GATEWAY_V4,)


async def test_a_device_is_told_of_the_captive_portal_api(lab: Lab) -> None:
    reply = await dhcp.leased(lab.fresh())

    assert reply.options[dhcp.CAPTIVE_PORTAL] == b"https://portal.example/capport"


async def test_a_leased_device_finds_the_portal_by_its_own_probe(lab: Lab) -> None:
    device = lab.fresh()
    await dhcp.leased(device)
    answer = await device.get(PROBE)

    assert (answer.status, answer.location) == (302, f"{PORTAL}/")


async def test_a_leased_device_pays_and_is_online(lab: Lab) -> None:
    device = lab.fresh()
    await dhcp.leased(device)
    await lab.buy(device, await lab.sell("leased"))

    assert (await device.get(PROBE)).status == 204
