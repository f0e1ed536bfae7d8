"""A site with several MikroTik routers: ``[[router]]`` in its configuration, and what follows."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING, Any

from agent import router
from shaping.together import Box, Together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from agent.clock import Clock
    from agent.lan import Lan
    from agent.loop import Loop
    from agent.router import RouterOs
    from shaping.plane import MacAddress, MonotonicMs
    from shaping.routeros.plane import RouterPlane

ROUTERS_MAX = 32
NETWORKS_LIKE = 'like ["10.5.50.0/24"]'
LINES = "(secrets)"
"""Stands for a NAS's name, and is none, where a router's own secrets let people in. No router's
name: one of a site keeps secrets, and who is in and what was counted stay whatever it is called."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_KINDS = {str: "text in quotes", bool: "true or false", int: "a whole number", list: "a list"}
_KEYS = {
    **{key: kind for key, (kind, _) in router.KEYS.items()},
    "name": str,
    "networks": list,
}


def read(raw: object) -> tuple[tuple[RouterOs, ...], list[str]]:
    """The routers as parsed TOML has them, and everything that is wrong with any of them."""
    if not isinstance(raw, list) or not raw or not all(isinstance(row, dict) for row in raw):
        return (), ["router: want one table [[router]] for each router"]
    faults = [f"router: want at most {ROUTERS_MAX}"] if len(raw) > ROUTERS_MAX else []
    found = []
    for number, row in enumerate(raw[:ROUTERS_MAX], 1):
        one, more = _one(row, f"router {row.get('name', number)}")
        faults += more
        if one is not None:
            found.append(one)
    return tuple(found), [*faults, *_clashes(found), *_crowded_lines(found)]


def _one(row: Mapping[str, Any], place: str) -> tuple[RouterOs | None, list[str]]:
    faults = []
    for key, value in row.items():
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1, cutoff=0)
            faults.append(f"{place}.{key}: there is no such key; did you mean {near[0]}?")
        elif type(value) is not _KEYS[key]:
            faults.append(f"{place}.{key}: want {_KINDS[_KEYS[key]]}, got {value!r}")
    if not faults and not _NAME.fullmatch(row.get("name", "")):
        faults.append(f"{place}.name: want a name of small letters, digits and hyphens")
    networks, more = _networks(row.get("networks"), place)
    faults += more
    if faults:
        return None, faults
    told = {key: value for key, value in row.items() if key not in {"name", "networks"}}
    one, faults = router.parsed(told, place=place)
    if one is None:
        return None, faults
    return replace(one, name=row["name"], networks=networks), []


def _networks(told: object, place: str) -> tuple[tuple[IPv4Network, ...], list[str]]:
    if not isinstance(told, list) or not told:
        return (), [f"{place}.networks: want the networks of its devices, {NETWORKS_LIKE}"]
    networks, faults = [], []
    for text in told:
        try:
            networks.append(IPv4Network(text if isinstance(text, str) else ""))
        except ValueError:
            faults.append(f"{place}.networks: {text!r} is no IPv4 network, {NETWORKS_LIKE}")
    return tuple(networks), faults


def _clashes(found: Sequence[RouterOs]) -> list[str]:
    faults = []
    for one, other in combinations(found, 2):
        both = f"router {one.name}, {other.name}"
        if one.name == other.name:
            faults.append(f"router: two have the name {one.name}")
        if (one.host, one.port) == (other.host, other.port):
            faults.append(f"{both}: both are at {one.host} port {one.port}")
        if one.lines and other.lines:
            faults.append(f"{both}: pppoe: one router of a site keeps secrets")
        faults += [
            f"{both}: {mine} and {theirs} overlap"
            for mine in one.networks
            for theirs in other.networks
            if mine.overlaps(theirs)
        ]
    return faults


def _crowded_lines(found: Sequence[RouterOs]) -> list[str]:
    """Those who dial in have a network of their own."""
    return [
        f"router {one.name}: pppoe_network {one.lines} overlaps {network} of router {other.name}"
        for one in found
        for other in found
        for network in other.networks
        if one.lines is not None and one.lines.overlaps(network)
    ]


def lines_at(routers: Sequence[RouterOs]) -> str:
    """Where people are who dial in by a router's own secrets; "": no router keeps any."""
    return LINES if any(one.lines for one in routers) else ""


class Lans:
    """The LANs of several routers as one: who has an address is asked of the router that has it."""

    def __init__(self, lans: Sequence[tuple[tuple[IPv4Network, ...], Lan]]) -> None:
        self._lans = lans

    def resolve(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        """Which device has the address."""
        for networks, lan in self._lans:
            if any(address in network for network in networks):
                return lan.resolve(address)
        return None

    async def watch(self, loop: Loop) -> None:
        """Tell the loop every sighting; a router that does not answer is waited for by itself."""
        async with asyncio.TaskGroup() as group:
            for _, lan in self._lans:
                group.create_task(lan.watch(loop))


def boxes(
    routers: Sequence[RouterOs],
    portal_port: int,
    clock: Clock,
    *,
    patience_s: float | None = None,
) -> tuple[RouterPlane | Together, Lan | Lans]:
    """The routers of a site as one plane and one LAN. Raises `PlaneError` (no retry)."""
    made = [(one, *router.box(one, portal_port, clock, patience_s=patience_s)) for one in routers]
    if len(made) == 1 and not routers[0].networks:
        return made[0][1], made[0][2]

    def now() -> MonotonicMs:
        return clock.now().mono

    planes = [
        Box(one.name, plane, one.networks, plane.close, plane if one.lines else None)
        for one, plane, _ in made
    ]
    return Together(planes, now=now), Lans([(one.networks, lan) for one, _, lan in made])
