"""Netlink messages, one after the other in what one receive gave. PURE. As in linux/netlink.h."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct("=IHHII")
"""Size with this header, type, flags, sequence, port."""

ERROR = 2
ENDS = frozenset({ERROR, 3})
"""Types of what ends a dump: an error, or that it is done."""


def split(block: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The (type, flags, sequence, body) messages in what one receive gave."""
    position = 0
    while position < len(block):
        size, kind, flags, sequence, _ = HEADER.unpack_from(block, position)
        yield kind, flags, sequence, block[position + HEADER.size : position + size]
        position += (size + 3) & ~3


def runs(block: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The same with messages whole, headers and all, and joined where all headers are the same.

    Ends and errors are never joined.
    """
    size, kind, flags, sequence, _ = HEADER.unpack_from(block)
    if kind not in ENDS and steady(block, size, 0, HEADER.size):
        yield kind, flags, sequence, block
        return
    position = 0
    while position < len(block):
        size, kind, flags, sequence, _ = HEADER.unpack_from(block, position)
        yield kind, flags, sequence, block[position : position + size]
        position += (size + 3) & ~3


def steady(block: bytes, size: int, start: int, end: int) -> bool:
    """Whether ``block`` is pieces of ``size`` bytes that do not differ from ``start`` to ``end``.

    A piece ends where the next may begin: at a multiple of four.
    """
    if size < max(end, 1) or size & 3 or len(block) % size:
        return False
    count = len(block) // size
    return all(block[at::size] == block[at : at + 1] * count for at in range(start, end))
