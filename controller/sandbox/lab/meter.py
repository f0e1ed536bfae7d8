"""Sources and sinks of exactly counted traffic, on the internet's side.

UDP carries flows that are counted to the byte, as layer 3 counts them. TCP is for speed.

TCP, one line from the visitor: ``down BYTES`` is answered with that many bytes; after ``up
SKIP_MS`` the visitor sends what it likes and, when it has ended its side, is told the bytes that
came after the first SKIP_MS milliseconds and the microseconds they took.

UDP: ``up`` datagrams are counted by flow. A ``down`` datagram asks for a paced flow back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from asyncio import DatagramTransport, StreamReader, StreamWriter
    from collections.abc import Callable

TCP_PORT = 5001
UDP_PORT = 5002
ASKED = struct.Struct("!2s8sIHI")
"""Every datagram begins: ``UP`` or ``DN``, flow, datagrams, layer-3 bytes of each, bits per s."""

V4_HEADERS_BYTES = 28
V6_HEADERS_BYTES = 48
"""IP and UDP headers: what layer 3 counts on top of a datagram's payload."""

BURST_S = 0.01
"""A paced flow sends in steps of this length."""

DATAGRAMS_MAX = 2_000_000
RATE_MAX_BPS = 1_000_000_000
DOWN_BYTES_MAX = 1_000_000_000
WINDOW_BYTES = 32 << 10
"""As the socket option has it; the kernel keeps twice that for its own use."""
_CHUNK = bytes(16_384)


@dataclass(slots=True)
class Flows:
    """What the internet's side has seen of each UDP flow, in layer-3 bytes.

    ``last_at`` is the loop's time when a flow was last heard.
    """

    received_bytes: dict[bytes, int] = field(default_factory=dict)
    sent_bytes: dict[bytes, int] = field(default_factory=dict)
    sources: dict[bytes, str] = field(default_factory=dict)
    last_at: dict[bytes, float] = field(default_factory=dict)
    datagrams_total: int = 0
    grew: asyncio.Event = field(default_factory=asyncio.Event)

    async def received(self, flow: bytes, *, at_least: int) -> int:
        """Wait until so many bytes of ``flow`` have come, then tell how many. Bound the wait."""
        while self.received_bytes.get(flow, 0) < at_least:
            self.grew.clear()
            await self.grew.wait()
        return self.received_bytes[flow]


async def pace(send: Callable[[], None], *, datagrams: int, size_bytes: int, bps: int) -> None:
    """Call ``send`` that many times, evenly at ``bps`` of ``size_bytes`` each."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = 0
    while sent < datagrams:
        due = int((loop.time() - began) * bps) // (8 * size_bytes) + 1
        for _ in range(sent, min(due, datagrams)):
            send()
        sent = max(sent, min(due, datagrams))
        await asyncio.sleep(BURST_S)


class UdpMeter(asyncio.DatagramProtocol):
    """One UDP socket of the internet's side: counts what comes, paces what it is asked for."""

    def __init__(self, flows: Flows, *, headers_bytes: int) -> None:
        self._flows = flows
        self._headers_bytes = headers_bytes
        self._sending: set[asyncio.Task[None]] = set()
        self._transport: DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: asyncio's contract."""
        # asyncio's own datagram transport does not inherit from the class that it documents.
        self._transport = cast("DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Count a datagram of a flow, and start the flow back if it asks for one."""
        self._flows.datagrams_total += 1
        if len(data) < ASKED.size:
            return
        kind, flow, datagrams, size, bps = ASKED.unpack_from(data)
        seen = self._flows.received_bytes
        seen[flow] = seen.get(flow, 0) + len(data) + self._headers_bytes
        self._flows.sources[flow] = addr[0]
        self._flows.last_at[flow] = asyncio.get_running_loop().time()
        self._flows.grew.set()
        fits = datagrams <= DATAGRAMS_MAX and 0 < bps <= RATE_MAX_BPS
        if kind == b"DN" and fits and size >= ASKED.size + self._headers_bytes:
            task = asyncio.create_task(self._send(flow, addr, (datagrams, size, bps)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all that is being sent."""
        del exc
        for task in tuple(self._sending):
            task.cancel()

    async def _send(self, flow: bytes, addr: tuple[str, int], ask: tuple[int, int, int]) -> None:
        datagrams, size, bps = ask
        begun = ASKED.pack(b"DN", flow, *ask)
        payload = begun + bytes(size - self._headers_bytes - len(begun))
        sent = self._flows.sent_bytes

        def send() -> None:
            assert self._transport is not None
            self._transport.sendto(payload, addr)
            sent[flow] = sent.get(flow, 0) + size

        await pace(send, datagrams=datagrams, size_bytes=size, bps=bps)


def limit_window(made: socket.socket) -> None:
    """Give a socket a receive window that a shaper's queue can hold; before it connects or listens.

    Without it TCP overshoots at its start, loses packets, and hands over what came behind them all
    at once when they have been sent again: a reading of a few seconds then measures TCP's recovery.
    """
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)


async def serve_tcp(reader: StreamReader, writer: StreamWriter) -> None:
    """One visitor of the TCP meter. Whatever it does wrong ends its connection only."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        word, _, number = (await reader.readline()).decode("ascii").strip().partition(" ")
        if word == "down":
            await _pour(writer, min(int(number), DOWN_BYTES_MAX))
        elif word == "up":
            counted, took_us = await swallow(reader, skip_s=int(number) / 1000)
            writer.write(f"{counted} {took_us}\n".encode())
            await writer.drain()
    writer.close()


async def _pour(writer: StreamWriter, size: int) -> None:
    while size > 0:
        writer.write(_CHUNK[:size])
        size -= len(_CHUNK)
        await writer.drain()


async def swallow(
    reader: StreamReader, *, skip_s: float, for_s: float | None = None
) -> tuple[int, int]:
    """Read to the end, or for so long: bytes and microseconds after the first ``skip_s``."""
    loop = asyncio.get_running_loop()
    first: float | None = None
    began = ended = 0.0
    counted = 0
    while chunk := await reader.read(len(_CHUNK)):
        ended = loop.time()
        first = first or ended
        if not began and ended - first >= skip_s:
            began = ended
        elif began:
            counted += len(chunk)
        if for_s is not None and began and ended - began >= for_s:
            break
    return counted, int((ended - began) * 1_000_000)
