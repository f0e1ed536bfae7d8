"""How fast a grant is now: its rate, its fair-use steps, its hours. PURE.

The one rule of speed, run where packets are shaped. An hour's window goes before the steps: a happy
hour is a promise, and a night rate is dear to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.plan import DAY_MINUTES

if TYPE_CHECKING:
    from billing.plan import Limits, Window


@dataclass(frozen=True, slots=True)
class Speed:
    """Bits per second, each way."""

    down_bps: int
    up_bps: int


def speed(limits: Limits, *, used_bytes: int, minute: int | None) -> Speed:
    """The speed after ``used_bytes`` at this ``minute`` of the day in Nairobi.

    ``minute`` is None while nobody knows the time of day (a box without a clock): then no window
    holds.
    """
    if minute is not None:
        for window in limits.windows:
            if _covers(window, minute):
                return Speed(window.down_bps, window.up_bps)
    reached = [step for step in limits.steps if used_bytes >= step.after_bytes]
    if reached:
        return Speed(reached[-1].down_bps, reached[-1].up_bps)
    return Speed(limits.down_bps, limits.up_bps)


def next_step_bytes(limits: Limits, used_bytes: int) -> int | None:
    """How many more bytes until a step changes the speed; None when no step is left."""
    ahead = [step.after_bytes - used_bytes for step in limits.steps]
    return min((left for left in ahead if left > 0), default=None)


def next_turn_minutes(limits: Limits, minute: int) -> int | None:
    """How many minutes until a window begins or ends (1 to 1,440); None without windows."""
    edges = {edge for w in limits.windows for edge in (w.from_minute, w.until_minute)}
    waits = ((edge - minute) % DAY_MINUTES or DAY_MINUTES for edge in edges)
    return min(waits, default=None)


def _covers(window: Window, minute: int) -> bool:
    if window.from_minute < window.until_minute:
        return window.from_minute <= minute < window.until_minute
    return minute >= window.from_minute or minute < window.until_minute
