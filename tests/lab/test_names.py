"""Names and addresses on a LAN without an agent: what devices say, and the garden by name."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.network import addresses, dnsmasq, files, situation
from agent.network.dnsmasq import DnsmasqError
from agent.network.leases import leases
from agent.network.plan import CAPTIVE_DNS_PORT, Served
from agent.network.trial import Trial
from controller.sandbox.lab.device import GATEWAY_V4, INTERNET_V4
from controller.sandbox.lab.dns import ResolveError, resolve
from controller.sandbox.lab.site import Site
from tests.support import dhcp
from tests.support.lab import eventually
from tests.support.lan import a_config, a_network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.sandbox.lab.device import Device

pytestmark = pytest.mark.root

NOBODY = 65_534

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

GARDEN = f"""
table inet lango {{
  set garden_names4 {{ type ipv4_addr; flags timeout; timeout 1h; }}
  set garden_names6 {{ type ipv6_addr; flags timeout; timeout 1h; }}
  chain portal_nat {{ type nat hook prerouting priority dstnat;
    iifname "br-lan" udp dport 53 redirect to :{CAPTIVE_DNS_PORT}
  }}
  chain passage {{ type filter hook forward priority filter;
    iifname "br-lan" ip daddr @garden_names4 accept
    iifname "br-lan" ip6 daddr @garden_names6 accept
    iifname "br-lan" drop
  }}
  chain wan_nat {{ type nat hook postrouting priority srcnat;
    oifname "wan0" meta nfproto ipv4 masquerade
  }}
}}
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path / "lab", devices=2, own_names=True) as lab:
        yield lab
        lab.gateway.call(lambda: dnsmasq.stop(tmp_path))


def serve(site: Site, state_dir: Path, served: Served) -> dict[str, int]:
    """Have the gateway's dnsmasqs serve this; their process ids."""
    return site.gateway.call(lambda: dnsmasq.serve(state_dir, served))


async def named(device: Device, name: str) -> str | None:
    """The address that the device is told; None when it is told none."""
    try:
        return str(await resolve(device.ns, name, server=GATEWAY_V4, wait_s=1.0))
    except ResolveError:
        return None


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_a_device_calls_itself_goes_nowhere(
    site: Site, tmp_path: Path, what: str
) -> None:
    said = HOSTILE[what]
    device = site.device(1)
    pids = serve(site, tmp_path, Served(a_network()))
    reply = await dhcp.exchanged(
        device, option12=said, option60=said, option81=b"\0\0\0" + said[:200]
    )
    kept = (tmp_path / "network" / "leases").read_bytes()
    found = leases(kept.decode("utf-8", "replace"), now_s=0)

    assert reply.kind == dhcp.ACK
    assert [(lease.mac, lease.address) for lease in found] == [(device.mac, reply.address)]
    assert len(kept.splitlines()) == 1
    assert kept.isascii()
    assert said not in kept
    assert await named(site.device(2), "wifi.lango") == GATEWAY_V4
    assert serve(site, tmp_path, Served(a_network())) == pids, "still the same processes"


async def test_a_device_cannot_name_itself_for_others(site: Site, tmp_path: Path) -> None:
    serve(site, tmp_path, Served(a_network()))
    site.link_down()
    await dhcp.exchanged(site.device(1), option12=b"printer")

    assert await named(site.device(2), "printer") is None


async def test_a_garden_name_opens_its_addresses_to_whoever_asks_for_it(
    site: Site, tmp_path: Path
) -> None:
    site.gateway.run("nft", "-f", "-", stdin=GARDEN)
    serve(site, tmp_path, Served(a_network(garden=("garden.example",), private=("example",))))
    device = site.device(1)
    before = await device.reaches(INTERNET_V4, 80)
    await named(device, "other.example")
    between = await device.reaches(INTERNET_V4, 80)
    told = await named(device, "www.garden.example")

    assert (before, between) == (False, False)
    assert told == INTERNET_V4
    assert await device.reaches(INTERNET_V4, 80)


async def test_a_resolver_outside_may_not_name_somebodys_lan(site: Site, tmp_path: Path) -> None:
    serve(site, tmp_path, Served(a_network(private=("mine.example",))))

    # The lab's internet answers every name with an address that is not of the internet.
    assert await named(site.device(1), "rebound.example") is None
    assert await named(site.device(1), "www.mine.example") == INTERNET_V4


async def test_what_is_right_already_is_left_alone(site: Site, tmp_path: Path) -> None:
    first = serve(site, tmp_path, Served(a_network()))
    again = serve(site, tmp_path, Served(a_network()))
    cut = serve(site, tmp_path, Served(a_network(), link_up=False))

    assert again == first
    assert (cut["main"], cut["captive"] == first["captive"]) == (first["main"], False)


async def test_an_address_is_kept_over_a_restart(site: Site, tmp_path: Path) -> None:
    serve(site, tmp_path, Served(a_network()))
    device = site.device(1)
    before = await dhcp.leased(device)
    serve(site, tmp_path, Served(a_network(lease_s=7_200)))
    after = await dhcp.renewed(device)

    assert (after.kind, after.address) == (dhcp.ACK, before.address)


async def test_what_does_not_start_leaves_what_ran(site: Site, tmp_path: Path) -> None:
    serve(site, tmp_path, Served(a_network()))
    with pytest.raises(DnsmasqError, match="dnsmasq refuses"):
        serve(site, tmp_path, Served(a_network(lease_s=-1)))

    assert await named(site.device(1), "wifi.lango") == GATEWAY_V4


async def test_a_stranger_with_an_old_process_id_is_not_ended(site: Site, tmp_path: Path) -> None:
    stranger = site.gateway.popen("sleep", "60")
    try:
        (tmp_path / "network").mkdir()
        (tmp_path / "network" / "main.pid").write_text(f"{stranger.pid}\n")
        pids = serve(site, tmp_path, Served(a_network()))

        assert stranger.poll() is None
        assert pids["main"] != stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


async def test_what_root_starts_is_the_agents_users_from_its_first_instruction(site: Site) -> None:
    with tempfile.TemporaryDirectory() as name:
        state_dir = Path(name)
        os.chown(name, NOBODY, NOBODY)
        network = a_network(address6=IPv6Interface("fd77::1/64"))
        pids = serve(site, state_dir, Served(network))
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in pids.values()}  # noqa: PTH116
        reply = await dhcp.exchanged(site.device(1))
        left = {path.stat().st_uid for path in (state_dir / "network").iterdir()}
        site.gateway.call(lambda: dnsmasq.stop(state_dir))

    # A process that has changed its user shows root as the owner of its folder in /proc.
    assert owners == left == {NOBODY}
    assert reply.kind == dhcp.ACK


async def test_devices_hear_of_the_prefix_and_the_resolver(site: Site, tmp_path: Path) -> None:
    device = site.device(1)
    device.ns.sysctl({"ipv6/conf/eth0/accept_ra": "2"})
    serve(site, tmp_path, Served(a_network(address6=IPv6Interface("fd77::1/64"))))

    async def numbered() -> bool:
        return "dynamic" in device.ns.run("ip", "-6", "addr", "show", "dev", "eth0")

    await eventually(numbered)


def a_trial(*, left_s: int) -> Trial:
    """10.78.0.1/24, put by us in this life of the machine."""
    now = SystemClock().now()
    return Trial(
        id="t1",
        address=IPv4Interface("10.78.0.1/24"),
        first=IPv4Address("10.78.0.50"),
        last=IPv4Address("10.78.0.99"),
        put=True,
        until_ms=now.mono + left_s * 1_000,
        boot=now.boot,
    )


def cut_off(site: Site, state_dir: Path, trial: Trial) -> None:
    """A command that was killed after it had put the address: no timer, no agent, only its note."""
    situation.note_trial(files.folder(state_dir), trial)
    site.gateway.ip(f"addr add {trial.address} dev br-lan")


def reverted(site: Site, folder: Path, *words: str) -> set[IPv4Interface]:
    """The LAN's addresses after ``lango-agent network revert``."""
    argv = (sys.executable, "-m", "agent.main", "network", "revert", *words)
    site.gateway.run(*argv, "--config", str(folder / "agent.toml"))
    site.gateway.call(lambda: dnsmasq.stop(folder / "state"))
    there = site.gateway.call(addresses.addresses)
    return {address for name, address in there if name == "br-lan"}


OLD, NEW = IPv4Interface("10.77.0.1/16"), IPv4Interface("10.78.0.1/24")


async def test_a_try_that_was_cut_off_is_taken_back(site: Site, tmp_path: Path) -> None:
    a_config(tmp_path)
    cut_off(site, tmp_path / "state", a_trial(left_s=-1))

    assert reverted(site, tmp_path, "--only-due", "t1") == {OLD}
    assert not (tmp_path / "state" / "network" / situation.TRIAL).exists()


async def test_a_try_that_is_not_over_is_not_due(site: Site, tmp_path: Path) -> None:
    a_config(tmp_path)
    cut_off(site, tmp_path / "state", a_trial(left_s=60))

    assert reverted(site, tmp_path, "--only-due", "t1") == {OLD, NEW}


async def test_after_a_reboot_an_address_is_somebody_elses(site: Site, tmp_path: Path) -> None:
    a_config(tmp_path)
    cut_off(site, tmp_path / "state", replace(a_trial(left_s=60), boot="an earlier one"))

    assert reverted(site, tmp_path, "--only-due", "t1") == {OLD, NEW}
    assert not (tmp_path / "state" / "network" / situation.TRIAL).exists()


async def test_an_address_that_was_there_before_is_not_taken(site: Site, tmp_path: Path) -> None:
    a_config(tmp_path)
    cut_off(site, tmp_path / "state", replace(a_trial(left_s=-1), put=False))

    assert reverted(site, tmp_path) == {OLD, NEW}


async def test_a_confirmation_that_was_cut_off_after_its_writing_is_kept(
    site: Site, tmp_path: Path
) -> None:
    path = a_config(tmp_path)
    text = path.read_text().replace("10.77.0.1/16", "10.78.0.1/24")
    path.write_text(text.replace("10.77.1.1-10.77.1.200", "10.78.0.50-10.78.0.99"))
    cut_off(site, tmp_path / "state", a_trial(left_s=-1))

    assert reverted(site, tmp_path) == {OLD, NEW}
    assert not (tmp_path / "state" / "network" / situation.TRIAL).exists()
