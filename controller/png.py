"""Whether bytes are a picture that every printer of documents can read: a plain PNG. PURE.

A logo that cannot be read would stop invoices, so all of it is read once before it is kept: its
parts, their checksums, and that the packed rows are as long as its size says.
"""

from __future__ import annotations

import struct
import zlib

from billing.errors import InvalidField

BYTES_MAX = 200_000
SIDE_MAX = 2_000
"""Pixels."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">II5B")
_FRAME = struct.Struct(">I4s")
_SUM_BYTES = 4
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""How many samples a pixel of each colour type has."""

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PALETTE_TYPE = 3


def check_png(picture: bytes, *, field: str) -> bytes:
    """The picture itself. Raises `InvalidField` for anything that is no small, whole PNG."""
    if len(picture) > BYTES_MAX:
        raise InvalidField(field, f"want at most {BYTES_MAX:,} bytes, got {len(picture):,}")
    if not picture.startswith(_SIGNATURE):
        raise InvalidField(field, "want a PNG picture")
    parts = _parts(picture[len(_SIGNATURE) :])
    if parts is None or parts[0][0] != b"IHDR" or parts[-1][0] != b"IEND":
        raise InvalidField(field, "this PNG is cut off or damaged")
    if sum(kind == b"IHDR" for kind, _ in parts) != 1:
        raise InvalidField(field, "this PNG says its size more than once")
    rows_bytes = _rows_bytes(parts[0][1], field)
    is_palette = parts[0][1][9] == _PALETTE_TYPE
    if is_palette and not any(kind == b"PLTE" and body for kind, body in parts):
        raise InvalidField(field, "this PNG lacks its palette")
    packed = b"".join(body for kind, body in parts if kind == b"IDAT")
    if not _unpacks_to(packed, rows_bytes):
        raise InvalidField(field, "this PNG is cut off or damaged")
    return picture


def _parts(rest: bytes) -> list[tuple[bytes, bytes]] | None:
    """The parts by their kinds; None when one of them is cut off or does not fit its checksum."""
    parts: list[tuple[bytes, bytes]] = []
    while rest:
        if len(rest) < _FRAME.size:
            return None
        length, kind = _FRAME.unpack_from(rest)
        body = rest[_FRAME.size : _FRAME.size + length]
        check = rest[_FRAME.size + length : _FRAME.size + length + _SUM_BYTES]
        if int.from_bytes(check, "big") != zlib.crc32(kind + body) or len(check) < _SUM_BYTES:
            return None
        parts.append((kind, body))
        rest = rest[_FRAME.size + length + _SUM_BYTES :]
    return parts or None


def _rows_bytes(head: bytes, field: str) -> int:
    """How long all rows are, each with the byte that says how it was filtered."""
    if len(head) != _HEAD.size:
        raise InvalidField(field, "this PNG is cut off or damaged")
    width, height, depth, colours, packing, filtering, interlaced = _HEAD.unpack(head)
    if not (1 <= width <= SIDE_MAX and 1 <= height <= SIDE_MAX):
        raise InvalidField(field, f"want 1 to {SIDE_MAX:,} pixels each way")
    if depth not in _DEPTHS.get(colours, ()) or packing or filtering:
        raise InvalidField(field, "this PNG is of a kind that is not known")
    if interlaced:
        raise InvalidField(field, "want a PNG that is not interlaced")
    row_bytes: int = 1 + (width * _SAMPLES[colours] * depth + 7) // 8
    return row_bytes * int(height)


def _unpacks_to(packed: bytes, length: int) -> bool:
    """Whether the rows are all there; no more than their length is ever unpacked."""
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(packed, length + 1)
    except zlib.error:
        return False
    return len(rows) == length and unpacker.eof
