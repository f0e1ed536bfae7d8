"""The calendar of Nairobi: no day is billed twice, none is left out."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.period import (
    CALENDAR,
    Cycle,
    Period,
    Unit,
    anchored,
    boundary,
    day_of,
    midnight,
    number_at,
    period,
    units,
    whole_period,
)

MONTHS = 36
MICROSECOND = timedelta(microseconds=1)

begins = st.datetimes(datetime(2023, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
month_days = st.integers(1, 31)
cycles = st.one_of(
    st.builds(Cycle, st.sampled_from(Unit), st.integers(1, 40)),
    st.builds(Cycle, st.just(Unit.MONTH), st.integers(1, 12), month_days),
)

# When the first periods of a cycle of months begin; a dash: no fixed day.
STARTS = """
  first day    fixed day
  2026-01-31   -    2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31
  2028-01-31   -    2028-01-31 2028-02-29 2028-03-31 2028-04-30 2028-05-31
  2026-01-29   -    2026-01-29 2026-02-28 2026-03-29 2026-04-29 2026-05-29
  2026-11-15   1    2026-11-15 2026-12-01 2027-01-01 2027-02-01 2027-03-01
  2026-11-01   1    2026-11-01 2026-12-01 2027-01-01 2027-02-01 2027-03-01
  2026-01-10   31   2026-01-10 2026-01-31 2026-02-28 2026-03-31 2026-04-30
  2026-02-28   30   2026-02-28 2026-03-30 2026-04-30 2026-05-30 2026-06-30
  2026-04-30   31   2026-04-30 2026-05-31 2026-06-30 2026-07-31 2026-08-31
"""


@pytest.mark.parametrize("row", STARTS.strip().splitlines()[1:])
def test_months_begin_on_the_day_that_people_expect(row: str) -> None:
    first, fixed, *days = row.split()
    cycle = Cycle(Unit.MONTH, anchor_day=None if fixed == "-" else int(fixed))
    anchor = midnight(date.fromisoformat(first))

    assert [str(day_of(boundary(cycle, anchor, n))) for n in range(5)] == days


@given(cycles, begins)
def test_each_period_begins_where_the_one_before_ended(cycle: Cycle, begins_at: datetime) -> None:
    anchor = anchored(cycle, begins_at)
    all_of_them = [period(cycle, anchor, n) for n in range(MONTHS)]

    assert all_of_them[0].start == anchor
    assert all(a.end == b.start for a, b in pairwise(all_of_them))


@given(cycles, begins, st.integers(0, MONTHS))
def test_an_instant_is_in_the_period_of_its_number(
    cycle: Cycle, begins_at: datetime, n: int
) -> None:
    anchor = anchored(cycle, begins_at)
    found = period(cycle, anchor, n)

    assert number_at(cycle, anchor, found.start) == n
    assert number_at(cycle, anchor, found.end - MICROSECOND) == n
    assert number_at(cycle, anchor, found.end) == n + 1


@given(cycles.filter(lambda c: c.unit in CALENDAR), begins, st.integers(0, MONTHS))
def test_days_begin_at_nairobis_midnight(cycle: Cycle, begins_at: datetime, n: int) -> None:
    start = boundary(cycle, anchored(cycle, begins_at), n)

    assert (start.utcoffset(), start.hour, start.minute) == (timedelta(0), 21, 0)


@given(cycles.filter(lambda c: c.unit in CALENDAR), begins)
def test_billed_days_are_served_days(cycle: Cycle, begins_at: datetime) -> None:
    anchor = anchored(cycle, begins_at)
    billed = sum(units(period(cycle, anchor, n)) for n in range(MONTHS))

    served = day_of(boundary(cycle, anchor, MONTHS)) - day_of(anchor)
    assert billed == served.days


@given(month_days, begins, st.integers(1, MONTHS))
def test_a_fixed_day_is_kept_or_is_the_months_last(day: int, begins_at: datetime, n: int) -> None:
    cycle = Cycle(Unit.MONTH, anchor_day=day)
    found = day_of(boundary(cycle, anchored(cycle, begins_at), n))

    assert found.day == min(day, calendar.monthrange(found.year, found.month)[1])


@given(begins, st.integers(1, 12), st.integers(0, MONTHS))
def test_an_anniversary_does_not_drift_after_a_short_month(
    begins_at: datetime, count: int, n: int
) -> None:
    cycle = Cycle(Unit.MONTH, count)
    anchor = anchored(cycle, begins_at)
    first, found = day_of(anchor), day_of(boundary(cycle, anchor, n))

    later = (found.year - first.year) * 12 + found.month - first.month
    assert later == count * n
    assert found.day == min(first.day, calendar.monthrange(found.year, found.month)[1])


@given(month_days, st.integers(1, 12), begins)
def test_a_first_period_that_is_cut_short_is_a_part_of_a_whole_one(
    day: int, count: int, begins_at: datetime
) -> None:
    cycle = Cycle(Unit.MONTH, count, anchor_day=day)
    anchor = anchored(cycle, begins_at)
    cut, whole = period(cycle, anchor, 0), whole_period(cycle, anchor, 0)

    first, last = day_of(whole.start), day_of(whole.end)
    assert whole.end == cut.end
    assert whole.start <= cut.start
    assert (last.year - first.year) * 12 + last.month - first.month == count
    assert first.day == min(day, calendar.monthrange(first.year, first.month)[1])


@given(cycles, begins, st.integers(1, MONTHS))
def test_later_periods_are_whole(cycle: Cycle, begins_at: datetime, n: int) -> None:
    anchor = anchored(cycle, begins_at)

    assert whole_period(cycle, anchor, n) == period(cycle, anchor, n)


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        ("2026-11-30T20:59:59", "2026-11-30"),
        ("2026-11-30T21:00:00", "2026-12-01"),
        ("2026-11-30T23:59:59", "2026-12-01"),
        ("2028-02-28T21:00:00", "2028-02-29"),
    ],
)
def test_a_day_begins_at_nine_in_the_evening_utc(utc: str, day: str) -> None:
    assert str(day_of(datetime.fromisoformat(utc).replace(tzinfo=UTC))) == day


@pytest.mark.parametrize(
    ("unit", "count", "length"),
    [
        (Unit.MINUTE, 30, timedelta(minutes=30)),
        (Unit.HOUR, 6, timedelta(hours=6)),
        (Unit.DAY, 1, timedelta(days=1)),
        (Unit.WEEK, 2, timedelta(days=14)),
    ],
)
def test_fixed_spans_are_that_long(unit: Unit, count: int, length: timedelta) -> None:
    cycle = Cycle(unit, count)
    found = period(cycle, anchored(cycle, datetime(2026, 11, 26, 4, 13, 7, tzinfo=UTC)), 3)

    assert found.end - found.start == length


def test_hours_begin_at_any_instant() -> None:
    at = datetime(2026, 11, 26, 4, 13, 7, tzinfo=UTC)

    assert anchored(Cycle(Unit.HOUR), at) == at


@pytest.mark.parametrize(
    ("of", "count"),
    [
        (Period(midnight(date(2026, 11, 1)), midnight(date(2026, 12, 1))), 30),
        (Period(midnight(date(2028, 2, 1)), midnight(date(2028, 3, 1))), 29),
        (Period(midnight(date(2026, 11, 1)), datetime(2026, 10, 31, 21, 30, tzinfo=UTC)), 1_800),
        (Period(datetime(2026, 10, 31, 20, tzinfo=UTC), midnight(date(2026, 11, 1))), 3_600),
    ],
)
def test_a_period_is_counted_in_days_or_else_in_seconds(of: Period, count: int) -> None:
    assert units(of) == count


@pytest.mark.parametrize(
    ("unit", "count", "anchor_day", "field"),
    [
        (Unit.DAY, 0, None, "cycle.count"),
        (Unit.DAY, -1, None, "cycle.count"),
        (Unit.DAY, 1_001, None, "cycle.count"),
        (Unit.MONTH, 121, None, "cycle.count"),
        (Unit.MONTH, 1, 0, "cycle.anchor_day"),
        (Unit.MONTH, 1, 32, "cycle.anchor_day"),
        (Unit.WEEK, 1, 1, "cycle.anchor_day"),
    ],
)
def test_a_cycle_that_cannot_be_is_refused(
    unit: Unit, count: int, anchor_day: int | None, field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        Cycle(unit, count, anchor_day)

    assert refused.value.field == field


def test_a_period_has_a_length() -> None:
    at = midnight(date(2026, 11, 1))

    with pytest.raises(AssertionError):
        Period(at, at)
