"""A provider's side: posts callbacks on kept connections, as fast as they are answered.

A process of its own: ``python -m tests.bench.poster PORT FILE CONNECTIONS``. Says on standard
output, as JSON, how long it took from the first post to the last answer, the wait of the slowest
hundredth, and how many answers had another status than the one that was wanted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/callbacks/stk/"


class _Posting(asyncio.Protocol):
    """One connection: posts what comes next, waits for the whole answer, goes on."""

    def __init__(self, coming: Iterator[tuple[bytes, bytes]], told: _Told) -> None:
        self._coming, self._told = coming, told
        self._got, self._wanted, self._sent_at = b"", b"", 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, split, body = self._got.partition(b"\r\n\r\n")
        if not split or len(body) < _length(head):
            return
        self._told.waits.append(time.perf_counter() - self._sent_at)
        self._told.unwanted += head[9:12] != self._wanted
        self._got = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("closed in the middle"))

    def _next(self) -> None:
        coming = next(self._coming, None)
        if coming is None:
            self.over.set_result(None)
            self._transport.close()
            return
        request, self._wanted = coming
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class _Told:
    def __init__(self) -> None:
        self.waits: list[float] = []
        self.unwanted = 0


def _length(head: bytes) -> int:
    line = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(line)


def _requests(path: Path) -> list[tuple[bytes, bytes]]:
    made = []
    for line in path.read_text().splitlines():
        token, text, status = json.loads(line)
        body = text.encode()
        head = (
            f"POST {PATH}{token} HTTP/1.1\r\nHost: pay.example.co.ke\r\n"
            "User-Agent: Apache-HttpClient/4.5\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append((head.encode() + body, str(status).encode()))
    return made


async def _post(port: int, requests: list[tuple[bytes, bytes]], connections: int) -> None:
    told, coming = _Told(), iter(requests)
    loop = asyncio.get_running_loop()
    began, cpu = time.perf_counter(), time.process_time()
    made = [
        await loop.create_connection(lambda: _Posting(coming, told), "127.0.0.1", port)
        for _ in range(min(connections, len(requests)))
    ]
    await asyncio.gather(*(one.over for _, one in made))
    took_s = time.perf_counter() - began
    waits = sorted(told.waits)
    shown = {
        "took_s": took_s,
        "p99_s": waits[round(0.99 * (len(waits) - 1))],
        "answers": len(waits),
        "unwanted": told.unwanted,
        "cpu_s": time.process_time() - cpu,
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    asyncio.run(_post(int(sys.argv[1]), _requests(Path(sys.argv[2])), int(sys.argv[3])))
