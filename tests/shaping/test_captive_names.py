"""Whomever an unpaid device asks for a name, the captive resolver of the gateway answers."""

from __future__ import annotations

import pytest

from shaping.linux.nft import LinuxConfig, rules
from shaping.plane import PlaneError

LEADING = ("udp dport 53 redirect to :5300", "tcp dport 53 redirect to :5300")


def test_names_are_led_there_after_those_who_paid_have_passed() -> None:
    chain = rules(LinuxConfig("lan0", "wan0", captive_dns_port=5_300))["portal_nat"]
    at = chain.index(LEADING[0])

    assert chain[at : at + 2] == LEADING
    assert chain.index("ip saddr . ether saddr @up4 accept") < at
    assert chain.index("ip6 saddr . ether saddr @up6 accept") < at
    assert at + 2 == chain.index("tcp dport 80 redirect to :8000")


def test_the_door_counts_the_names_that_are_asked_there() -> None:
    chain = rules(LinuxConfig("lan0", "wan0", captive_dns_port=5_300))["gateway_door"]

    assert "udp dport 5300 goto names" in chain
    assert "tcp dport 5300 goto names" in chain


def test_without_a_captive_resolver_nothing_is_led() -> None:
    text = str(rules(LinuxConfig("lan0", "wan0")))

    assert "5300" not in text
    assert "dport 53 redirect" not in text


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(PlaneError, match="captive_dns_port: 70000"):
        LinuxConfig("lan0", "wan0", captive_dns_port=70_000)


def test_https_to_the_gateway_is_led_to_the_portal_where_that_speaks_it() -> None:
    chains = rules(LinuxConfig("lan0", "wan0", portal_tls_port=8_443))

    assert "fib daddr type local tcp dport 443 redirect to :8443" in chains["portal_nat"]
    door = chains["gateway_door"]
    served, refused = (
        "tcp dport 8443 ct state new goto visits",
        "tcp dport 443 reject with tcp reset",
    )
    assert door.index(served) < door.index(refused)
    assert "8443" not in str(rules(LinuxConfig("lan0", "wan0")))
