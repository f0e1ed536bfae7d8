"""``portal``: 200 phones on the sign-in page, beside FastAPI's smallest page and bare ASGI.

All three run on the same server program with the same settings, each in its own process. The oracle
counts every answer by itself and unpacks one: the package page, compressed, within its limit.
The crowd itself costs processor time, so the servers' own is compared too (``cpu_vs_limit``).
"""

from __future__ import annotations

import asyncio
import gzip
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tests.bench.row import Row
from tests.support.portal import HOST, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

PHONES = 200
ASKS = 20
ROUNDS = 5
WEIGHT_MAX = 14 * 1024
REQUEST = (
    f"GET / HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\nUser-Agent: Mozilla/5.0 (Linux; Android 11)\r\n\r\n"
).encode()
ANSWER = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}


class Asking(asyncio.Protocol):
    """One phone on one kept connection: asks, waits for the whole answer, asks again."""

    def __init__(self, asks: int, done: asyncio.Future[tuple[int, bytes]]) -> None:
        self._left = asks
        self._done = done
        self._got = b""
        self._answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, split, body = self._got.partition(b"\r\n\r\n")
        if not split or len(body) < _length(head):
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        self._answers += 1
        if self._answers < self._left:
            self._got = b""
            self._transport.write(REQUEST)
            return
        self._transport.close()
        self._done.set_result((self._answers, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed in the middle"))


def run() -> list[Row]:
    """Measure, interleaved."""
    rates: dict[str, list[float]] = {"ours": [], "fastapi": [], "asgi": []}
    spent: dict[str, list[float]] = {"ours": [], "fastapi": [], "asgi": []}
    correct, weight = True, 0
    with ExitStack() as stack:
        served = {name: stack.enter_context(_served(name)) for name in rates}
        for port, _ in served.values():
            asyncio.run(_crowd(port))  # warm: first use imports and renders
        for _ in range(ROUNDS):
            for name, (port, pid) in served.items():
                began, used = time.perf_counter(), _cpu_s(pid)
                answers = asyncio.run(_crowd(port))
                spent[name].append(_cpu_s(pid) - used)
                rates[name].append(PHONES * ASKS / (time.perf_counter() - began))
                correct = correct and sum(n for n, _ in answers) == PHONES * ASKS
                if name == "ours":
                    weight = max(len(body) for _, body in answers)
                    correct = correct and _is_our_page(answers[0][1])
    return [
        Row(
            name="portal",
            unit="pages/s",
            ours=rates["ours"],
            peer=rates["fastapi"],
            peer_is="FastAPI hello on the same server",
            limit=rates["asgi"],
            limit_is="bare ASGI hello on the same server",
            lower_is_better=False,
            correct=correct and weight <= WEIGHT_MAX,
            more={
                "page_bytes": weight,
                "phones": PHONES,
                "cpu_vs_peer": _times(spent["fastapi"], spent["ours"]),
                "cpu_vs_limit": _times(spent["asgi"], spent["ours"]),
            },
        )
    ]


async def _crowd(port: int) -> list[tuple[int, bytes]]:
    """All phones at once, each from an address of its own."""
    loop = asyncio.get_running_loop()

    async def phone(number: int) -> tuple[int, bytes]:
        done: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        await loop.create_connection(
            lambda: Asking(ASKS, done),
            "127.0.0.1",
            port,
            local_addr=(f"127.0.7.{number + 1}", 0),
        )
        return await done

    return await asyncio.gather(*(phone(n) for n in range(PHONES)))


def _times(others: list[float], ours: list[float]) -> float:
    return round(statistics.median(others) / statistics.median(ours), 3)


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_our_page(body: bytes) -> bool:
    return b'name="phone"' in gzip.decompress(body)


def _length(head: bytes) -> int:
    line = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(line)


@contextmanager
def _served(name: str) -> Iterator[tuple[int, int]]:
    """One of the three applications in a process of its own; yields its port and process."""
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "tests.bench.portal", name, str(write_end)]
    process = subprocess.Popen(command, pass_fds=[write_end], stdout=sys.stderr)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as told:
            yield int(told.readline()), process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def _application(name: str) -> ASGIApp:
    if name == "ours":
        return Site().app
    if name == "asgi":
        return _bare
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    hello = FastAPI()

    @hello.get("/", response_class=PlainTextResponse)
    async def page() -> str:
        return "hello"

    return hello


async def _bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(ANSWER)
    await send({"type": "http.response.body", "body": b"hello"})


def _serve(name: str, tell: int) -> None:
    config = uvicorn.Config(
        _application(name),
        host="127.0.0.1",
        port=0,
        http="httptools",
        loop="asyncio",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    listener = config.bind_socket()
    listener.listen(1024)
    os.write(tell, f"{listener.getsockname()[1]}\n".encode())
    os.close(tell)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
