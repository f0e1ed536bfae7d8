"""Who has which address: dnsmasq's file of leases, read strictly. PURE.

What a device calls itself is in that file at most as ``*``, and is not read. A line that is not
exactly a lease of ours is passed over, and so is what is past the bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from agent.network.plan import LEASES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_BYTES_MAX = 4 << 20
_LINE = re.compile(r"([0-9]{1,12}) ((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) ([0-9.]{7,15}) \S+ \S+")


@dataclass(frozen=True, slots=True)
class Lease:
    """A device's address until an instant, in seconds since 1970; 0 has no end."""

    mac: str
    address: IPv4Address
    until_s: int


def leases(text: str, *, now_s: int) -> tuple[Lease, ...]:
    """The IPv4 leases that are not over, by address."""
    found: dict[IPv4Address, Lease] = {}
    for lease in _read(text):
        if len(found) >= LEASES_MAX:
            break
        if lease.until_s == 0 or lease.until_s > now_s:
            found[lease.address] = lease
    return tuple(found[address] for address in sorted(found))


def _read(text: str) -> Iterator[Lease]:
    for line in text.split("\n"):
        if (match := _LINE.fullmatch(line)) is None:
            continue
        until_s, mac, address = match.groups()
        try:
            yield Lease(mac, IPv4Address(address), int(until_s))
        except AddressValueError:
            continue
