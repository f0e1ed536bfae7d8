"""Who is on a router's LAN: its ARP table, its bridges' ports and who just got an address there.

RouterOS tells of changes only to whoever holds a connection for nothing else, and not of all; so
the tables are read every few seconds, and at once when somebody asks the portal whom nobody knows.
Interfaces that are no bridge have no ports. Its DHCP server knows a device before ARP does: until
somebody has spoken with it, an entry is incomplete or not there at all. What it calls itself is
not asked for: nobody here wants it.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, TypeAlias

from shaping.plane import MacAddress, Neighbour, PlaneError, Sight
from shaping.routeros.session import printed
from shaping.routeros.texts import span_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from shaping.routeros.session import Lane, Talk

    Rows: TypeAlias = Sequence[Mapping[str, str]]

LOOK_EVERY_S = 5.0
LOOK_SHARE = 20
"""Reading the tables takes at most one part in so many of the time."""

LEASE_FRESH_MS = 60_000
"""A device that asked for its address longer ago is there only if ARP says so."""

ARP, HOSTS = "/ip/arp", "/interface/bridge/host"
SERVERS, LEASES = "/ip/dhcp-server", "/ip/dhcp-server/lease"
_ARP_WORDS = ("address", "mac-address", "complete", "status", "invalid", "disabled")
_HOST_WORDS = ("mac-address", "on-interface", "interface")
_LEASE_WORDS = ("active-address", "active-mac-address", "active-server", "last-seen")
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

    def take(self, arp: Rows, hosts: Rows, leases: Rows = ()) -> Iterator[Neighbour]:
        """The sightings that a look at these tables means."""
        before, self._ports = self._ports, {}
        for row in hosts:
            mac = MacAddress(row.get("mac-address", "").lower())
            port = row.get("on-interface") or row.get("interface", "")
            self._ports[mac] = port
            if before.get(mac, port) != port:
                yield Neighbour(Sight.MOVED, mac, None, port)
        now = {**dict(_leased(leases)), **dict(_entries(arp))}
        for address, (mac, _) in self._known.items():
            if address not in now:
                yield Neighbour(Sight.GONE, mac, address, self._ports.get(mac, ""))
        for address, (mac, heard) in now.items():
            known, was_heard = self._known.get(address, (None, False))
            if mac != known or (heard and not was_heard):
                yield Neighbour(Sight.SEEN, mac, address, self._ports.get(mac, ""))
        self._known = now


def _leased(leases: Rows) -> Iterator[tuple[IPv4Address, tuple[MacAddress, bool]]]:
    """Who was given an address just now."""
    for row in leases:
        asked_ms = span_ms(row.get("last-seen", ""))
        mac = row.get("active-mac-address", "").lower()
        if not mac or asked_ms is None or asked_ms > LEASE_FRESH_MS:
            continue
        try:
            yield IPv4Address(row.get("active-address", "")), (MacAddress(mac), False)
        except ValueError:
            continue


def _entries(arp: Rows) -> Iterator[tuple[IPv4Address, tuple[MacAddress, bool]]]:
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
        tables_now = await lane.run(lambda talk: looked(talk, lans))
        took_s = time.monotonic() - began
        for neighbour in tables.take(*tables_now):
            yield neighbour
        await wait(max(LOOK_EVERY_S, LOOK_SHARE * took_s))


def looked(talk: Talk, lans: Sequence[str]) -> tuple[Rows, Rows, Rows]:
    """ARP entries and leases of these interfaces, and ports. Raises `PlaneError`."""
    ors = ("?#" + "|" * (len(lans) - 1),) if len(lans) > 1 else ()
    ours = tuple(f"?interface={lan}" for lan in lans)
    arp = printed(ARP, _ARP_WORDS, *ours, *ors)
    hosts = printed(HOSTS, _HOST_WORDS, "?local=false")
    servers = printed(SERVERS, ("name",), *ours, *ors)
    leases = printed(LEASES, _LEASE_WORDS, "?status=bound")
    entries, ports, servers_here, bound = talk.ask([arp, hosts, servers, leases])
    if entries.trap is not None:
        raise PlaneError(f"{ARP} cannot be read: {entries.trap}")
    here = {row.get("name", "") for row in servers_here.rows}
    return entries.rows, ports.rows, [r for r in bound.rows if r.get("active-server", "") in here]
