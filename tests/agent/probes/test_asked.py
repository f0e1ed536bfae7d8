"""What may be asked of a probe, and where it may send."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from agent.probes.asked import (
    PACKETS_MAX,
    Kind,
    Place,
    ProbeRefused,
    Wiring,
    Wish,
    default_target,
    destination,
    hosts,
    order_text,
    read_order,
    swept,
    wish,
)


def a_place(**changed: Any) -> Place:
    """10.77.0.1/16 on the LAN, an uplink in 192.168.1.0/24, a resolver at 9.9.9.9."""
    usual: dict[str, Any] = {
        "wiring": Wiring("br-lan", "wan0", upstreams=(IPv4Address("9.9.9.9"),)),
        "lan": IPv4Interface("10.77.0.1/16"),
        "wan": IPv4Interface("192.168.1.2/24"),
        "gateway": IPv4Address("192.168.1.1"),
    }
    return Place(**{**usual, **changed})


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("ping", "", "kind: want one of arp, dhcp, trace, dns, mtu"),
        ("dhcp", "10.0.0.1", "target: dhcp has none"),
        ("arp", "shop.example", "target: 'shop.example' is no IPv4 address or network"),
        ("arp", "10.0.0.1/8", "target: '10.0.0.1/8' is no IPv4 address or network"),
        ("dns", "9.9.9.9", "target: '9.9.9.9' is no host name"),
        ("dns", "a b", "target: 'a b' is no host name"),
        ("trace", "1.2.3.400", "target: '1.2.3.400' is no IPv4 address or host name"),
        ("trace", "2001:db8::1", "target: '2001:db8::1' is no IPv4 address or host name"),
        ("mtu", "-x.example;id", "is no IPv4 address or host name"),
        ("dns", "a" * 254, "target: want at most 253 characters"),
    ],
)
def test_what_cannot_be_is_refused_by_the_field(kind: str, target: str, said: str) -> None:
    with pytest.raises(ProbeRefused) as refused:
        wish(kind, target)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "this machine itself"),
        ("0.0.0.0", "no address of anybody"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "no address of anybody"),
        ("169.254.1.1", "good on one link only"),
        ("10.77.3.4", "is on the LAN"),
        ("10.78.0.1", "in a private network that is not this site's"),
        ("172.16.0.1", "in a private network that is not this site's"),
        ("192.168.2.1", "in a private network that is not this site's"),
        ("100.64.0.1", "in a private network that is not this site's"),
        ("192.168.1.2", "this machine itself"),
        ("192.168.1.255", "a broadcast address"),
    ],
)
def test_a_probe_out_of_the_wan_goes_to_nobody_elses_network(address: str, why: str) -> None:
    with pytest.raises(ProbeRefused) as refused:
        destination(IPv4Address(address), a_place())

    assert str(refused.value).startswith("target: ")
    assert why in str(refused.value)


@pytest.mark.parametrize("address", ["9.9.9.9", "203.0.113.10", "192.168.1.1", "192.168.1.77"])
def test_the_internet_and_the_uplinks_own_network_may_be_asked(address: str) -> None:
    assert destination(IPv4Address(address), a_place()) == IPv4Address(address)


def test_a_private_resolver_upstream_is_ours_to_ask() -> None:
    wiring = Wiring("br-lan", "wan0", upstreams=(IPv4Address("10.5.5.5"),))
    place = a_place(wiring=wiring)

    assert destination(IPv4Address("10.5.5.5"), place) == default_target(place)


def test_without_a_target_the_uplink_is_asked() -> None:
    wiring = Wiring("br-lan", "wan0", upstreams=(IPv4Address("127.0.0.53"),))

    assert default_target(a_place()) == IPv4Address("9.9.9.9")
    assert default_target(a_place(wiring=wiring)) == IPv4Address("192.168.1.1")


def test_a_wide_lan_is_swept_around_the_gateway() -> None:
    part = swept(Wish(Kind.ARP), a_place())

    assert part == IPv4Network("10.77.0.0/22")
    assert len(hosts(part, IPv4Interface("10.77.0.1/16"))) + 1 <= PACKETS_MAX


def test_a_small_lan_is_swept_whole() -> None:
    place = a_place(lan=IPv4Interface("10.0.0.1/24"))

    assert swept(Wish(Kind.ARP), place) == IPv4Network("10.0.0.0/24")


@pytest.mark.parametrize("target", ["10.78.0.0/24", "10.77.0.0/21", "0.0.0.0/0", "192.168.1.1"])
def test_no_sweep_leaves_the_lan_or_is_too_wide(target: str) -> None:
    with pytest.raises(ProbeRefused, match="target: "):
        swept(Wish(Kind.ARP, target), a_place())


def test_an_order_is_read_as_it_was_written() -> None:
    asked = Wish(Kind.DNS, "shop.example")
    wiring = Wiring(
        "br-lan",
        "wan0",
        IPv4Interface("10.0.0.1/24"),
        upstreams=(IPv4Address("9.9.9.9"),),
        private=("office.example",),
    )

    assert read_order(order_text(asked, wiring)) == (asked, wiring)
