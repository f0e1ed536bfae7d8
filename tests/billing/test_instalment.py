"""A debt in parts: all of it, each part on its day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dunning import LEAST_OVERDUE
from billing.errors import InvalidField
from billing.instalment import COUNT_MAX, Part, instalments, next_due, overdue
from billing.money import Money
from billing.period import Cycle, Unit, midnight

MONTHLY = Cycle(Unit.MONTH)
FIRST = midnight(date(2027, 1, 31))
MICROSECOND = timedelta(microseconds=1)

amounts = st.integers(COUNT_MAX, 10**12).map(Money)
counts = st.integers(2, COUNT_MAX)
begins = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
cycles = st.builds(Cycle, st.sampled_from(Unit), st.integers(1, 12))


@given(amounts, counts, begins, cycles)
def test_parts_are_equal_to_the_cent_and_sum_to_the_debt(
    amount: Money, count: int, first_due: datetime, cycle: Cycle
) -> None:
    parts = [
        part.amount.minor
        for part in instalments(amount, count=count, first_due=first_due, cycle=cycle)
    ]

    assert sum(parts) == amount.minor
    assert parts == sorted(parts, reverse=True)
    assert parts[0] - parts[-1] <= 1


@given(amounts, counts, begins, cycles)
def test_parts_fall_due_one_after_the_other_at_one_time_of_day(
    amount: Money, count: int, first_due: datetime, cycle: Cycle
) -> None:
    days = [
        part.due_at for part in instalments(amount, count=count, first_due=first_due, cycle=cycle)
    ]

    assert days[0] == first_due
    assert all(a < b for a, b in pairwise(days))
    assert cycle.unit in {Unit.MINUTE, Unit.HOUR} or {at.time() for at in days} == {
        first_due.time()
    }


def test_months_keep_their_day_or_their_last_one() -> None:
    parts = instalments(Money(10_000), count=3, first_due=FIRST, cycle=MONTHLY)

    assert parts == (
        Part(midnight(date(2027, 1, 31)), Money(3_334)),
        Part(midnight(date(2027, 2, 28)), Money(3_333)),
        Part(midnight(date(2027, 3, 31)), Money(3_333)),
    )


PARTS = instalments(Money(300_000), count=3, first_due=FIRST, cycle=MONTHLY)

# Of KES 3,000 in three parts: what was paid, what is overdue on these days (in cents), and from
# when on a shilling or more is overdue if nothing else comes.
TABLE = """
  paid    01-30  01-31   02-27   02-28   03-31   next_due
  0       0      100000  100000  200000  300000  01-31
  99900   0      100     100     100100  200100  01-31
  99901   0      99      99      100099  200099  02-28
  100000  0      0       0       100000  200000  02-28
  250000  0      0       0       0       50000   03-31
  299900  0      0       0       0       100     03-31
  299901  0      0       0       0       99      -
  300000  0      0       0       0       0       -
  400000  0      0       0       0       0       -
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines()[1:])
def test_what_should_have_been_paid_and_is_not_is_overdue(row: str) -> None:
    paid, *expected, _ = row.split()
    days = TABLE.split()[1:6]
    found = [
        overdue(PARTS, Money(int(paid)), midnight(date.fromisoformat(f"2027-{day}")))
        for day in days
    ]

    assert [str(amount.minor) for amount in found] == expected


@pytest.mark.parametrize("row", TABLE.strip().splitlines()[1:])
def test_the_next_part_is_the_first_that_is_not_paid(row: str) -> None:
    paid, *_, expected = row.split()
    at = next_due(PARTS, Money(int(paid)))

    assert at == (None if expected == "-" else midnight(date.fromisoformat(f"2027-{expected}")))


@given(amounts, counts, begins, st.integers(0, 10**12).map(Money))
def test_a_shilling_is_overdue_from_the_next_due_moment_on_and_not_before(
    amount: Money, count: int, first_due: datetime, paid: Money
) -> None:
    parts = instalments(amount, count=count, first_due=first_due, cycle=MONTHLY)
    at = next_due(parts, paid)
    end = parts[-1].due_at if at is None else at - MICROSECOND

    assert overdue(parts, paid, end).minor < LEAST_OVERDUE
    assert at is None or overdue(parts, paid, at).minor >= LEAST_OVERDUE


@pytest.mark.parametrize(
    ("minor", "count", "field"),
    [
        (0, 2, "amount"),
        (-100, 2, "amount"),
        (10_000, -1, "count"),
        (10_000, 0, "count"),
        (10_000, 1, "count"),
        (10_000, COUNT_MAX + 1, "count"),
        (5, 6, "count"),
    ],
)
def test_instalments_that_cannot_be_are_refused(minor: int, count: int, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        instalments(Money(minor), count=count, first_due=FIRST, cycle=MONTHLY)

    assert refused.value.field == field


def test_as_many_parts_as_cents_are_a_cent_each() -> None:
    parts = instalments(Money(5), count=5, first_due=FIRST, cycle=MONTHLY)

    assert {part.amount for part in parts} == {Money(1)}


def test_nobody_has_paid_less_than_nothing() -> None:
    with pytest.raises(InvalidField, match="paid"):
        overdue(PARTS, Money(-1), FIRST)
    with pytest.raises(InvalidField, match="paid"):
        next_due(PARTS, Money(-1))
