"""The site's own network, by the agent's own dnsmasq: addresses, names, and the portal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.sandbox.lab.device import GATEWAY_V4, INTERNET_V4
from controller.sandbox.lab.dns import ResolveError, resolve
from controller.sandbox.lab.traffic import PORTAL, PROBE
from tests.support import dhcp
from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    path = tmp_path_factory.mktemp("rig")
    certificate = a_certificate(path / "portal.pem")
    async with a_lab(path, devices=30, own_names=True, certificate=certificate) as running:
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

    assert reply.options[dhcp.CAPTIVE_PORTAL] == b"https://wifi.lango/capport"


async def test_the_address_it_is_told_says_how_the_device_stands(
    lab: Lab,
) -> None:
    device = lab.fresh()
    reply = await dhcp.leased(device)
    url = reply.options[dhcp.CAPTIVE_PORTAL].decode()
    before = await asked_securely(device, url, certificate_of(lab))
    await lab.buy(device, await lab.sell("told"))
    after = await asked_securely(device, url, certificate_of(lab))

    assert (before["captive"], before["user-portal-url"]) == (True, "https://wifi.lango/")
    assert after["captive"] is False
    assert 3_500 < after["seconds-remaining"] <= 3_600


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


async def test_whomever_an_unpaid_device_asks_the_gateway_answers(lab: Lab) -> None:
    assert await named(lab.fresh(), "wifi.lango", server=INTERNET_V4) == GATEWAY_V4


async def test_while_the_link_is_cut_the_phones_probe_still_opens_the_portal(lab: Lab) -> None:
    device = lab.fresh()
    await dhcp.leased(device)
    lab.site.link_down()
    try:
        await eventually(lambda: is_told(device, "never-asked.example", GATEWAY_V4), wait_s=30)
        answer = await device.get("http://captive.apple.com/hotspot-detect.html")
        page = await device.browse("http://never-asked.example/")
    finally:
        lab.site.link_up()

    assert (answer.status, answer.location) == (302, f"{PORTAL}/")
    assert page.status == 200


async def test_a_paid_device_is_never_told_that_the_internet_is_the_gateway(lab: Lab) -> None:
    paid, captive = lab.fresh(), lab.fresh()
    await lab.buy(paid, await lab.sell("not-poisoned"))
    lab.site.link_down()
    try:
        await eventually(lambda: is_told(captive, "poison.example", GATEWAY_V4), wait_s=30)
        told = await named(paid, "poison.example")
    finally:
        lab.site.link_up()

    assert told is None


async def test_when_the_link_is_back_names_are_what_they_are(lab: Lab) -> None:
    device = lab.fresh()
    lab.site.link_down()
    try:
        await eventually(lambda: is_told(device, "back.example", GATEWAY_V4), wait_s=30)
    finally:
        lab.site.link_up()

    await eventually(lambda: is_told(device, "back.example", INTERNET_V4), wait_s=30)


async def test_a_killed_agent_leaves_addresses_and_names(lab: Lab) -> None:
    device = lab.fresh()
    pids = await processes(lab)
    lab.agent.kill9(stay_dead=True)
    try:
        reply = await dhcp.exchanged(device)
        told = await named(device, "wifi.lango")
    finally:
        lab.agent.revive()
    await lab.whole()

    assert (reply.kind, told) == (dhcp.ACK, GATEWAY_V4)
    assert await processes(lab) == pids, "the next agent adopts what runs"


@pytest.mark.parametrize("name", ["main", "captive"])
async def test_a_dnsmasq_that_dies_is_started_again(lab: Lab, name: str) -> None:
    before = await processes(lab)
    os.kill(before[name], signal.SIGKILL)

    async def another() -> bool:
        now = await processes(lab)
        return bool(now.get(name)) and now[name] != before[name]

    await eventually(another)
    assert await named(lab.fresh(), "wifi.lango") == GATEWAY_V4


async def test_a_flow_of_a_paid_device_loses_nothing_when_a_change_is_tried_and_goes_back(
    lab: Lab,
) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("tried"))
    flow = asyncio.create_task(device.udp_down(2_000_000, bps=1_000_000))
    said = command(lab, "try", "--address", "10.78.0.1/24", *RANGE, "--seconds", "6")
    during = addresses(lab)
    moved = await flow
    await eventually(lambda: has(lab, "10.78.0.1/24", there=False), wait_s=30)

    assert "done, for" in said
    assert {"10.77.0.1/16", "10.78.0.1/24"} <= during
    assert moved.received_bytes == moved.sent_bytes == 2_000_000
    assert "10.77.0.1/16" in addresses(lab)


async def test_a_change_that_nobody_confirms_goes_back_without_an_agent(lab: Lab) -> None:
    lab.agent.kill9(stay_dead=True)
    try:
        command(lab, "try", "--address", "10.79.0.1/24", *RANGE79, "--seconds", "5")
        assert "10.79.0.1/24" in addresses(lab)
        await eventually(lambda: has(lab, "10.79.0.1/24", there=False), wait_s=30)
        shown = command(lab, "show")
    finally:
        lab.agent.revive()
    await lab.whole()

    assert "trying" not in shown
    assert "gateway: 10.77.0.1/16" in shown


async def test_a_device_that_comes_during_a_try_is_numbered_by_either_range(lab: Lab) -> None:
    held, new = lab.fresh(), lab.fresh()
    before = await dhcp.leased(held)
    command(lab, "try", "--address", "10.80.0.1/24", *RANGE80, "--seconds", "60")
    kept = await dhcp.renewed(held)
    came = await dhcp.exchanged(new)
    command(lab, "revert")

    assert (kept.kind, kept.address) == (dhcp.ACK, before.address)
    assert came.kind == dhcp.ACK
    assert str(came.addresses(dhcp.ROUTER)[0]) in {"10.80.0.1", GATEWAY_V4}


async def test_a_confirmed_change_stays_and_is_written_down(lab: Lab) -> None:
    range_ = ("--range", "10.77.1.1-10.77.1.240")
    command(lab, "try", *range_, "--seconds", "60")
    command(lab, "confirm")
    shown = command(lab, "show")
    config = lab.agent_config.read_text()
    command(lab, "try", "--range", "10.77.1.1-10.77.1.250", "--seconds", "60")
    command(lab, "confirm")

    assert "10.77.1.1-10.77.1.240" in shown
    assert 'range = "10.77.1.1-10.77.1.240"' in config
    assert 'range = "10.77.1.1-10.77.1.250"' in lab.agent_config.read_text()


async def test_an_agent_takes_back_what_a_killed_command_left(lab: Lab) -> None:
    note = lab.agent_config.parent / "network" / "trial.json"
    command(lab, "try", "--address", "10.81.0.1/24", *RANGE81, "--seconds", "600")
    timers = ours(lab, "agent.network.timer")
    for pid in timers:
        os.kill(pid, signal.SIGKILL)
    left = json.loads(note.read_text())
    await asyncio.to_thread(note.write_text, json.dumps({**left, "until_ms": 1}))

    await eventually(lambda: has(lab, "10.81.0.1/24", there=False), wait_s=30)
    assert timers, "the command had left a timer"
    assert not note.exists()


RANGE81 = ("--range", "10.81.0.50-10.81.0.90")
RANGE = ("--range", "10.78.0.50-10.78.0.90")
RANGE79 = ("--range", "10.79.0.50-10.79.0.90")
RANGE80 = ("--range", "10.80.0.50-10.80.0.90")


def certificate_of(lab: Lab) -> Path:
    assert lab.rig.plan.certificate is not None
    return lab.rig.plan.certificate


async def asked_securely(device: Device, url: str, trusted: Path) -> dict[str, Any]:
    """What the captive portal API says, to a phone that looks at the certificate."""
    host = urlsplit(url).hostname or ""
    made = device.ns.socket()
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, (await device.resolve(host), 443))
    context = ssl.create_default_context(cafile=str(trusted))
    reader, writer = await asyncio.open_connection(sock=made, ssl=context, server_hostname=host)
    with contextlib.closing(writer):
        asked = [f"GET {urlsplit(url).path} HTTP/1.1", f"Host: {host}"]
        asked += ["Accept: application/captive+json", "Connection: close", "", ""]
        writer.write("\r\n".join(asked).encode())
        said = await asyncio.wait_for(reader.read(), 10)
    answer: dict[str, Any] = json.loads(said.partition(b"\r\n\r\n")[2])
    return answer


def a_certificate(path: Path) -> Path:
    """A certificate for the portal's name, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wifi.lango")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("wifi.lango")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(pem) + private)
    return path


async def is_told(device: Device, name: str, address: str) -> bool:
    return await named(device, name) == address


def command(lab: Lab, *words: str) -> str:
    """What ``lango-agent network`` says on the gateway."""
    argv = (sys.executable, "-m", "agent.main", "network", *words)
    return lab.site.gateway.run(*argv, "--config", str(lab.agent_config))


def ours(lab: Lab, module: str) -> list[int]:
    """Processes of this lab that run a module of ours."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if module in words and str(lab.agent_config) in words:
                found.append(int(path.parent.name))
    return found


async def processes(lab: Lab) -> dict[str, int]:
    """The process ids of both dnsmasqs, by their own notes."""
    folder = lab.agent_config.parent / "network"
    found = {}
    for name in ("main", "captive"):
        path = folder / f"{name}.pid"
        if path.exists() and (text := path.read_text().strip()):
            found[name] = int(text)
    return found


def addresses(lab: Lab) -> set[str]:
    """The IPv4 addresses of the gateway's LAN."""
    listed = json.loads(lab.site.gateway.run("ip", "-j", "-4", "addr", "show", "br-lan"))
    return {f"{one['local']}/{one['prefixlen']}" for one in listed[0]["addr_info"]}


async def has(lab: Lab, address: str, *, there: bool) -> bool:
    return (address in addresses(lab)) is there
