"""Reckoning as an accountant would do it on paper, day by day: the judge's own, not the product's.

Nothing here is imported from ``billing``: what it says is held against what the product says.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from math import ceil, floor

EAT = timedelta(hours=3)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def day_in_nairobi(at: datetime) -> date:
    """The day there."""
    return (at + EAT).date()


def midnight_in_nairobi(day: date) -> datetime:
    """When a day begins there."""
    return datetime.combine(day, time(), UTC) - EAT


def half_up(amount: Fraction) -> int:
    """To the cent."""
    return floor(amount + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a subscription is billed: so many hours, days, weeks or months; on a fixed day."""

    unit: str
    count: int = 1
    fixed: int | None = None

    @property
    def by_days(self) -> bool:
        """Whether it counts days."""
        return self.unit != "hour"


def whole_around(rhythm: Rhythm, anchor: datetime, at: datetime) -> tuple[datetime, datetime]:
    """From when to when the whole period lasts that an instant belongs to, counted from an anchor.

    Before the first fixed day it is the one that ends there, although it began before the anchor.
    """
    if not rhythm.by_days:
        length = rhythm.count * HOUR
        passed = (at - anchor) // length
        return anchor + passed * length, anchor + (passed + 1) * length
    first, day = day_in_nairobi(anchor), day_in_nairobi(at)
    if rhythm.unit != "month":
        days = rhythm.count * {"day": 1, "week": 7}[rhythm.unit]
        begun = first + (day - first).days // days * days * DAY
        return midnight_in_nairobi(begun), midnight_in_nairobi(begun + days * DAY)
    begins = first if rhythm.fixed is None else _fixed_before(first, rhythm)
    wanted = first.day if rhythm.fixed is None else rhythm.fixed
    ends = _months_on(begins, rhythm.count, wanted)
    while ends <= day:
        begins, ends = ends, _months_on(ends, rhythm.count, wanted)
    return midnight_in_nairobi(begins), midnight_in_nairobi(ends)


def _fixed_before(first: date, rhythm: Rhythm) -> date:
    """Where the period began that ends on the first fixed day behind ``first``, or begins there."""
    assert rhythm.fixed is not None
    ends = first
    while ends.day != min(rhythm.fixed, _days_in(ends)):
        ends += DAY
    return ends if ends == first else _months_on(ends, -rhythm.count, rhythm.fixed)


def _months_on(day: date, months: int, wanted: int) -> date:
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        year, month = (year + 1, 1) if month == 13 else (year, month)
        year, month = (year - 1, 12) if month == 0 else (year, month)
    return date(year, month, min(wanted, calendar.monthrange(year, month)[1]))


def _days_in(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def share(price: int, part: tuple[datetime, datetime], whole: tuple[datetime, datetime]) -> int:
    """What a part of a period costs: what is due at its end less what was due at its beginning."""
    length = whole[1] - whole[0]
    second = timedelta(seconds=1)

    def due(at: datetime) -> int:
        return half_up(Fraction(price * ((at - whole[0]) // second), length // second))

    return due(part[1]) - due(part[0])


def taxes(minor: int, *, excise_bp: int, vat_bp: int, included: bool) -> tuple[int, int, int]:
    """Net, excise and VAT of an amount."""
    vat_share, excise_share = Fraction(vat_bp, 10_000), Fraction(excise_bp, 10_000)
    if included:
        vat = half_up(Fraction(minor) * vat_share / (1 + vat_share))
        excise = half_up(Fraction(minor - vat) * excise_share / (1 + excise_share))
        return minor - vat - excise, excise, vat
    excise = half_up(minor * excise_share)
    return minor, excise, half_up((minor + excise) * vat_share)


@dataclass(frozen=True, slots=True)
class Steps:
    """What volume costs in cents by the unit: units up to each bound, the last one open."""

    formula: str
    unit_bytes: int
    tiers: tuple[tuple[int | None, int], ...]


def volume(steps: Steps, used_bytes: int) -> int:
    """What so much use costs, unit by unit."""
    units = ceil(Fraction(used_bytes, steps.unit_bytes))
    if steps.formula == "volume":
        return units * _tier_of(steps, units)
    if steps.formula == "graduated":
        return sum(_tier_of(steps, n) for n in range(1, units + 1))
    cost = bought = size = 0
    while bought < units:
        bound, price = next(t for t in steps.tiers if t[0] is None or bought < t[0])
        size = size if bound is None else bound - bought
        bought, cost = bought + size, cost + price
    return cost


def _tier_of(steps: Steps, unit: int) -> int:
    return next(price for bound, price in steps.tiers if bound is None or unit <= bound)
