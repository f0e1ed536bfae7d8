"""A flood of the portal: ``python -m tests.lab.flood KIND ADDRESS``, until it is killed.

``looks`` asks for the page on many connections as fast as it comes; ``holds`` opens connections
and says nothing; ``drips`` sends a request one byte at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

AT_ONCE = 64
DRIP_S = 0.5
PAGE = b"GET / HTTP/1.1\r\nHost: wifi.lango\r\n\r\n"


async def looks(address: str) -> None:
    """Ask on one connection, again and again, without waiting for the answers to be read."""
    reader, writer = await asyncio.open_connection(address, 80)
    with contextlib.closing(writer):
        while True:
            writer.write(PAGE)
            await writer.drain()
            if not await reader.read(65_536):
                return


async def holds(address: str) -> None:
    """Hold one connection."""
    reader, writer = await asyncio.open_connection(address, 80)
    with contextlib.closing(writer):
        await reader.read()


async def drips(address: str) -> None:
    """Send one request that never ends."""
    _, writer = await asyncio.open_connection(address, 80)
    with contextlib.closing(writer):
        writer.write(PAGE[:-2] + b"X: ")
        while not writer.is_closing():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(DRIP_S)


async def again(kind: str, address: str, begun: asyncio.Event) -> None:
    """Do it for ever."""
    way = {"looks": looks, "holds": holds, "drips": drips}[kind]
    while True:
        begun.set()
        with contextlib.suppress(OSError):
            await way(address)


async def main(kind: str, address: str) -> None:
    """All of it at once."""
    begun = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(again(kind, address, begun))
        await begun.wait()
        print("flooding", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
