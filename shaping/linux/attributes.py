"""Netlink attributes: the kernel's type-length-value. PURE. Layout of linux/netlink.h."""

from __future__ import annotations

import struct

NESTED = 0x8000
"""Marks an attribute that holds attributes."""

HEAD_BYTES = 4
"""Length and type."""

_HEAD = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF


def attribute(kind: int, body: bytes) -> bytes:
    """One attribute, padded."""
    size = HEAD_BYTES + len(body)
    return _HEAD.pack(size, kind) + body + b"\0" * (-size % 4)


def attributes(body: bytes) -> dict[int, bytes]:
    """The attributes in ``body`` by type, flags of nesting and byte order taken off."""
    # Written out, not by way of `pairs`: dumps of tens of thousands of objects pass here.
    found: dict[int, bytes] = {}
    unpack, position, end = _HEAD.unpack_from, 0, len(body) - 3
    while position < end:
        size, kind = unpack(body, position)
        if size < HEAD_BYTES:
            break
        found[kind & _TYPE_MASK] = body[position + HEAD_BYTES : position + size]
        position += (size + 3) & ~3
    return found


def pairs(body: bytes) -> list[tuple[int, bytes]]:
    """The attributes in ``body`` in order, for lists in which one type repeats."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while position + HEAD_BYTES <= len(body):
        size, kind = _HEAD.unpack_from(body, position)
        if size < HEAD_BYTES:
            break
        found.append((kind & _TYPE_MASK, body[position + HEAD_BYTES : position + size]))
        position += (size + 3) & ~3
    return found


def places(body: bytes, start: int) -> dict[int, tuple[int, int]]:
    """Where the content of each attribute from ``start`` on begins and ends, by type."""
    found: dict[int, tuple[int, int]] = {}
    position = start
    while position + HEAD_BYTES <= len(body):
        size, kind = _HEAD.unpack_from(body, position)
        if size < HEAD_BYTES:
            break
        found[kind & _TYPE_MASK] = position + HEAD_BYTES, position + size
        position += (size + 3) & ~3
    return found


def first(body: bytes, wanted: int, *, start: int = 0) -> bytes:
    """The first attribute of this type at or after ``start``, read no further; empty if none."""
    position = start
    while position + HEAD_BYTES <= len(body):
        size, kind = _HEAD.unpack_from(body, position)
        if kind & _TYPE_MASK == wanted:
            return body[position + HEAD_BYTES : position + size]
        if size < HEAD_BYTES:
            break
        position += (size + 3) & ~3
    return b""
