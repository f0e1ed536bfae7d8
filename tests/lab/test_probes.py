"""Probes with real packets: what they find, and where they never send."""

from __future__ import annotations

import contextlib
import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.wild import DEVICES, FAR, GATEWAY, ISP, LIAR, NAME, Wild

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wild]:
    """A site that no test changes."""
    with Wild(tmp_path_factory.mktemp("calm")) as site:
        yield site


LAN, UPLINK = IPv4Network("10.77.0.0/16"), IPv4Network("198.51.100.0/24")
EVERYBODY = IPv4Address("255.255.255.255")


@pytest.fixture
def wild(tmp_path: Path) -> Iterator[Wild]:
    with Wild(tmp_path) as site:
        yield site


def test_arp_finds_the_devices_of_the_lan(calm: Wild) -> None:
    seen = calm.probe("arp")

    assert seen["devices"] == [f"{DEVICES[n]} 02:00:00:00:00:0{n + 1}" for n in (0, 1)]
    assert (seen["swept"], seen["odd"]) == ("10.77.0.0/22", [])
    assert seen["packets"] <= 1_100


def test_arp_finds_an_address_that_two_devices_use(wild: Wild) -> None:
    wild.devices[1].ip(f"addr add {DEVICES[0]}/16 dev eth0")
    seen = wild.probe("arp", "--target", "10.77.0.0/24")

    assert seen["odd"] == [f"{DEVICES[0]} is used by 02:00:00:00:00:01 and 02:00:00:00:00:02"]


def test_arp_finds_who_says_that_it_has_the_gateways_address(wild: Wild) -> None:
    wild.devices[1].ip(f"addr add {GATEWAY}/32 dev eth0")
    seen = wild.probe("arp", "--target", "10.77.0.0/24")

    assert seen["odd"] == [f"02:00:00:00:00:02 says that it has the gateway's address {GATEWAY}"]


def test_dhcp_knows_ours_from_a_stranger(calm: Wild) -> None:
    with (
        calm.leased(calm.gateway, "br-lan", "10.77.1.1", "10.77.1.9"),
        calm.leased(calm.devices[0], "eth0", "10.77.2.1", "10.77.2.9"),
    ):
        seen = calm.probe("dhcp")

    assert {one["server"]: one["ours"] for one in seen["servers"]} == {
        GATEWAY: True,
        DEVICES[0]: False,
    }
    assert seen["odd"] == [f"{DEVICES[0]} (02:00:00:00:00:01) hands out addresses, and is not ours"]
    assert seen["packets"] == 1


def test_dhcp_says_when_nobody_answers(calm: Wild) -> None:
    said = calm.probed("dhcp")

    assert said.stdout.startswith("no DHCP server answers on the LAN\n"), said.stderr
    assert said.returncode == 0


def test_trace_shows_every_machine_on_the_way(calm: Wild) -> None:
    seen = calm.probe("trace", "--target", FAR)

    assert [hop["address"] for hop in seen["hops"]] == [ISP, FAR]
    assert seen["reached"] is True


def test_trace_says_how_far_it_came(wild: Wild) -> None:
    wild.isp.ip("link set isp1 down")
    seen = wild.probe("trace", "--target", FAR)

    assert seen["reached"] is False
    assert "does not answer" in seen["odd"][0]


def test_mtu_is_that_of_the_card_where_nothing_is_smaller(calm: Wild) -> None:
    seen = calm.probe("mtu", "--target", FAR)

    assert (seen["mtu"], seen["odd"]) == (1500, [])


def test_mtu_finds_a_lower_one_and_who_says_so(wild: Wild) -> None:
    wild.isp.ip("link set isp1 mtu 1400")
    seen = wild.probe("mtu", "--target", FAR)

    assert (seen["mtu"], seen["told_by"]) == (1400, ISP)
    assert seen["odd"] == [f"the way to {FAR} takes 1400 bytes, and wan0 1500"]


def test_mtu_finds_a_lower_one_that_nobody_speaks_of(wild: Wild) -> None:
    wild.isp.ip("link set isp1 mtu 1340")
    wild.isp.run("nft", "-f", "-", stdin=SILENT)
    seen = wild.probe("mtu", "--target", FAR)

    assert (seen["mtu"], seen["told_by"]) == (1340, "")
    assert "vanish" in seen["odd"][1]


SILENT = """
table ip silent {
    chain out {
        type filter hook output priority 0; policy accept;
        icmp type destination-unreachable drop
    }
}
"""


@contextlib.contextmanager
def resolvers(wild: Wild) -> Iterator[None]:
    """An honest resolver upstream, a liar, and the site's own that asks the honest one."""
    honest = (f"--address=/{NAME}/{FAR}", "--local=/com/")
    with (
        wild.serving(wild.isp, "--bind-interfaces", f"--listen-address={ISP}", *honest),
        wild.serving(
            wild.isp, "--bind-interfaces", f"--listen-address={LIAR}", "--address=/#/198.51.100.66"
        ),
        wild.serving(
            wild.gateway, "--bind-interfaces", f"--listen-address={GATEWAY}", f"--server={ISP}"
        ),
    ):
        yield


def test_dns_tells_the_one_that_lies(calm: Wild) -> None:
    with resolvers(calm):
        config = calm.configured(ISP, LIAR)
        seen = calm.probe("dns", "--target", NAME, config=config)

    answers = {one["server"]: one["answers"] for one in seen["servers"]}
    assert answers == {GATEWAY: [FAR], ISP: [FAR], LIAR: ["198.51.100.66"]}
    assert seen["odd"] == [
        f"{LIAR} lies: it has an address for a name that does not exist",
        f"{LIAR} says of {NAME} what no other resolver says",
    ]


def test_dns_has_nothing_to_say_of_honest_resolvers(calm: Wild) -> None:
    with resolvers(calm):
        said = calm.probed("dns", "--target", NAME)

    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{ISP} (upstream): {FAR}, " in said.stdout


def test_dns_names_a_resolver_that_is_silent(wild: Wild) -> None:
    wild.isp.run("nft", "-f", "-", stdin=SILENT)
    seen = wild.probe("dns", "--target", NAME)

    assert seen["odd"] == [f"{GATEWAY} does not answer", f"{ISP} does not answer"]


def test_a_name_is_resolved_and_then_held_to_the_same_rules(calm: Wild) -> None:
    with resolvers(calm):
        traced = calm.probe("trace", "--target", NAME)
    inside = ("--bind-interfaces", f"--listen-address={ISP}", f"--address=/{NAME}/192.168.7.7")
    with calm.serving(calm.isp, *inside):
        refused = calm.probe("trace", "--target", NAME)

    assert (traced["outcome"], traced["address"]) == ("seen", FAR)
    assert refused["outcome"] == "refused"
    assert "192.168.7.7 is in a private network" in refused["error"]


@pytest.mark.parametrize(("kind", "target"), [("trace", "192.168.1.1"), ("mtu", DEVICES[0])])
def test_what_is_refused_sends_nothing(calm: Wild, kind: str, target: str) -> None:
    with calm.captured() as sent:
        said = calm.probed(kind, "--target", target)

    assert said.returncode == 2, said.stdout
    assert f"target: {target} is" in said.stdout + said.stderr
    assert sent == []


@pytest.mark.timeout(300)
def test_no_packet_leaves_for_a_foreign_network(calm: Wild) -> None:
    with resolvers(calm), calm.captured() as sent:
        for words in (["arp"], ["dhcp"], ["trace"], ["mtu"], ["dns", "--target", NAME]):
            calm.probed(*words)
    ways = {(way, _whose(to)) for way, to in sent if way != "lo"}

    assert ways <= {("br-lan", "lan"), ("lan1", "lan"), ("lan2", "lan"), ("wan0", "uplink")}
    assert ("br-lan", "lan") in ways
    assert ("wan0", "uplink") in ways


def _whose(address: IPv4Address) -> str:
    if address in LAN or address == EVERYBODY:
        return "lan"
    return "uplink" if address in UPLINK else str(address)


def test_a_probe_leaves_no_process(calm: Wild) -> None:
    for kind in ("arp", "trace"):
        calm.probed(kind)

    assert children() == []


def children() -> list[int]:
    """Programs that look at a network, of whoever."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
            if b"agent.probes.child" in words and parent in {1, os.getpid()}:
                found.append(int(path.parent.name))
    return found
