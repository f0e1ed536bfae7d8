"""What dnsmasq is told, as text that people review, and what is refused before it is told."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import TYPE_CHECKING, Any

import pytest

from agent.network.plan import (
    GARDEN_NAMES_MAX,
    Served,
    captive_text,
    digest,
    dnsmasq_text,
    faults,
    features,
    garden_names,
    main_text,
)
from tests.support.golden import golden
from tests.support.lan import a_network

if TYPE_CHECKING:
    from pathlib import Path

    from agent.network.plan import Network

FULL = a_network(
    address6=IPv6Interface("fd77::1/64"),
    upstreams=(IPv4Address("198.51.100.1"), IPv6Address("2001:db8::53")),
    api_url="https://portal.example.co.ke/capport",
    garden=("school.example", "wikipedia.org"),
    private=("corp.example",),
)
TRIED = a_network(
    address=IPv4Interface("10.78.0.1/24"),
    first=IPv4Address("10.78.0.50"),
    last=IPv4Address("10.78.0.99"),
)
TEXTS = {
    "plain.conf": dnsmasq_text(a_network()),
    "full.conf": dnsmasq_text(FULL),
    "captive.conf": captive_text(Served(FULL)),
    "captive-cut.conf": captive_text(Served(FULL, link_up=False)),
    "tried.conf": main_text(Served(TRIED, before=a_network())),
    "wider.conf": main_text(Served(a_network(last=IPv4Address("10.77.2.9")), before=a_network())),
    "host-resolver.conf": dnsmasq_text(a_network(upstreams=(), host_resolver=True)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_dnsmasq_is_told_just_this(name: str) -> None:
    assert TEXTS[name] == golden(f"network/{name}", TEXTS[name])


@pytest.mark.parametrize("name", TEXTS)
def test_dnsmasq_accepts_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name])
    argv = ["/usr/sbin/dnsmasq", "--test", f"--conf-file={path}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_dnsmasq_without_nftset_is_not_told_of_the_garden() -> None:
    assert "nftset" not in main_text(Served(FULL, by_name=False))
    assert "nftset" not in captive_text(Served(FULL, by_name=False))


def test_while_the_link_is_cut_those_who_paid_are_told_the_same_as_ever() -> None:
    assert main_text(Served(FULL, link_up=False)) == main_text(Served(FULL))


def test_one_byte_makes_another_digest() -> None:
    assert digest("port=53\n") != digest("port=54\n")


@pytest.mark.parametrize(
    ("changed", "key", "why"),
    [
        ({"lan": "br lan"}, "lan.interface", "no interface name"),
        ({"portal_host": "WiFi\nport=1"}, "portal.host", "no host name"),
        ({"address": IPv4Interface("10.77.0.0/16")}, "network.address", "not one device's"),
        ({"address": IPv4Interface("10.77.0.1/31")}, "network.address", "/8 to /30"),
        ({"address": IPv4Interface("127.0.0.1/8")}, "network.address", "gateway's"),
        ({"first": IPv4Address("10.78.0.1")}, "network.range", "is not all in 10.77.0.0/16"),
        ({"first": IPv4Address("10.77.1.201")}, "network.range", "ends before it begins"),
        ({"first": IPv4Address("10.77.0.1")}, "network.range", "the gateway's own address"),
        ({"last": IPv4Address("10.77.255.255")}, "network.range", "no device can have"),
        ({"last": IPv4Address("10.77.90.1")}, "network.range", "at most 16384"),
        ({"lease_s": 60}, "network.lease_s", "want 120 to 604800, got 60"),
        ({"upstreams": ()}, "network.upstreams", "want 1 to 8"),
        ({"host_resolver": True}, "network.upstreams", "one of the two"),
        ({"address6": IPv6Interface("fd77::1/56")}, "network.address6", "/64"),
        ({"api_url": "http://wifi.lango/capport"}, "portal.host", "want an https"),
        ({"api_url": "https://10.0.0.1/capport"}, "portal.host", "certificate"),
        ({"api_url": "https://a.example/x\nport=1"}, "portal.host", "a path"),
        ({"api_url": "https://a.example/" + "x" * 255}, "portal.host", "255 bytes"),
        ({"private": ("a/b",)}, "network.private_names", "no host name"),
    ],
)
def test_a_network_that_cannot_be_is_told_by_its_field(
    changed: dict[str, Any], key: str, why: str
) -> None:
    network: Network = a_network(**changed)
    told = dict(faults(network))

    assert why in told[key]


def test_a_network_that_can_be_has_no_fault() -> None:
    assert list(faults(FULL)) == list(faults(TRIED)) == []


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a/b", "a\nb", "*.example", "#", "-a.example", "a..b", "x" * 254, "10.0.0.1"],
)
def test_a_garden_name_that_is_none_is_left_out_and_told(name: str) -> None:
    assert garden_names([name, "ok.example"]) == (("ok.example",), (name,))


def test_garden_names_are_sorted_once_each_and_without_their_last_dot() -> None:
    assert garden_names(["B.example", "a.example.", "b.example"])[0] == ("a.example", "b.example")


def test_a_garden_has_its_bound() -> None:
    kept, refused = garden_names(f"n{n:04}.example" for n in range(GARDEN_NAMES_MAX + 2))

    assert (len(kept), len(refused)) == (GARDEN_NAMES_MAX, 2)


def test_what_a_dnsmasq_was_built_with_is_read() -> None:
    text = "Dnsmasq version 2.90\nCompile time options: IPv6 DHCP no-Lua nftset auth\n"

    assert {"nftset", "dhcp"} <= features(text)
    assert "nftset" not in features(text.replace("nftset", "no-nftset"))
    assert features("") == frozenset()
