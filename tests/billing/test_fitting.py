"""What odd money buys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.fitting import OddAmounts, fit

OFFERED = (("day", 5_000), ("five", 500), ("free", 0), ("ten", 1_000), ("ten-b", 1_000))


@pytest.mark.parametrize(
    ("held", "rule", "bought"),
    [
        (2_000, OddAmounts.BEST_PLAN, "hour"),
        (9_900, OddAmounts.BEST_PLAN, "hour"),
        (2_000, OddAmounts.WALLET, "hour"),
        (1_999, OddAmounts.WALLET, None),
        (1_999, OddAmounts.BEST_PLAN, "ten"),
        (999, OddAmounts.BEST_PLAN, "five"),
        (499, OddAmounts.BEST_PLAN, None),
        (0, OddAmounts.BEST_PLAN, None),
        (-1, OddAmounts.BEST_PLAN, None),
    ],
)
def test_it_buys_what_was_wanted_or_the_best_that_it_pays(
    held: int, rule: OddAmounts, bought: str | None
) -> None:
    assert fit(held, wanted=("hour", 2_000), offered=OFFERED, rule=rule) == bought


@given(
    st.integers(-10, 10_000),
    st.integers(1, 10_000),
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), st.integers(0, 10_000)), max_size=8),
    st.sampled_from(OddAmounts),
)
def test_it_never_costs_more_than_there_is_or_than_was_wanted(
    held: int, price: int, offered: list[tuple[str, int]], rule: OddAmounts
) -> None:
    bought = fit(held, wanted=("wanted", price), offered=offered, rule=rule)
    costs = [cost for name, cost in [*offered, ("wanted", price)] if name == bought]

    assert bought is None or any(0 < cost <= min(held, price) for cost in costs)
