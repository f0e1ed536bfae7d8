"""How often we may ask a provider: a token bucket, in one process or shared by all of them.

A bucket of ``per_s`` requests fills by that many in a second. Who takes from an empty one is told
how long to wait: its place in the queue is written down at once, so that no two take the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from controller.payments.gateway import GatewayError

if TYPE_CHECKING:
    from datetime import datetime

MILLI = 1_000
"""A request is a thousand thousandths: levels are whole numbers."""
MILLISECOND = timedelta(milliseconds=1)
WAIT_MAX_S = 10.0
"""Who would have to wait longer for a turn is told so at once, and takes none."""
REQUESTS_PER_S = 5
"""What integrators begin with at Safaricom, who publishes no figure; nor do Airtel and Paystack."""
AHEAD_MAX = timedelta(seconds=10)
"""A level from further in the future is another clock's mistake, or ours."""


class PaceError(GatewayError):
    """The queue for the provider is too long, or cannot be seen; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Level:
    """How full a bucket was, at a time: thousandths of a request; below nothing when some wait."""

    milli: int
    at: datetime


class Bucket(Protocol):
    """Turns to ask a provider. Implementations: `MemoryBucket`; the database's `BucketRows`."""

    async def take(self, name: str, now: datetime) -> float:
        """Take a turn of the bucket ``name``: how many seconds to wait for it.

        Raises `PaceError`, and takes none, when that would be over `WAIT_MAX_S`.
        """
        ...


class MemoryBucket:
    """Buckets of one process, each of ``per_s`` requests a second."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._levels: dict[str, Level] = {}

    async def take(self, name: str, now: datetime) -> float:
        """Take a turn. Raises `PaceError`."""
        level, wait_s = drawn(self._levels.get(name), now, per_s=self._per_s)
        self._levels[name] = level
        return wait_s


def drawn(level: Level | None, now: datetime, *, per_s: int) -> tuple[Level, float]:
    """The level after one request, and the seconds that it must wait. Raises `PaceError`.

    None is a bucket that nobody has used: it is full, with a second's worth.
    """
    full = per_s * MILLI
    if level is None:
        level = Level(full, now)
    elif level.at > now + AHEAD_MAX:
        level = Level(level.milli, now)
    passed_ms = max(0, (now - level.at) // MILLISECOND)
    left = min(full, level.milli + passed_ms * per_s) - MILLI
    wait_s = max(0, -left) / full
    if wait_s > WAIT_MAX_S:
        raise PaceError(f"over {WAIT_MAX_S:.0f} s of requests are waiting already")
    return Level(left, level.at + passed_ms * MILLISECOND), wait_s
