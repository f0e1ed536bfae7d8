"""A clock that tests steer: time passes when they say so, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MORNING = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
"""Nine o'clock in Nairobi."""


class Clock:
    """Call it for the present moment."""

    def __init__(self, start: datetime = MORNING) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: int) -> None:
        """Let seconds pass."""
        assert seconds >= 0, "time does not run backwards here"
        self._now += timedelta(seconds=seconds)

    def to(self, moment: datetime) -> None:
        """Let time pass until then."""
        assert moment >= self._now, "time does not run backwards here"
        self._now = moment
