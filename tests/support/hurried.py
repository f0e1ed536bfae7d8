"""A clock that really runs, but faster: a minute of a site's life in some seconds of a test's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.model import Instant
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Awaitable

TIMES = 20


def hurried() -> float:
    """Seconds, that many times as fast; for an emulated router of the same site."""
    return time.monotonic() * TIMES


class HurriedClock(SystemClock):
    """Both clocks of a site that lives `TIMES` as fast. ``boot`` names this life of its machine."""

    def __init__(self, boot: str = "boot-1") -> None:
        self._began_s, self._began_at, self._life = hurried(), datetime.now(UTC), boot

    def now(self) -> Instant:
        """The present moment."""
        now_s = hurried()
        wall = self._began_at + timedelta(seconds=now_s - self._began_s)
        return Instant(wall=wall, mono=MonotonicMs(int(now_s * 1_000)), boot=self._life)

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of the site's."""
        await asyncio.sleep(seconds / TIMES)

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """As `agent.clock.Clock.wait`."""
        return await super().wait(awaited, at_most_ms=max(1, at_most_ms // TIMES))
