"""Entries of the kernel's neighbour tables, read as sightings of devices. PURE.

The bits of a state are those of linux/neighbour.h.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shaping.plane import MacAddress, Neighbour, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shaping.diff import Address

Known = TypeVar("Known")
Place = TypeVar("Place", bound=str)

DEVICES_MAX = 65_536
"""Devices remembered; above that the longest known is forgotten, and told as new when seen."""

FIXED = 0x40 | 0x80
"""States that are somebody's decision and no sighting: no ARP, permanent."""

_ALIVE = 0x02 | 0x04  # reachable, stale: the kernel heard from it
_FAILED = 0x20
_DEVICE = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_NOBODY = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a neighbour table, as it is now or, when ``gone``, as it last was.

    ``link`` is the link-layer address as text, "" unknown. An entry of a port table has the number
    of its ``bridge``, and ``ifindex`` is the port's; any other has the ``address`` it is about.
    """

    ifindex: int
    state: int
    link: str = ""
    address: Address | None = None
    bridge: int | None = None
    gone: bool = False


class Sightings:
    """Remembers who was where, and tells what is new. ``lan`` is the interface's number."""

    def __init__(self, lan: int, port_name: Callable[[int], str]) -> None:
        self._lan = lan
        self._port_name = port_name
        self._ports: dict[MacAddress, str] = {}
        self._macs: dict[Address, MacAddress] = {}

    def take(self, entry: Entry) -> Iterator[Neighbour]:
        """What an entry means; those of other interfaces mean nothing."""
        if entry.state & FIXED:
            return
        mac = _device_mac(entry.link)
        if entry.bridge is not None:
            if entry.bridge == self._lan and mac is not None and not entry.gone:
                # A bridge forgets whoever is silent for minutes; that is no farewell.
                yield from self._at_port(mac, self._port_name(entry.ifindex))
        elif entry.ifindex == self._lan and entry.address is not None:
            yield from self._at_address(entry, entry.address, mac)

    def _at_port(self, mac: MacAddress, port: str) -> Iterator[Neighbour]:
        known = self._ports.get(mac)
        _remember(self._ports, mac, port)
        if known is None:
            yield Neighbour(Sight.SEEN, mac, None, port)
        elif known != port:
            yield Neighbour(Sight.MOVED, mac, None, port)

    def _at_address(
        self, entry: Entry, address: Address, mac: MacAddress | None
    ) -> Iterator[Neighbour]:
        if address.is_link_local:
            return
        if entry.gone or entry.state & _FAILED:
            gone = self._macs.pop(address, None)
            if gone is not None:
                yield Neighbour(Sight.GONE, gone, address, self._ports.get(gone, ""))
        elif mac is not None and (entry.state & _ALIVE or self._macs.get(address) != mac):
            _remember(self._macs, address, mac)
            yield Neighbour(Sight.SEEN, mac, address, self._ports.get(mac, ""))


def _remember(known: dict[Known, Place], key: Known, value: Place) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > DEVICES_MAX:
        del known[next(iter(known))]


def _device_mac(link: str) -> MacAddress | None:
    """The MAC of one device; None for groups, nothing and other kinds of link."""
    return MacAddress(sys.intern(link)) if _DEVICE.fullmatch(link) and link != _NOBODY else None
