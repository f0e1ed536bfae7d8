"""How often something may be done within a while, by whom. Forgotten with the process."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from shaping.plane import MonotonicMs

DOERS_KEPT_MAX = 10_000
"""Doers remembered; beyond it the one known longest is forgotten."""


class Seldom:
    """At most ``most`` times in ``window_ms`` for each doer."""

    def __init__(self, most: int, window_ms: int) -> None:
        self._most = most
        self._window_ms = window_ms
        self._done: dict[Hashable, deque[int]] = {}

    def spent(self, who: Hashable, mono: MonotonicMs) -> bool:
        """Whether it may not be done once more now."""
        times = self._done.get(who)
        while times and mono - times[0] >= self._window_ms:
            times.popleft()
        return times is not None and len(times) >= self._most

    def note(self, who: Hashable, mono: MonotonicMs) -> None:
        """It was done."""
        if who not in self._done and len(self._done) >= DOERS_KEPT_MAX:
            del self._done[next(iter(self._done))]
        self._done.setdefault(who, deque(maxlen=self._most)).append(mono)

    def taken(self, who: Hashable, mono: MonotonicMs) -> bool:
        """Whether it may be done now; if so, it counts as done."""
        if self.spent(who, mono):
            return False
        self.note(who, mono)
        return True
