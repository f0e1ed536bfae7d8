"""Strangers who hold on to connections keep nobody from the portal."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from agent.visitors import HEAD_BYTES_MAX, PER_ADDRESS_MAX, REQUESTS_MAX, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
STRANGER, CUSTOMER = "127.0.0.2", "127.0.0.3"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Small(Visitor):
    """The same in a small house."""

    crowded = 4


class Hasty(Visitor):
    """The same with little patience."""

    request_wait_s = 0.1


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def a_portal(kind: type[Visitor] = Visitor) -> AsyncIterator[int]:
    """A portal that only says hello; yields its port."""
    config, state = uvicorn.Config(hello, ws="none", log_config=None), ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in tuple(state.connections):
            one.transport.abort()
        await asyncio.sleep(0)


async def connected(port: int, source: str, said: bytes = b"") -> Ends:
    made = socket.socket()
    made.settimeout(0)  # non-blocking
    made.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=made)
    writer.write(said)
    return reader, writer


async def first_line(ends: Ends) -> bytes:
    """What is answered, or nothing when the connection is ended; it is closed then."""
    reader, writer = ends
    with contextlib.closing(writer):
        try:
            async with asyncio.timeout(5):
                return await reader.readline()
        except ConnectionError:
            return b""


async def ended(several: list[Ends]) -> list[bool]:
    """Which of the connections were ended; those that were not are asked something."""
    for _, writer in several:
        writer.write(WHOLE)
    return [not await first_line(ends) for ends in several]


async def test_of_one_address_the_connection_that_was_silent_longest_gives_way() -> None:
    async with a_portal() as port:
        silent = [await connected(port, STRANGER) for _ in range(PER_ADDRESS_MAX + 2)]
        over = await ended(silent)

    assert over == [True, True] + [False] * PER_ADDRESS_MAX


async def test_another_address_is_not_touched_by_that() -> None:
    async with a_portal() as port:
        customer = await connected(port, CUSTOMER)
        silent = [await connected(port, STRANGER) for _ in range(PER_ADDRESS_MAX + 2)]
        over = await ended([customer])
        await ended(silent)

    assert over == [False]


async def test_in_a_crowd_the_silent_give_way_to_whoever_comes() -> None:
    async with a_portal(Small) as port:
        silent = [await connected(port, f"127.0.0.{n}") for n in range(10, 14)]
        line = await first_line(await connected(port, CUSTOMER, WHOLE))
        over = await ended(silent)

    assert line.startswith(b"HTTP/1.1 204")
    assert over == [True, False, False, False]


async def test_a_connection_that_asks_nothing_is_ended() -> None:
    async with a_portal(Hasty) as port:
        line = await first_line(await connected(port, STRANGER, WHOLE[:-2]))

    assert line == b""


async def test_a_second_request_is_waited_for_no_longer_than_the_first() -> None:
    async with a_portal(Hasty) as port:
        reader, _ = ends = await connected(port, STRANGER, WHOLE + WHOLE[:-2])
        await reader.readuntil(b"\r\n\r\n")
        line = await first_line(ends)

    assert line == b""


async def test_a_request_head_without_end_is_refused() -> None:
    async with a_portal() as port:
        endless = WHOLE[:-2] + b"X: " + b"a" * HEAD_BYTES_MAX
        line = await first_line(await connected(port, STRANGER, endless))

    assert line.startswith(b"HTTP/1.1 400")


async def test_one_connection_answers_so_many_requests_one_by_one_and_then_says_goodbye() -> None:
    heads = []
    async with a_portal() as port:
        reader, writer = await connected(port, STRANGER)
        for _ in range(REQUESTS_MAX):
            writer.write(WHOLE)
            heads.append(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5))
        rest = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert [b"connection: close" in head for head in heads] == [False] * (REQUESTS_MAX - 1) + [True]
    assert rest == b""


async def test_more_requests_at_once_than_a_connection_may_ask_end_it() -> None:
    async with a_portal() as port:
        reader, writer = await connected(port, STRANGER, WHOLE * 1_000)
        said = b""
        with contextlib.suppress(ConnectionError):
            said = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert said.count(b"HTTP/1.1 204") <= REQUESTS_MAX
