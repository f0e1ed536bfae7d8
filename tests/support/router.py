"""A site with an emulated MikroTik router, which lives in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Self, TypeVar

from shaping.plane import MonotonicMs
from shaping.routeros.plane import RouterPlane
from shaping.routeros.rows import Wiring
from shaping.routeros.session import Lane, Router
from tests.routeros.emulator import PASSWORD, USER, routeros

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.routeros.emulator import Box

T = TypeVar("T")
WIRING = Wiring(("bridge",), IPv4Address("192.168.1.7"), 8000)
"""The emulated router's LAN, and a portal on its other side."""

MORNING_MS = 1_000_000


class Emulated:
    """An emulated router that blocking tests may use: every touch of it is made in its thread."""

    def __init__(self, **setup: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        opened = self._stack.enter_async_context(routeros(hotspot=False, **setup))
        self.box: Box = asyncio.run_coroutine_threadsafe(opened, self._loop).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, touch: Callable[[Box], T]) -> T:
        """Touch the router."""

        async def touched() -> T:
            return touch(self.box)

        return asyncio.run_coroutine_threadsafe(touched(), self._loop).result()

    def wait(self, touch: Callable[[Box], Awaitable[T]]) -> T:
        """Touch the router, and wait for what comes of it."""

        async def touched() -> T:
            return await touch(self.box)

        return asyncio.run_coroutine_threadsafe(touched(), self._loop).result()

    async def waits(self, touch: Callable[[Box], Awaitable[T]]) -> T:
        """The same, from a loop of one's own."""
        return await asyncio.to_thread(self.wait, touch)

    def rows(self, menu: str) -> list[dict[str, str]]:
        """What the router shows of a menu."""
        return self.do(lambda box: box.rows(menu))

    def now(self) -> MonotonicMs:
        """A clock of ours that goes as the router's does."""
        return MonotonicMs(MORNING_MS + int(self.box.now_s * 1_000))

    def a_router(self, **changes: Any) -> Router:
        """Where it is."""
        where = {"host": self.box.host, "port": self.box.port, "user": USER}
        return Router(**{**where, "password": PASSWORD, "fingerprint": None, **changes})

    def a_lane(self, *, patience_s: float = 30.0, silence_s: float = 15.0, **changes: Any) -> Lane:
        """A way to it."""
        return Lane(self.a_router(**changes), patience_s=patience_s, silence_s=silence_s)

    def a_plane(self, lane: Lane, wiring: Wiring = WIRING) -> RouterPlane:
        """The plane that it is."""
        return RouterPlane(lane, wiring, now=self.now, count_share=0)
