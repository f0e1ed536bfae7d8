"""Who is on a router's LAN: its ARP table and its bridges' ports, asked again and again.

RouterOS tells of changes only to whoever holds a connection for nothing else, and not of all; so
the tables are read every few seconds, and at once when somebody asks the portal whom nobody knows.
Interfaces that are no bridge have no ports.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from shaping.plane import MacAddress, Neighbour, PlaneError, Sight
from shaping.routeros.session import printed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from shaping.routeros.session import Lane, Talk

LOOK_EVERY_S = 5.0
LOOK_SHARE = 20
"""Reading the tables takes at most one part in so many of the time."""

ARP, HOSTS = "/ip/arp", "/interface/bridge/host"
_ARP_WORDS = ("address", "mac-address", "complete", "status", "invalid", "disabled")
_HOST_WORDS = ("mac-address", "on-interface", "interface")
_UNHEARD = frozenset({"failed", "incomplete"})


class Tables:
    """Remembers what was read last, and tells what is new in what is read now."""

    def __init__(self) -> None:
        self._known: dict[IPv4Address, tuple[MacAddress, bool]] = {}
        self._ports: dict[MacAddress, str] = {}

    @property
    def ports_known(self) -> int:
        """Of how many devices the port is remembered: those that the bridge told of last."""
        return len(self._ports)

    def take(
        self, arp: Sequence[Mapping[str, str]], hosts: Sequence[Mapping[str, str]]
    ) -> Iterator[Neighbour]:
        """The sightings that a look at both tables means."""
        before, self._ports = self._ports, {}
        for row in hosts:
            mac = MacAddress(row.get("mac-address", "").lower())
            port = row.get("on-interface") or row.get("interface", "")
            self._ports[mac] = port
            if before.get(mac, port) != port:
                yield Neighbour(Sight.MOVED, mac, None, port)
        now = dict(_entries(arp))
        for address, (mac, _) in self._known.items():
            if address not in now:
                yield Neighbour(Sight.GONE, mac, address, self._ports.get(mac, ""))
        for address, (mac, heard) in now.items():
            known, was_heard = self._known.get(address, (None, False))
            if mac != known or (heard and not was_heard):
                yield Neighbour(Sight.SEEN, mac, address, self._ports.get(mac, ""))
        self._known = now


def _entries(
    arp: Sequence[Mapping[str, str]],
) -> Iterator[tuple[IPv4Address, tuple[MacAddress, bool]]]:
    """Whose address it is as far as the router was told, and whether it hears them now."""
    for row in arp:
        mac = row.get("mac-address", "").lower()
        asleep = row.get("disabled") == "true" or row.get("invalid") == "true"
        if not mac or asleep or row.get("complete") == "false" or row.get("status") in _UNHEARD:
            continue
        try:
            address = IPv4Address(row.get("address", ""))
        except ValueError:
            continue
        yield address, (MacAddress(mac), row.get("status") == "reachable")


async def follow(
    lane: Lane, lans: Sequence[str], *, wait: Callable[[float], Awaitable[object]]
) -> AsyncIterator[Neighbour]:
    """Everybody on these interfaces now, then every sighting, without end.

    ``wait(seconds)`` returns then, or sooner when somebody is missed. Raises `PlaneError`.
    """
    tables = Tables()
    while True:
        began = time.monotonic()
        arp, hosts = await lane.run(lambda talk: _looked(talk, lans))
        took_s = time.monotonic() - began
        for neighbour in tables.take(arp, hosts):
            yield neighbour
        await wait(max(LOOK_EVERY_S, LOOK_SHARE * took_s))


def _looked(
    talk: Talk, lans: Sequence[str]
) -> tuple[list[Mapping[str, str]], list[Mapping[str, str]]]:
    ors = ("?#" + "|" * (len(lans) - 1),) if len(lans) > 1 else ()
    ours = tuple(f"?interface={lan}" for lan in lans)
    arp = printed(ARP, _ARP_WORDS, *ours, *ors)
    hosts = printed(HOSTS, _HOST_WORDS, "?local=false")
    entries, ports = talk.ask([arp, hosts])
    if entries.trap is not None:
        raise PlaneError(f"{ARP} cannot be read: {entries.trap}")
    return entries.rows, ports.rows
