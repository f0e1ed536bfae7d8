"""The little of HTTP/1.1 that the lab speaks: heads, bodies, one answer each way."""

from __future__ import annotations

from asyncio import LimitOverrunError
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader

HEAD_BYTES_MAX = 64 * 1024
"""Also the limit of asyncio's own reader: a longer head ends the connection."""

HEAD_FIELDS_MAX = 200
BODY_BYTES_MAX = 16 * 1024 * 1024


class WireError(Exception):
    """What came is not HTTP/1.1 as the lab speaks it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the fields of a request or an answer, in order, names as they came."""

    first: str
    fields: tuple[tuple[str, str], ...]

    def field(self, name: str) -> str | None:
        """The first field of that name, in any case of letters."""
        return next((text for key, text in self.fields if key.lower() == name), None)

    def encoded(self) -> bytes:
        """The head as it goes on the wire, with the empty line."""
        lines = [self.first, *(f"{key}: {text}" for key, text in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


async def read_head(reader: StreamReader) -> Head | None:
    """The next head, or None when the other side closed first. Raises `WireError`."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except EOFError:
        return None
    except LimitOverrunError as fault:
        raise WireError("head too long") from fault
    lines = raw.decode("latin-1").split("\r\n")[:-2]
    if len(lines) > HEAD_FIELDS_MAX or not lines:
        raise WireError("too many header fields")
    fields = []
    for line in lines[1:]:
        key, colon, text = line.partition(":")
        if not colon or not key or key != key.strip():
            raise WireError(f"not a header field: {line[:40]!r}")
        fields.append((key, text.strip()))
    return Head(lines[0], tuple(fields))


async def read_body(reader: StreamReader, head: Head, *, until_close: bool) -> bytes:
    """The body that belongs to ``head``; without a length, all until the other side closes.

    Raises `WireError` for a body over `BODY_BYTES_MAX` or a broken chunk.
    """
    if (head.field("transfer-encoding") or "").lower() == "chunked":
        return await _chunked(reader)
    length = head.field("content-length")
    if length is None:
        return await reader.read(-1) if until_close else b""
    if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        raise WireError(f"content-length {length[:20]!r}")
    return await reader.readexactly(int(length))


async def _chunked(reader: StreamReader) -> bytes:
    body = bytearray()
    while True:
        size_text = (await reader.readline()).split(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as fault:
            raise WireError(f"chunk size {size_text[:20]!r}") from fault
        if size < 0 or len(body) + size > BODY_BYTES_MAX:
            raise WireError("body too long")
        body += await reader.readexactly(size)
        await reader.readline()
        if size == 0:
            return bytes(body)
