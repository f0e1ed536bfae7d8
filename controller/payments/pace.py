"""Waiting for one's turn to ask a provider."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from controller.payments.bucket import Bucket


class Pace:
    """Turns of one bucket.

    Callers say what time it is, and some say it for many requests at once: between two of them time
    goes on here as the process's own clock does, never back.
    """

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket = bucket
        self._name = name
        self._said: datetime | None = None
        self._said_at_s = 0.0

    async def turn(self, now: datetime) -> None:
        """Wait for a turn. Raises `PaceError` when it would take too long."""
        wait_s = await self._bucket.take(self._name, self._time(now))
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _time(self, now: datetime) -> datetime:
        at_s = asyncio.get_running_loop().time()
        if self._said is not None:
            now = max(now, self._said + timedelta(seconds=at_s - self._said_at_s))
        self._said, self._said_at_s = now, at_s
        return now
