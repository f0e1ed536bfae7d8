"""The only place of the agent that reads a clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.model import Instant
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Awaitable

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Both clocks of the machine, and waiting. Implementations: `SystemClock`; tests steer one."""

    def now(self) -> Instant:
        """The present moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        ...

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """Wait for something; False when ``at_most_ms`` went by first (it is then cancelled)."""
        ...


class SystemClock:
    """The machine's own clocks: wall time, and CLOCK_BOOTTIME, which also runs in suspend."""

    def __init__(self) -> None:
        """Note which life of the machine this is. Raises `OSError` where there is no /proc."""
        self._boot = BOOT_ID.read_text().strip()

    def now(self) -> Instant:
        """The present moment."""
        mono = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS
        return Instant(wall=datetime.now(UTC), mono=MonotonicMs(mono), boot=self._boot)

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        await asyncio.sleep(seconds)

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """Wait for something; False when ``at_most_ms`` went by first (it is then cancelled)."""
        # Not wait_for: in Python 3.11 it forgets a cancellation that comes with what is awaited.
        try:
            async with asyncio.timeout(at_most_ms / 1000):
                await awaited
        except TimeoutError:
            return False
        return True
