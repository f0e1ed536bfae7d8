"""Time given to maintenance, and how much of an outage lies outside of it. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From an instant until another, which is the first one outside."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies inside."""
        return self.start <= at < self.end


def outside_s(outage: Window, windows: Iterable[Window]) -> int:
    """How many seconds of an outage no window covers; windows may touch and overlap."""
    left, reached = 0, outage.start
    for window in sorted(windows, key=lambda one: one.start):
        if window.start > reached:
            left += max(0, (min(window.start, outage.end) - reached) // SECOND)
        reached = max(reached, window.end)
        if reached >= outage.end:
            return left
    return left + (outage.end - reached) // SECOND
