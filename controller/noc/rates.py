"""Rates of sessions from successive readings. PURE.

A session's counters are cumulative and arrive every few seconds; a rate is what lies between two
different readings. Nothing here reads a clock: the instants are those of the readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

POINTS_MAX = 24
"""How many past rates a sparkline shows."""

QUIET_AFTER_S = 30
"""A session without a new reading for so long has no rate that could honestly be shown."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One cumulative reading of a session."""

    session_id: str
    at: datetime
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class Rate:
    """The newest reading, the rate that led to it (None before the second), and past down rates."""

    newest: Counted
    down_bps: int | None = None
    up_bps: int | None = None
    points: tuple[int, ...] = ()


def followed(rates: Mapping[str, Rate], readings: Iterable[Counted]) -> dict[str, Rate]:
    """The rates after one more look. Sessions that are no longer read are forgotten."""
    return {r.session_id: _next(rates.get(r.session_id), r) for r in readings}


def is_quiet(rate: Rate, now: datetime) -> bool:
    """Whether the newest reading is too old for its rate to be shown as the rate now."""
    return (now - rate.newest.at).total_seconds() > QUIET_AFTER_S


def summed(rates: Mapping[str, Rate], now: datetime) -> tuple[int, int]:
    """Down and up of all sessions together, of those whose rate is that of now."""
    fresh = [rate for rate in rates.values() if not is_quiet(rate, now)]
    return sum(rate.down_bps or 0 for rate in fresh), sum(rate.up_bps or 0 for rate in fresh)


def _next(rate: Rate | None, reading: Counted) -> Rate:
    if rate is None:
        return Rate(reading)
    took_us = _microseconds(rate.newest.at, reading.at)
    if took_us <= 0:
        return rate
    down = _bps(reading.down_bytes - rate.newest.down_bytes, took_us)
    up = _bps(reading.up_bytes - rate.newest.up_bytes, took_us)
    return Rate(reading, down, up, (*rate.points, down)[-POINTS_MAX:])


def _bps(grown_bytes: int, took_us: int) -> int:
    return max(0, grown_bytes) * 8_000_000 // took_us


def _microseconds(earlier: datetime, later: datetime) -> int:
    gap = later - earlier
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds
