"""Wake-ups inside one process: "something about X is new, go and look".

A signal never carries the news itself: whoever waits reads the database, so a lost wake-up costs a
moment (waiters also look by themselves now and then), never a fact.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Signals:
    """Topics are text such as ``site:estate-1`` or ``live``; each waiter has its own event."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[asyncio.Event]] = {}

    def wake(self, topic: str) -> None:
        """Wake everyone who listens to ``topic``. Call after the commit, never before."""
        for waiter in self._waiters.get(topic, ()):
            waiter.set()

    def topics(self) -> tuple[str, ...]:
        """What somebody listens to just now."""
        return tuple(self._waiters)

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set at each wake-up; the listener clears it before it looks."""
        waiter = asyncio.Event()
        self._waiters.setdefault(topic, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[topic].discard(waiter)
            if not self._waiters[topic]:
                del self._waiters[topic]
