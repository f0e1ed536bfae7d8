"""Neighbour messages: entries of the kernel's tables, and pins of ours. PURE.

Layouts are those of linux/neighbour.h. A pin carries a routing-protocol number of ours, so that
nobody else's entry is ever taken for one.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from sys import byteorder
from typing import TYPE_CHECKING

from shaping.linux.attributes import attribute, attributes
from shaping.linux.sightings import FIXED, Entry
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from shaping.diff import Address

PROTOCOL = 0x4C
"""Marks our entries (linux/rtnetlink.h leaves numbers from 4 on to programs)."""

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30

INET, BRIDGE, INET6 = 2, 7, 10
"""Address families (linux/socket.h)."""

TABLES = (BRIDGE, INET, INET6)
"""The neighbour tables: ports first, so that an address is told with the port it is behind."""

_NDM = struct.Struct("=BxxxiHBB")
_PERMANENT = 0x80
_DST, _LLADDR, _MASTER, _PROTOCOL = 1, 2, 9, 12


def table_request(family: int, *, ifindex: int = 0) -> bytes:
    """Asks for a table, or what of it is on one interface."""
    return _NDM.pack(family, ifindex, 0, 0, 0)


def pin_message(ifindex: int, address: Address, mac: MacAddress | None = None) -> bytes:
    """A pinned entry; without a MAC it only names the one to delete."""
    family = INET if address.version == 4 else INET6  # noqa: PLR2004 -- IPv4
    body = _NDM.pack(family, ifindex, _PERMANENT, 0, 0) + attribute(_DST, address.packed)
    if mac is None:
        return body
    body += attribute(_LLADDR, bytes.fromhex(mac.replace(":", "")))
    return body + attribute(_PROTOCOL, bytes([PROTOCOL]))


def read_pin(body: bytes, ifindex: int) -> tuple[Address, MacAddress] | None:
    """A pin of ours on this interface; None for any other entry."""
    _, index, state, _, _ = _NDM.unpack_from(body)
    if index != ifindex or not state & _PERMANENT:
        return None
    attrs = attributes(body[_NDM.size :])
    if attrs.get(_PROTOCOL, b"")[:1] != bytes([PROTOCOL]):
        return None
    return ip_address(attrs[_DST]), MacAddress(attrs[_LLADDR].hex(":"))


def read_entry(kind: int, body: bytes) -> Entry | None:
    """What an event or a line of a table says of who is there; None for what says nothing."""
    if kind not in {RTM_NEWNEIGH, RTM_DELNEIGH}:
        return None
    family, ifindex, state, _, _ = _NDM.unpack_from(body)
    # Most entries of a busy box are its own pins: not worth the reading of their attributes.
    if state & FIXED:
        return None
    attrs = attributes(body[_NDM.size :])
    link = attrs.get(_LLADDR, b"").hex(":")
    gone = kind == RTM_DELNEIGH
    if family == BRIDGE:
        bridge = int.from_bytes(attrs.get(_MASTER, b""), byteorder)
        return Entry(ifindex, state, link, bridge=bridge, gone=gone)
    address = ip_address(attrs[_DST]) if _DST in attrs else None
    return Entry(ifindex, state, link, address=address, gone=gone)
