"""Cycles and periods of subscriptions, in the calendar of Nairobi. PURE.

Nairobi has been three hours ahead of UTC since 1960, without summer time, so its days are reckoned
with a fixed offset. Periods of days, weeks and months begin and end at its midnights (21:00 UTC);
those of minutes and hours at any instant. A period is the half-open time from ``start`` to ``end``:
each one begins where the one before ended, so nothing is billed twice and nothing is left out.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import lru_cache

from billing.errors import InvalidField

NAIROBI = timezone(timedelta(hours=3), "EAT")
COUNT_MAX = 1_000
YEARS_MAX = 10

KNOWN_MAX = 65_536
"""Many subscribers share their days: so many answers of the calendar are kept."""


class Unit(StrEnum):
    """What a cycle is counted in."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_SPANS = {
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.DAY: timedelta(days=1),
    Unit.WEEK: timedelta(weeks=1),
}
CALENDAR = (Unit.DAY, Unit.WEEK, Unit.MONTH)
"""Units whose periods begin at midnight in Nairobi."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """How long a period is. ``anchor_day`` (months only) is a fixed day on which periods begin.

    Without it the cycle is an anniversary: months begin on the day of the month on which the first
    one did, or on the last day of a month that has no such day.
    """

    unit: Unit
    count: int = 1
    anchor_day: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.count <= COUNT_MAX:
            raise InvalidField("cycle.count", f"want 1 to {COUNT_MAX:,}, got {self.count:,}")
        if self.anchor_day is not None and self.unit is not Unit.MONTH:
            raise InvalidField("cycle.anchor_day", "only a cycle of months has a fixed day")
        if self.anchor_day is not None and not 1 <= self.anchor_day <= 31:  # noqa: PLR2004
            raise InvalidField("cycle.anchor_day", f"want 1 to 31, got {self.anchor_day}")
        if self.unit is Unit.MONTH and self.count > 12 * YEARS_MAX:
            raise InvalidField("cycle.count", f"want at most {YEARS_MAX} years")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time from ``start`` up to, and without, ``end``; both aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        assert self.start.tzinfo is not None, "a naive time reached the calendar"
        assert self.start < self.end, "a period has a length"


@lru_cache(KNOWN_MAX)
def midnight(day: date) -> datetime:
    """When a day begins in Nairobi."""
    return datetime.combine(day, time(), NAIROBI).astimezone(UTC)


def day_of(at: datetime) -> date:
    """Which day an instant belongs to in Nairobi."""
    return at.astimezone(NAIROBI).date()


def anchored(cycle: Cycle, begins_at: datetime) -> datetime:
    """From where the periods of a subscription that begins then are counted.

    A subscription by days, weeks or months is served, and billed, from the beginning of its first
    day.
    """
    return midnight(day_of(begins_at)) if cycle.unit in CALENDAR else begins_at.astimezone(UTC)


@lru_cache(KNOWN_MAX)
def boundary(cycle: Cycle, anchor: datetime, n: int) -> datetime:
    """When period ``n`` begins (and period ``n - 1`` ends); 0 is the first.

    With a fixed day the first period is shorter, unless the anchor is that day.
    """
    if n == 0:
        return anchor
    if cycle.unit is not Unit.MONTH:
        return anchor + _SPANS[cycle.unit] * (cycle.count * n)
    first = day_of(anchor)
    if cycle.anchor_day is None:
        return midnight(_month_later(first, cycle.count * n, first.day))
    fixed = _in_month(first.year, first.month, cycle.anchor_day)
    if fixed == first:
        months = cycle.count * n
    else:
        # The stub up to the first fixed day is period 0; whole cycles are counted from that day.
        months = (0 if fixed > first else 1) + cycle.count * (n - 1)
    return midnight(_month_later(first, months, cycle.anchor_day))


def period(cycle: Cycle, anchor: datetime, n: int) -> Period:
    """Period ``n`` of a subscription."""
    return Period(boundary(cycle, anchor, n), boundary(cycle, anchor, n + 1))


@lru_cache(KNOWN_MAX)
def whole_period(cycle: Cycle, anchor: datetime, n: int) -> Period:
    """What period ``n`` would be if it were not cut short by a fixed day: what a price is for."""
    cut = period(cycle, anchor, n)
    if n > 0 or cycle.anchor_day is None:
        return cut
    last = day_of(cut.end)
    return Period(midnight(_month_later(last, -cycle.count, cycle.anchor_day)), cut.end)


def number_at(cycle: Cycle, anchor: datetime, at: datetime) -> int:
    """The number of the period that an instant belongs to; it is not before the anchor."""
    assert at >= anchor
    if cycle.unit is not Unit.MONTH:
        return (at - anchor) // (_SPANS[cycle.unit] * cycle.count)
    first, day = day_of(anchor), day_of(at)
    n = max(0, ((day.year - first.year) * 12 + day.month - first.month) // cycle.count - 1)
    while boundary(cycle, anchor, n + 1) <= at:
        n += 1
    return n


def units(of: Period) -> int:
    """How long a period is: in days where it begins and ends at midnights, else in seconds."""
    if _at_midnight(of.start) and _at_midnight(of.end):
        return (of.end - of.start) // timedelta(days=1)
    return (of.end - of.start) // timedelta(seconds=1)


def _at_midnight(at: datetime) -> bool:
    return at.astimezone(NAIROBI).time() == time()


def _in_month(year: int, month: int, day: int) -> date:
    """That day of a month, or its last one."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _month_later(first: date, months: int, day: int) -> date:
    total = first.year * 12 + first.month - 1 + months
    return _in_month(total // 12, total % 12 + 1, day)
