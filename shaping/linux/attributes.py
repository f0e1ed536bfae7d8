"""Netlink attributes: the kernel's type-length-value. PURE. Layout of linux/netlink.h."""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from shaping.linux.messages import steady

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def places(
    block: bytes, size: int, start: int, inside: Mapping[int, int] = MappingProxyType({})
) -> dict[int, tuple[int, int]] | None:
    """Where the content of each attribute begins and ends in pieces that are all made alike.

    By type, in pieces of ``size`` bytes whose attributes begin at ``start``. Of those named by
    ``inside`` so many bytes of the content must be alike too. None when some piece differs.
    """
    found: dict[int, tuple[int, int]] = {}
    position = start
    while position + HEAD_BYTES <= size:
        length, kind = _HEAD.unpack_from(block, position)
        begin = position + HEAD_BYTES
        if length < HEAD_BYTES or not steady(
            block, size, position, begin + inside.get(kind & _TYPE_MASK, 0)
        ):
            return None
        found[kind & _TYPE_MASK] = begin, position + length
        position += (length + 3) & ~3
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
