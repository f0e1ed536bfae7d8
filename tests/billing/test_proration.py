"""A period that is cut in parts costs what it costs whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.money import Money
from billing.period import Period, midnight
from billing.proration import prorated

NOVEMBER = Period(midnight(date(2026, 11, 1)), midnight(date(2026, 12, 1)))
FEBRUARY = Period(midnight(date(2026, 2, 1)), midnight(date(2026, 3, 1)))

instants = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
cuts = st.lists(instants, min_size=2, max_size=12, unique=True).map(sorted)
prices = st.integers(0, 10**12).map(Money)


@given(prices, cuts)
def test_parts_sum_to_the_price_however_a_period_is_cut(price: Money, cut: list[datetime]) -> None:
    whole = Period(cut[0], cut[-1])
    parts = [prorated(price, whole=whole, part=Period(a, b)) for a, b in pairwise(cut)]

    assert sum((part.minor for part in parts), 0) == price.minor
    assert all(part.minor >= 0 for part in parts)


@given(prices, cuts.filter(lambda cut: len(cut) > 3))
def test_a_part_is_what_its_own_parts_cost(price: Money, cut: list[datetime]) -> None:
    whole = Period(cut[0], cut[-1])
    middle = cut[1:-1]
    parts = [prorated(price, whole=whole, part=Period(a, b)) for a, b in pairwise(middle)]

    together = prorated(price, whole=whole, part=Period(middle[0], middle[-1]))
    assert sum(parts, Money(0)) == together


@given(prices, cuts)
def test_a_share_is_within_a_cent_of_the_exact_one(price: Money, cut: list[datetime]) -> None:
    whole, part = Period(cut[0], cut[-1]), Period(cut[-2], cut[-1])
    found = prorated(price, whole=whole, part=part).minor
    exact = price.minor * Fraction(ticks(part), ticks(whole))

    # Half a cent at each end of the part.
    assert abs(found - exact) <= 1


def ticks(of: Period) -> int:
    return (of.end - of.start) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("whole", "first", "until", "minor"),
    [
        (NOVEMBER, "2026-11-01", "2026-12-01", 150_000),
        (NOVEMBER, "2026-11-16", "2026-12-01", 75_000),
        (NOVEMBER, "2026-11-30", "2026-12-01", 5_000),
        (FEBRUARY, "2026-02-01", "2026-02-02", 5_357),
        (FEBRUARY, "2026-02-02", "2026-02-03", 5_357),
        (FEBRUARY, "2026-02-03", "2026-02-04", 5_357),
        (FEBRUARY, "2026-02-04", "2026-02-05", 5_358),
    ],
)
def test_days_of_a_month_for_1500_cost(whole: Period, first: str, until: str, minor: int) -> None:
    part = Period(midnight(date.fromisoformat(first)), midnight(date.fromisoformat(until)))

    assert prorated(Money(150_000), whole=whole, part=part) == Money(minor)


def test_hours_are_prorated_as_days_are() -> None:
    part = Period(NOVEMBER.start, NOVEMBER.start + timedelta(hours=6))

    assert prorated(Money(150_000), whole=NOVEMBER, part=part) == Money(1_250)


@pytest.mark.parametrize(
    "part",
    [
        Period(NOVEMBER.start - timedelta(days=1), NOVEMBER.end),
        Period(NOVEMBER.start, NOVEMBER.end + timedelta(days=1)),
    ],
)
def test_a_part_outside_of_the_period_is_refused(part: Period) -> None:
    with pytest.raises(InvalidField, match="part"):
        prorated(Money(150_000), whole=NOVEMBER, part=part)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(InvalidField, match="price"):
        prorated(Money(-1), whole=NOVEMBER, part=NOVEMBER)
