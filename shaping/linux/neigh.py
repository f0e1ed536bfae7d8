"""Neighbour messages: entries of the kernel's tables, and pins of ours. PURE.

Layouts are those of linux/neighbour.h. A pin carries a routing-protocol number of ours, so that
nobody else's entry is ever taken for one.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from sys import byteorder
from typing import TYPE_CHECKING

from shaping.linux.attributes import attribute, attributes, places
from shaping.linux.messages import HEADER
from shaping.linux.sightings import FIXED, Entry
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shaping.diff import Address

PROTOCOL = 0x4C
"""Marks our entries (linux/rtnetlink.h leaves numbers from 4 on to programs)."""

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30

INET, BRIDGE, INET6 = 2, 7, 10
"""Address families (linux/socket.h)."""

TABLES = (BRIDGE, INET, INET6)
"""The neighbour tables: ports first, so that an address is told with the port it is behind."""

_NDM = struct.Struct("=BxxxiHBB")
_ATTRIBUTES_AT = HEADER.size + _NDM.size
_PERMANENT = 0x80
_V4_BYTES = 4
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


def read_pins(run: bytes, ifindex: int) -> Iterator[tuple[Address, MacAddress]]:
    """The pins of ours on this interface in a run of messages of a dump."""
    size = int.from_bytes(run[:4], byteorder)
    found = places(run, size, _ATTRIBUTES_AT)
    if found is None:
        for at in range(0, len(run), size) if len(run) > size else ():
            yield from read_pins(run[at : at + size], ifindex)
        return
    if not {_DST, _LLADDR, _PROTOCOL} <= found.keys():
        return
    (who, who_end), (link, link_end), (protocol, _) = (
        found[kind] for kind in (_DST, _LLADDR, _PROTOCOL)
    )
    kind = IPv4Address if who_end - who == _V4_BYTES else IPv6Address
    for at in range(0, len(run), size):
        _, index, state, _, _ = _NDM.unpack_from(run, at + HEADER.size)
        if index == ifindex and state & _PERMANENT and run[at + protocol] == PROTOCOL:
            mac = run[at + link : at + link_end].hex(":")
            yield kind(run[at + who : at + who_end]), MacAddress(mac)


def read_entries(run: bytes) -> Iterator[Entry]:
    """What a run of messages of a dump says of who is there."""
    size, kind = int.from_bytes(run[:4], byteorder), int.from_bytes(run[4:6], byteorder)
    for at in range(0, len(run), (size + 3) & ~3):
        # Most entries of a busy box are its own pins: not worth a look at anything else.
        _, _, state, _, _ = _NDM.unpack_from(run, at + HEADER.size)
        if not state & FIXED:
            entry = read_entry(kind, run[at + HEADER.size : at + size])
            if entry is not None:
                yield entry


def read_entry(kind: int, body: bytes) -> Entry | None:
    """What an event or a line of a table says of who is there; None for what says nothing."""
    if kind not in {RTM_NEWNEIGH, RTM_DELNEIGH}:
        return None
    family, ifindex, state, _, _ = _NDM.unpack_from(body)
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
