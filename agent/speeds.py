"""How fast a session is now, and when that changes next. PURE.

The rule itself is `billing.speed`; this file knows the clock and the plane's words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from agent import daytime
from billing import speed
from billing.speed import Speed
from shaping.plane import Burst, MonotonicMs, Rate

if TYPE_CHECKING:
    from datetime import datetime

    from agent.model import Instant
    from billing.plan import Limits

_MINUTE_MS = 60_000

RATES_SHARED_MAX = 256
"""Kinds of rates of which there is one object each."""


def steady(limits: Limits) -> bool:
    """Whether the speed never changes."""
    return not limits.steps and not limits.windows


def rate(limits: Limits, used_bytes: int, minute: int | None) -> Rate:
    """What the plane is told. The burst belongs to the plan's own speed, and to no other."""
    now = speed.speed(limits, used_bytes=used_bytes, minute=minute)
    plain = now == Speed(limits.down_bps, limits.up_bps)
    if limits.burst is None or not plain:
        return _rate(now.down_bps, now.up_bps)
    burst = limits.burst
    return _rate(now.down_bps, now.up_bps, Burst(burst.down_bps, burst.up_bps, burst.burst_bytes))


@lru_cache(RATES_SHARED_MAX)
def _rate(down_bps: int, up_bps: int, burst: Burst | None = None) -> Rate:
    """One object for all sessions that have the same."""
    return Rate(down_bps, up_bps, burst)


def next_turn_at(limits: Limits, now: Instant, asleep_since: datetime | None) -> MonotonicMs | None:
    """When an hour of another speed begins or ends; None without any, or without the time."""
    minute = daytime.minute(now, asleep_since) if limits.windows else None
    if minute is None:
        return None
    wait = speed.next_turn_minutes(limits, minute)
    if wait is None:
        return None
    return MonotonicMs(now.mono + wait * _MINUTE_MS - daytime.past_minute_ms(now))
