"""Neighbour messages of the kernel, read as sightings of devices.

Layouts are those of linux/neighbour.h. The port table comes first in a dump, so that an address is
told with the port that its device is behind.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from sys import byteorder
from typing import TYPE_CHECKING, TypeVar

from shaping.linux.attributes import attributes
from shaping.plane import MacAddress, Neighbour, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shaping.diff import Address

Known = TypeVar("Known")
Place = TypeVar("Place", bound=str)

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
FAMILIES = (socket.AF_BRIDGE, socket.AF_INET, socket.AF_INET6)
"""The tables to follow: ports first."""

DEVICES_MAX = 65_536
"""Devices remembered; above that the longest known is forgotten, and told as new when seen."""

_NDM = struct.Struct("=BxxxiHBB")
_DST, _LLADDR, _MASTER = 1, 2, 9
_ALIVE = 0x02 | 0x04  # reachable, stale: the kernel heard from it
_FAILED = 0x20
_FIXED = 0x40 | 0x80  # no ARP, permanent: somebody's decision, not a sighting
_MAC_BYTES = 6


def neighbours_request(family: int) -> bytes:
    """Dumps one family's table."""
    return _NDM.pack(family, 0, 0, 0, 0)


class Sightings:
    """Remembers who was where, and tells what is new. ``lan`` is the interface's number."""

    def __init__(self, lan: int, port_name: Callable[[int], str]) -> None:
        self._lan = lan
        self._port_name = port_name
        self._ports: dict[MacAddress, str] = {}
        self._macs: dict[Address, MacAddress] = {}

    def take(self, kind: int, body: bytes) -> Iterator[Neighbour]:
        """What one message of the kernel means; other messages and interfaces mean nothing."""
        if kind not in {RTM_NEWNEIGH, RTM_DELNEIGH} or len(body) < _NDM.size:
            return
        family, ifindex, state, _, _ = _NDM.unpack_from(body)
        attrs = attributes(body[_NDM.size :])
        mac = _device_mac(attrs.get(_LLADDR, b""))
        if state & _FIXED:
            return
        if family == socket.AF_BRIDGE:
            if _index(attrs.get(_MASTER, b"")) == self._lan and mac is not None:
                yield from self._at_port(kind, mac, ifindex)
        elif ifindex == self._lan and _DST in attrs:
            yield from self._at_address(kind, mac, ip_address(attrs[_DST]), state=state)

    def _at_port(self, kind: int, mac: MacAddress, ifindex: int) -> Iterator[Neighbour]:
        if kind == RTM_DELNEIGH:
            # A bridge forgets whoever is silent for minutes; that is no farewell.
            return
        port = self._port_name(ifindex)
        known = self._ports.get(mac)
        _remember(self._ports, mac, port)
        if known is None:
            yield Neighbour(Sight.SEEN, mac, None, port)
        elif known != port:
            yield Neighbour(Sight.MOVED, mac, None, port)

    def _at_address(
        self, kind: int, mac: MacAddress | None, address: Address, *, state: int
    ) -> Iterator[Neighbour]:
        if address.is_link_local:
            return
        if kind == RTM_DELNEIGH or state & _FAILED:
            gone = self._macs.pop(address, None)
            if gone is not None:
                yield Neighbour(Sight.GONE, gone, address, self._ports.get(gone, ""))
        elif mac is not None and (state & _ALIVE or self._macs.get(address) != mac):
            _remember(self._macs, address, mac)
            yield Neighbour(Sight.SEEN, mac, address, self._ports.get(mac, ""))


def _remember(known: dict[Known, Place], key: Known, value: Place) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > DEVICES_MAX:
        del known[next(iter(known))]


def _device_mac(link: bytes) -> MacAddress | None:
    """The MAC of one device; None for groups, nothing and other kinds of link."""
    if len(link) != _MAC_BYTES or link[0] & 1 or not any(link):
        return None
    return MacAddress(link.hex(":"))


def _index(value: bytes) -> int:
    return int.from_bytes(value, byteorder)
