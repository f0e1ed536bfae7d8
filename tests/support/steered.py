"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from agent.model import Instant
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")
T = TypeVar("T")

NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Noon of a Monday in Nairobi."""

SETTLING_STEPS = 200
"""How often everything that can run is let run, before and after each move of the clock."""


class SteeredClock:
    """Both clocks, in a test's hands: `advance` moves them, `jump` only the wall, `boot` reboots.

    Waiting for time lasts until a test moves the clock far enough; nothing ever really sleeps.
    """

    def __init__(self, *, wall: datetime = NOON, mono_ms: int = 1_000_000) -> None:
        self._wall = wall
        self._mono = mono_ms
        self._boot = 1
        self._alarms: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> Instant:
        """The present moment, as the test set it."""
        return Instant(wall=self._wall, mono=MonotonicMs(self._mono), boot=f"boot-{self._boot}")

    async def sleep(self, seconds: float) -> None:
        """Until the test has moved the clock by ``seconds``."""
        await self._alarm(int(seconds * 1000))

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """Until the awaited thing, or until the test has moved the clock so far."""
        task = asyncio.ensure_future(awaited)
        alarm = self._alarm(at_most_ms)
        try:
            both: tuple[asyncio.Future[Any], ...] = (task, alarm)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            return False
        task.result()
        return True

    async def advance(self, seconds: float, *, step_ms: int = 1_000) -> None:
        """Move both clocks in steps, letting everything run in between."""
        left = int(seconds * 1000)
        await settle()
        while left > 0:
            now = min(step_ms, left)
            self.move(now)
            left -= now
            await settle()

    def move(self, by_ms: int) -> None:
        """Move both clocks at once."""
        self._mono += by_ms
        self._wall += timedelta(milliseconds=by_ms)
        due = [one for at, one in self._alarms if at <= self._mono]
        self._alarms = [(at, one) for at, one in self._alarms if at > self._mono]
        for one in due:
            if not one.done():
                one.set_result(None)

    def jump(self, wall: datetime) -> None:
        """Set the wall clock alone."""
        self._wall = wall

    def boot(self, *, off_s: int, wall: datetime | None = None) -> None:
        """The machine was off for a while; ``wall`` is what its clock says when it is back."""
        self._wall = wall or self._wall + timedelta(seconds=off_s)
        self._mono = 5_000
        self._boot += 1

    def _alarm(self, in_ms: int) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._alarms.append((self._mono + in_ms, future))
        return future


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(SETTLING_STEPS):
        await asyncio.sleep(0)


class AtOnce(Executor):
    """An executor that does its work where it is asked, so that `settle` can wait for it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it now."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is told to whoever asked
            future.set_exception(error)
        return future
