"""How old debts are, in Nairobi's days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.ageing import BUCKETS, Bucket, aged, bucket_of
from billing.errors import CurrencyMismatch
from billing.money import Money
from billing.period import midnight

DUE = midnight(date(2026, 12, 1))
NOW = midnight(date(2027, 6, 1))

# Seconds after the due moment (a day is 86,400), and the bucket.
TABLE = """
  -1        not_due
  0         1-30
  2591999   1-30
  2592000   31-60
  5183999   31-60
  5184000   61-90
  7775999   61-90
  7776000   over_90
  99999999  over_90
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_a_debt_is_in_the_bucket_of_its_days(row: str) -> None:
    seconds, bucket = row.split()

    assert bucket_of(DUE, DUE + timedelta(seconds=int(seconds))) is Bucket(bucket)


def test_a_debt_that_fell_due_at_noon_grows_a_day_older_at_midnight() -> None:
    noon = DUE + timedelta(hours=12)
    last_day = midnight(date(2026, 12, 31))

    assert bucket_of(noon, last_day - timedelta(seconds=1)) is Bucket.TO_30
    assert bucket_of(noon, last_day) is Bucket.TO_60


debts = st.lists(
    st.tuples(
        st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
        st.integers(0, 10**9).map(Money),
    )
)


@given(debts)
def test_all_that_is_open_is_in_some_bucket(open_debts: list[tuple[datetime, Money]]) -> None:
    found = aged(open_debts, NOW)

    assert tuple(found) == BUCKETS
    assert sum(found.values(), Money(0)) == sum((m for _, m in open_debts), Money(0))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_a_debt_never_grows_younger(due_at: datetime, a: timedelta, b: timedelta) -> None:
    start = due_at - timedelta(days=100)
    younger, older = (bucket_of(due_at, start + later) for later in sorted((a, b)))

    assert BUCKETS.index(younger) <= BUCKETS.index(older)


def test_debts_are_summed_by_bucket() -> None:
    found = aged(
        [(DUE, Money(100)), (DUE, Money(50)), (NOW, Money(7)), (NOW + timedelta(1), Money(3))], NOW
    )

    assert [amount.minor for amount in found.values()] == [3, 7, 0, 0, 150]


def test_a_report_is_in_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        aged([(DUE, Money(100, "USD"))], NOW)

    assert aged([(DUE, Money(100, "USD"))], NOW, currency="USD")[Bucket.OVER_90].minor == 100
