"""Joins a port inside a namespace to a port of this machine's loopback, byte for byte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Awaitable, Callable

CHUNK_BYTES = 64 * 1024


def pipe_to(port: int) -> Callable[[StreamReader, StreamWriter], Awaitable[None]]:
    """A connection callback that carries each visitor to 127.0.0.1:``port`` and back.

    When nothing listens there, the visitor's connection is reset, as a dead machine's would be.
    """

    async def carry(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except OSError:  # one side was reset: so is the other
            far_writer.transport.abort()
            writer.transport.abort()
        finally:
            far_writer.close()
            writer.close()

    return carry


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
