"""The way to one NAS for orders: asked again until it answers, or does not (RFC 5176)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agent.radius.steering import Said, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.radius.settings import Nas, Radius
    from agent.radius.steering import Order

WAITS_S = (0.3, 0.7, 1.5)
"""How long each sending waits for the answer. A NAS is near, and somebody may wait for it."""

AT_ONCE = 32
NUMBERS = 256


class Line(asyncio.DatagramProtocol):
    """Orders to one NAS, each under a number of its own while it is not answered."""

    def __init__(self, nas: Nas, radius: Radius) -> None:
        self._nas, self._radius = nas, radius
        self._asked: dict[int, tuple[Order, asyncio.Future[Said]]] = {}
        self._number = 0
        self._room = asyncio.Semaphore(AT_ONCE)
        self._opening = asyncio.Lock()
        self._transport: asyncio.DatagramTransport | None = None

    async def ask(self, make: Callable[[int], Order]) -> Said:
        """Send what ``make`` makes for a number; what the NAS says to it."""
        async with self._room:
            try:
                transport = await self._opened()
            except OSError:
                return Said.SILENT
            self._number = next(
                number % NUMBERS
                for number in range(self._number + 1, self._number + NUMBERS + 1)
                if number % NUMBERS not in self._asked
            )
            number, order = self._number, make(self._number)
            heard: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
            self._asked[number] = (order, heard)
            try:
                for wait_s in WAITS_S:
                    transport.sendto(order.raw)
                    done, _ = await asyncio.wait({heard}, timeout=wait_s)
                    if done:
                        return heard.result()
            finally:
                del self._asked[number]
        return Said.SILENT

    def close(self) -> None:
        """Give the socket back."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:  # noqa: ARG002 - the loop's
        """Take an answer, if it is one."""
        found = self._asked.get(data[1]) if len(data) > 1 else None
        if found is None:
            return
        order, heard = found
        said = answered(order, data)
        if said is not None and not heard.done():
            heard.set_result(said)

    async def _opened(self) -> asyncio.DatagramTransport:
        async with self._opening:
            if self._transport is None or self._transport.is_closing():
                listen = self._radius.listen
                self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: self,
                    local_addr=None if listen.is_unspecified else (str(listen), 0),
                    remote_addr=(str(self._nas.address), self._nas.coa_port),
                )
            return self._transport
