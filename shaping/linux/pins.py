"""Pinned neighbours: a paid address keeps its MAC, whatever somebody else announces.

Our entries carry a routing-protocol number of ours, so nobody else's are ever touched.
"""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

from shaping.linux.attributes import attribute, attributes
from shaping.linux.netlink import NLM_F_CREATE, NLM_F_REPLACE
from shaping.linux.shaper import index_of
from shaping.plane import MacAddress, PlaneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shaping.diff import Address
    from shaping.linux.netlink import NetlinkSocket

PROTOCOL = 0x4C
"""Marks our entries (linux/rtnetlink.h leaves numbers from 4 on to programs)."""

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
_NDM = struct.Struct("=BxxxiHBB")
_PERMANENT = 0x80
_DST, _LLADDR, _PROTOCOL = 1, 2, 12


class Pins:
    """The permanent neighbours of one interface. Methods raise `PlaneError`."""

    def __init__(self, interface: str, netlink: NetlinkSocket) -> None:
        self._interface = interface
        self._netlink = netlink

    def held(self) -> dict[Address, MacAddress]:
        """Our entries, as the kernel has them."""
        index = index_of(self._interface)
        found: dict[Address, MacAddress] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _NDM.pack(family, index, 0, 0, 0)
            for _, body in self._netlink.dump(RTM_GETNEIGH, request):
                found.update(_read(body, index))
        return found

    def pin(self, entries: Mapping[Address, MacAddress]) -> None:
        """Keep these addresses at these MACs."""
        index = index_of(self._interface) if entries else 0
        messages = [
            (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, _entry(index, address, mac))
            for address, mac in entries.items()
        ]
        for number, address in zip(self._netlink.request(messages), entries, strict=True):
            if number:
                raise PlaneError(f"pinning {address} on {self._interface}: {os.strerror(number)}")

    def release(self, addresses: Iterable[Address]) -> None:
        """Let the kernel ask again who has these addresses. One that is not pinned is no fault."""
        gone = list(addresses)
        index = index_of(self._interface) if gone else 0
        self._netlink.request([(RTM_DELNEIGH, 0, _entry(index, address)) for address in gone])


def _entry(index: int, address: Address, mac: MacAddress | None = None) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 -- IPv4
    body = _NDM.pack(family, index, _PERMANENT, 0, 0) + attribute(_DST, address.packed)
    if mac is None:
        return body
    body += attribute(_LLADDR, bytes.fromhex(mac.replace(":", "")))
    return body + attribute(_PROTOCOL, bytes([PROTOCOL]))


def _read(body: bytes, index: int) -> dict[Address, MacAddress]:
    _, ifindex, state, _, _ = _NDM.unpack_from(body)
    attrs = attributes(body[_NDM.size :])
    ours = attrs.get(_PROTOCOL, b"")[:1] == bytes([PROTOCOL])
    if ifindex != index or not state & _PERMANENT or not ours:
        return {}
    return {ip_address(attrs[_DST]): MacAddress(attrs[_LLADDR].hex(":"))}
