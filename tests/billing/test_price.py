"""What a plan costs whom: the most specific price that holds on the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.money import Money
from billing.price import Price, check_prices, price_on
from tests.support.builders import a_plan

HOME = a_plan("home", shillings=2_000)
DAY = date(2026, 11, 26)

# What is in the price list of the plan, and what it then costs a business in Ruiru. KES 2,000 is
# the plan's own price; s: this segment, b: this branch, everyone: all of them, other: another's.
SPECIFIC = """
  in the list                        costs
  -                                  2000
  other=9                            2000
  everyone=1900                      1900
  everyone=1900 b=1800               1800
  everyone=1900 b=1800 s=1700        1700
  everyone=1900 b=1800 s=1700 sb=1600  1600
  sb=1600                            1600
  b=1800 other=9                     1800
"""
FOR = {
    "everyone": ("", ""),
    "s": ("business", ""),
    "b": ("", "ruiru"),
    "sb": ("business", "ruiru"),
    "other": ("residential", "ruiru"),
}


def a_price(
    shillings: int = 1_500,
    *,
    plan_id: str = "home",
    segment: str = "",
    branch_id: str = "",
    from_day: str = "2026-01-01",
    until_day: str | None = None,
) -> Price:
    """A price for everyone, from this year on."""
    return Price(
        plan_id=PlanId(plan_id),
        segment=segment,
        branch_id=branch_id,
        amount=Money(shillings * 100),
        from_day=date.fromisoformat(from_day),
        until_day=None if until_day is None else date.fromisoformat(until_day),
    )


def cost(*prices: Price, day: date = DAY) -> Money:
    return price_on(HOME, prices, segment="business", branch_id="ruiru", day=day)


@pytest.mark.parametrize("row", SPECIFIC.strip().splitlines()[1:])
def test_the_most_specific_price_holds(row: str) -> None:
    *listed, shillings = row.split()
    prices = []
    for each in listed:
        who, _, amount = each.partition("=")
        if amount:
            segment, branch_id = FOR[who]
            prices.append(a_price(int(amount), segment=segment, branch_id=branch_id))

    assert cost(*prices) == cost(*reversed(prices)) == Money(int(shillings) * 100)


@pytest.mark.parametrize(
    ("day", "shillings"),
    [
        ("2026-10-31", 2_000),
        ("2026-11-01", 1_500),
        ("2026-11-30", 1_500),
        ("2026-12-01", 1_700),
        ("2099-01-01", 1_700),
    ],
)
def test_a_price_holds_from_its_first_day_up_to_its_last(day: str, shillings: int) -> None:
    autumn = a_price(1_500, from_day="2026-11-01", until_day="2026-12-01")
    later = a_price(1_700, from_day="2026-12-01")

    on = date.fromisoformat(day)

    assert cost(autumn, later, day=on) == cost(later, autumn, day=on) == Money(shillings * 100)


def test_another_plans_price_is_none_of_this_one() -> None:
    assert cost(a_price(10, plan_id="office")) == HOME.price


days = st.integers(0, 40).map(lambda n: date(2026, 11, 1) + timedelta(days=n))
CALENDAR = [date(2026, 11, 1) + timedelta(days=n) for n in range(60)]
spans = st.tuples(days, st.none() | st.integers(1, 10))


@given(st.lists(spans, max_size=12))
def test_of_those_that_were_taken_no_two_hold_on_one_day(
    wanted: list[tuple[date, int | None]],
) -> None:
    taken: list[Price] = []
    for first, length in wanted:
        until = None if length is None else first + timedelta(days=length)
        new = replace(a_price(), from_day=first, until_day=until)
        if any(holds(old, day) and holds(new, day) for old in taken for day in CALENDAR):
            with pytest.raises(InvalidField, match="from_day"):
                check_prices(taken, new)
        else:
            taken.append(check_prices(taken, new))


def holds(price: Price, day: date) -> bool:
    return price.from_day <= day and (price.until_day is None or day < price.until_day)


@pytest.mark.parametrize(
    "beside",
    [
        a_price(plan_id="office"),
        a_price(segment="business"),
        a_price(branch_id="ruiru"),
        a_price(from_day="2025-01-01", until_day="2026-01-01"),
    ],
)
def test_prices_stand_beside_those_of_another_plan_segment_branch_or_time(beside: Price) -> None:
    new = a_price()

    assert check_prices([beside], new) is new


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (a_price(-1), "amount"),
        (a_price(10_000_001), "amount"),
        (a_price(segment="Big Business"), "segment"),
        (a_price(segment="s" * 17), "segment"),
        (a_price(branch_id="b" * 33), "branch_id"),
        (a_price(from_day="2026-01-02", until_day="2026-01-02"), "until_day"),
        (a_price(from_day="2026-01-02", until_day="2026-01-01"), "until_day"),
        (a_price(from_day="2026-01-02"), "from_day"),
        (a_price(from_day="2025-01-01", until_day="2026-01-02"), "from_day"),
        (replace(a_price(segment="business"), amount=Money(100, "USD")), "currency"),
    ],
)
def test_a_price_that_cannot_be_is_refused(new: Price, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_prices([a_price()], new)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("until_day", "problem"),
    [
        (None, "a price from 2026-01-01 already holds"),
        ("2027-01-01", "a price from 2026-01-01 until 2027-01-01 already holds"),
    ],
)
def test_a_refusal_names_the_price_that_is_in_the_way(until_day: str | None, problem: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_prices([a_price(until_day=until_day)], a_price(from_day="2026-06-01"))

    assert refused.value.problem == problem


@pytest.mark.parametrize("shillings", [0, 10_000_000])
def test_a_price_may_be_nothing_or_ten_million(shillings: int) -> None:
    assert check_prices([], a_price(shillings)).amount == Money(shillings * 100)
