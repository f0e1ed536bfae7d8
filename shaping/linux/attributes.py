"""Netlink attributes: the kernel's type-length-value. PURE. Layout of linux/netlink.h."""

from __future__ import annotations

import struct

NESTED = 0x8000
"""Marks an attribute that holds attributes."""

_HEAD = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF


def attribute(kind: int, body: bytes) -> bytes:
    """One attribute, padded."""
    size = _HEAD.size + len(body)
    return _HEAD.pack(size, kind) + body + b"\0" * (-size % 4)


def attributes(body: bytes) -> dict[int, bytes]:
    """The attributes in ``body`` by type, flags of nesting and byte order taken off."""
    return dict(pairs(body))


def pairs(body: bytes) -> list[tuple[int, bytes]]:
    """The attributes in ``body`` in order, for lists in which one type repeats."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while position + _HEAD.size <= len(body):
        size, kind = _HEAD.unpack_from(body, position)
        if size < _HEAD.size:
            break
        found.append((kind & _TYPE_MASK, body[position + _HEAD.size : position + size]))
        position += (size + 3) & ~3
    return found
