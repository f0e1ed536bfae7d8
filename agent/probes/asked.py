"""What may be asked of a probe, and where it may send. PURE.

Invariant: every packet of a probe goes to an address that came out of this file.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from typing import TYPE_CHECKING, Any

from agent.network.plan import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_MAX = 30
"""A probe that takes longer is killed."""

PACKETS_MAX = 1_100
"""Packets that one probe sends at most."""

SWEEP_PREFIX_MIN = 22
"""The widest network that is swept: 1,022 addresses."""

TARGET_LENGTH_MAX = 253
NAME_USUAL = "connectivitycheck.gstatic.com"
"""Asked when nobody says which name: phones ask it all the time."""

_PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)
"""Networks that are somebody's own: to be looked at only where they are ours."""

_NOBODY = {
    IPv4Network("0.0.0.0/8"): "no address of anybody",
    IPv4Network("127.0.0.0/8"): "this machine itself",
    IPv4Network("169.254.0.0/16"): "good on one link only",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "no address of anybody",
}


class ProbeRefused(Exception):  # noqa: N818 - a refusal, see style
    """This is not probed. The message names the field, and says why."""


class Kind(StrEnum):
    """What a probe looks at."""

    ARP = "arp"
    DHCP = "dhcp"
    TRACE = "trace"
    DNS = "dns"
    MTU = "mtu"


@dataclass(frozen=True, slots=True)
class Wish:
    """A probe as it was asked for, of a form that can be: the target is "", or one of its kind."""

    kind: Kind
    target: str = ""


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the machine is connected, by its configuration.

    ``address`` is the gateway's on the LAN, None where that is not ours to say; ``upstreams`` are
    resolvers; names in ``private`` may have private addresses.
    """

    lan: str
    wan: str
    address: IPv4Interface | None = None
    upstreams: tuple[IPv4Address | IPv6Address, ...] = ()
    private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the machine stands: its addresses, and the next machine upstream, None without any."""

    wiring: Wiring
    lan: IPv4Interface | None
    wan: IPv4Interface | None
    gateway: IPv4Address | None


def wish(kind: str, target: str) -> Wish:
    """What is asked for. Raises `ProbeRefused` when it cannot be."""
    known = {one.value: one for one in Kind}
    if kind not in known:
        raise ProbeRefused(f"kind: want one of {', '.join(known)}, got {kind[:20]!r}")
    asked = Wish(known[kind], target.strip().lower())
    _check_form(asked)
    return asked


def swept(asked: Wish, place: Place) -> IPv4Network:
    """The addresses of the LAN that are asked for: all of it, or the part around the gateway."""
    assert asked.kind is Kind.ARP
    if place.lan is None:
        raise ProbeRefused(f"lan: {place.wiring.lan} has no IPv4 address")
    own = place.lan.network
    if not asked.target:
        bits = max(own.prefixlen, SWEEP_PREFIX_MIN)
        return IPv4Interface(f"{place.lan.ip}/{bits}").network
    part = IPv4Network(asked.target)
    if not part.subnet_of(own):
        raise ProbeRefused(f"target: {part} is not in the LAN, {own}")
    if part.prefixlen < SWEEP_PREFIX_MIN:
        raise ProbeRefused(f"target: want at most a /{SWEEP_PREFIX_MIN} at once, got {part}")
    return part


def hosts(network: IPv4Network, own: IPv4Interface) -> list[IPv4Address]:
    """The addresses of a part of the LAN that a device can have."""
    none = {own.network.network_address, own.network.broadcast_address, own.ip}
    return [one for one in network if one not in none]


def default_target(place: Place) -> IPv4Address:
    """Where the uplink leads: the first resolver upstream, or the next machine."""
    for one in (*place.wiring.upstreams, place.gateway):
        if isinstance(one, IPv4Address) and not one.is_loopback:
            return destination(one, place)
    raise ProbeRefused("target: want one; there is neither a resolver upstream nor a gateway")


def destination(address: IPv4Address, place: Place) -> IPv4Address:
    """The address itself, where a probe out of the WAN may send to it. Raises `ProbeRefused`."""
    for network, why in _NOBODY.items():
        if address in network:
            raise ProbeRefused(f"target: {address} is {why}")
    if place.lan is not None and address in place.lan.network:
        raise ProbeRefused(f"target: {address} is on the LAN, not behind the uplink; use arp")
    if place.wan is None:
        raise ProbeRefused(f"wan: {place.wiring.wan} has no IPv4 address")
    if address == place.wan.ip:
        raise ProbeRefused(f"target: {address} is this machine itself")
    if address in place.wan.network and address == place.wan.network.broadcast_address:
        raise ProbeRefused(f"target: {address} is a broadcast address")
    ours = address in place.wan.network or address in {place.gateway, *place.wiring.upstreams}
    if not ours and any(address in network for network in _PRIVATE):
        raise ProbeRefused(f"target: {address} is in a private network that is not this site's")
    return address


def is_private(address: IPv4Address) -> bool:
    """Whether the address means something in one place only."""
    return any(address in network for network in (*_PRIVATE, *_NOBODY))


def as_address(target: str) -> IPv4Address | None:
    """The target as an address; None when it is a name."""
    try:
        return IPv4Address(target)
    except ValueError:
        return None


def order_text(asked: Wish, wiring: Wiring) -> dict[str, Any]:
    """An order as the program reads it."""
    return {
        "kind": asked.kind.value,
        "target": asked.target,
        "lan": wiring.lan,
        "wan": wiring.wan,
        "address": None if wiring.address is None else str(wiring.address),
        "upstreams": [str(one) for one in wiring.upstreams],
        "private": list(wiring.private),
    }


def read_order(raw: Mapping[str, Any]) -> tuple[Wish, Wiring]:
    """An order from `order_text`. Raises `ProbeRefused`."""
    wiring = Wiring(
        lan=raw["lan"],
        wan=raw["wan"],
        address=None if raw["address"] is None else IPv4Interface(raw["address"]),
        upstreams=tuple(map(ipaddress.ip_address, raw["upstreams"])),
        private=tuple(raw["private"]),
    )
    return wish(raw["kind"], raw["target"]), wiring


def _check_form(asked: Wish) -> None:
    target = asked.target
    if len(target) > TARGET_LENGTH_MAX:
        raise ProbeRefused(f"target: want at most {TARGET_LENGTH_MAX} characters")
    match asked.kind:
        case Kind.DHCP:
            if target:
                raise ProbeRefused("target: dhcp has none; it asks whoever is on the LAN")
        case Kind.ARP:
            try:
                IPv4Network(target or "10.0.0.0/24")
            except ValueError as wrong:
                raise ProbeRefused(f"target: {target!r} is no IPv4 address or network") from wrong
        case Kind.DNS:
            if target and (_is_address(target) or not is_name(target)):
                raise ProbeRefused(f"target: {target!r} is no host name")
        case Kind.TRACE | Kind.MTU:
            if (
                target
                and as_address(target) is None
                and (_is_address(target) or not is_name(target))
            ):
                raise ProbeRefused(f"target: {target!r} is no IPv4 address or host name")


def _is_address(text: str) -> bool:
    """Whether the text is meant as an address, even where it is a wrong one."""
    return ":" in text or text.replace(".", "").isdecimal()
