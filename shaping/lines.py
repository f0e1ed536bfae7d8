"""People who dial in to a box: a line as what a device's session is, and an address for each. PURE.

A line has an address of its own, known before anybody dials: so what lets it pass, shapes and
counts it is there before, and stays when the program that made it is dead.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from shaping.plane import Access, MacAddress, Rate, SessionKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from ipaddress import IPv4Network

    from shaping.plane import Desired

MAC = MacAddress("02:00:00:00:00:00")
"""Stands for whoever is at the other end: a line is known by its name and secret."""

KEYS = "line-"
"""What the key of a line begins with; no session's does."""

_NO_RATE = Rate(1, 1)
_UNPLAIN = re.compile(r"[^a-z0-9]+")


def key_of(name: str) -> SessionKey:
    """The key under which a line is shaped and counted, in which people know it again."""
    plain = _UNPLAIN.sub("-", name.lower())[:24]
    return SessionKey(f"{KEYS}{plain}-{sha256(name.encode()).hexdigest()[:16]}")


def own_end(network: IPv4Network) -> IPv4Address:
    """The box's own address on every line."""
    return network[1]


def addresses(
    names: Iterable[str],
    held: Mapping[str, str],
    network: IPv4Network,
    *,
    others: Collection[str] = (),
) -> dict[str, IPv4Address]:
    """An address for each line: the one that it holds, or the lowest that is free.

    ``held`` is what each has now; what ``others`` have is not free. Those for whom there is none
    left are not in it.
    """
    wanted = tuple(names)
    given: dict[str, IPv4Address] = {}
    taken: set[IPv4Address] = set()
    for name in wanted:
        address = _usable(held.get(name, ""), network)
        if address is not None and address not in taken:
            given[name] = address
            taken.add(address)
    numbers = range(2, network.num_addresses - 1)
    rest = (one for one in map(network.__getitem__, numbers) if one not in taken)
    free = (one for one in rest if str(one) not in others)
    without = (name for name in wanted if name not in given)
    return given | dict(zip(without, free, strict=False))


def _usable(text: str, network: IPv4Network) -> IPv4Address | None:
    try:
        address = IPv4Address(text)
    except ValueError:
        return None
    inside = network[1] < address < network.broadcast_address
    return address if inside else None


def with_lines(desired: Desired, given: Mapping[str, IPv4Address]) -> Desired:
    """The same with each line that has an address as a session of its own.

    A device that claims such an address gets none: it must not keep all others from being served.
    """
    taken = set(given.values())
    access = {
        key: replace(one, ipv4=None) if one.ipv4 in taken else one
        for key, one in desired.access.items()
    }
    for name, address in given.items():
        line = desired.lines[name]
        access[key_of(name)] = Access(
            mac=MAC,
            ipv4=address,
            ipv6=frozenset(),
            rate=line.rate or _NO_RATE,
            open_until=line.open_until,
            cap=line.cap if line.rate else None,
            closed=line.rate is None,
            pool=line.pool if line.rate else None,
        )
    return replace(desired, access=access)
