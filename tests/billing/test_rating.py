"""Three formulas over tiers, as a price list shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.money import Money
from billing.rating import (
    USED_MAX_BYTES,
    Formula,
    Tariff,
    Tier,
    check_tariff,
    rated,
    read_tariff,
    tariff_text,
)

GB = 10**9

# KES 50 up to 10 GB, 30 up to 50 GB, 20 for all further; of a package those are blocks of 10, 40,
# and again 40 GB.
TIERS = (Tier(10, Money(5_000)), Tier(50, Money(3_000)), Tier(None, Money(2_000)))

OPEN = TIERS[-1]

# What so many bytes cost, in shillings.
TABLE = """
  used           graduated  package  volume
  0              0          0        0
  1              50         50       50
  1000000000     50         50       50
  1000000001     100        50       100
  10000000000    500        50       500
  10000000001    530        80       330
  50000000000    1700       80       1500
  50000000001    1720       100      1020
  90000000000    2500       100      1800
  90000000001    2520       120      1820
"""


def cells() -> list[tuple[Formula, int, int]]:
    (_, *formulas), *rows = (line.split() for line in TABLE.strip().splitlines())
    return [
        (Formula(formula), int(used), int(shillings))
        for used, *costs in rows
        for formula, shillings in zip(formulas, costs, strict=True)
    ]


@pytest.mark.parametrize(("formula", "used", "shillings"), cells())
def test_use_costs_what_the_table_says(formula: Formula, used: int, shillings: int) -> None:
    assert rated(Tariff(formula, GB, TIERS), used) == Money(shillings * 100)


def test_the_table_knows_every_formula() -> None:
    assert {formula for formula, _, _ in cells()} == set(Formula)


@pytest.mark.parametrize("formula", [Formula.GRADUATED, Formula.VOLUME])
def test_one_price_for_all_use_is_a_tariff(formula: Formula) -> None:
    tariff = check_tariff(Tariff(formula, GB, (OPEN,)))

    assert rated(tariff, 3 * GB) == Money(6_000)


def test_a_tariff_may_have_twenty_tiers_and_reach_as_far_as_use_does() -> None:
    last = USED_MAX_BYTES // GB
    tiers = (*(Tier(last - n, Money(1)) for n in range(18, -1, -1)), OPEN)
    tariff = Tariff(Formula.GRADUATED, GB, tiers)

    assert check_tariff(tariff) is tariff
    assert rated(tariff, USED_MAX_BYTES) == Money(last)


@st.composite
def tariffs(draw: st.DrawFn, formulas: tuple[Formula, ...] = tuple(Formula)) -> Tariff:
    """Tariffs that can be."""
    unit_bytes = draw(st.integers(1_000_000, 10**12))
    ends = sorted(draw(st.sets(st.integers(1, 1_000), min_size=1, max_size=6)))
    prices = draw(
        st.lists(
            st.integers(0, unit_bytes).map(Money),
            min_size=len(ends) + 1,
            max_size=len(ends) + 1,
        )
    )
    tiers = tuple(Tier(end, price) for end, price in zip([*ends, None], prices, strict=True))
    return check_tariff(Tariff(draw(st.sampled_from(formulas)), unit_bytes, tiers))


used = st.integers(0, 10**14)


@given(tariffs((Formula.GRADUATED, Formula.PACKAGE)), used, used)
def test_more_use_never_costs_less_by_units_or_blocks(tariff: Tariff, a: int, b: int) -> None:
    assert rated(tariff, min(a, b)) <= rated(tariff, max(a, b))


@given(tariffs((Formula.GRADUATED,)), used)
def test_a_begun_unit_costs_no_more_than_the_dearest_one(tariff: Tariff, at: int) -> None:
    dearest = max(tier.price for tier in tariff.tiers)

    assert rated(tariff, at + tariff.unit_bytes) - rated(tariff, at) <= dearest


def test_with_volume_prices_a_little_more_use_may_cost_less() -> None:
    tariff = Tariff(Formula.VOLUME, GB, TIERS)

    assert rated(tariff, 10 * GB + 1) < rated(tariff, 10 * GB)


@given(tariffs())
def test_no_use_costs_nothing_and_no_tariff_costs_more_than_money_can_hold(
    tariff: Tariff,
) -> None:
    assert rated(tariff, 0) == Money(0)
    assert rated(tariff, USED_MAX_BYTES - USED_MAX_BYTES % tariff.unit_bytes).minor >= 0


@given(tariffs())
def test_a_tariff_is_read_as_it_was_written(tariff: Tariff) -> None:
    assert read_tariff(tariff_text(tariff)) == tariff


@pytest.mark.parametrize("used_bytes", [-1, USED_MAX_BYTES + 1])
def test_use_that_cannot_be_is_refused(used_bytes: int) -> None:
    with pytest.raises(InvalidField, match="used_bytes"):
        rated(Tariff(Formula.VOLUME, GB, TIERS), used_bytes)


@pytest.mark.parametrize(
    ("tariff", "field"),
    [
        (Tariff(Formula.GRADUATED, 0, TIERS), "tariff.unit_bytes"),
        (Tariff(Formula.GRADUATED, -GB, TIERS), "tariff.unit_bytes"),
        (Tariff(Formula.GRADUATED, 10**12 + 1, TIERS), "tariff.unit_bytes"),
        (Tariff(Formula.GRADUATED, GB, ()), "tariff.tiers"),
        (Tariff(Formula.PACKAGE, GB, (OPEN,)), "tariff.tiers"),
        (
            Tariff(Formula.VOLUME, GB, (*(Tier(n, Money(1)) for n in range(1, 21)), OPEN)),
            "tariff.tiers",
        ),
        (Tariff(Formula.VOLUME, GB, (Tier(9, Money(1)), Tier(9, Money(1)), OPEN)), "tariff.tiers"),
        (Tariff(Formula.VOLUME, GB, (Tier(9, Money(1)), Tier(8, Money(1)), OPEN)), "tariff.tiers"),
        (Tariff(Formula.VOLUME, GB, (Tier(0, Money(1)), OPEN)), "tariff.tiers[0].upto_units"),
        (Tariff(Formula.VOLUME, GB, (Tier(-1, Money(1)), OPEN)), "tariff.tiers[0].upto_units"),
        (Tariff(Formula.VOLUME, GB, (Tier(10**9, Money(1)), OPEN)), "tariff.tiers[0].upto_units"),
        (Tariff(Formula.VOLUME, GB, (Tier(9, Money(1)),)), "tariff.tiers[0].upto_units"),
        (Tariff(Formula.VOLUME, GB, (OPEN, OPEN)), "tariff.tiers[0].upto_units"),
        (Tariff(Formula.VOLUME, GB, (Tier(None, Money(-1)),)), "tariff.tiers[0].price"),
        (Tariff(Formula.VOLUME, GB, (Tier(None, Money(GB + 1)),)), "tariff.tiers[0].price"),
        (Tariff(Formula.VOLUME, GB, (Tier(9, Money(1, "USD")), OPEN)), "tariff.tiers[1].price"),
    ],
)
def test_a_tariff_that_cannot_be_is_refused(tariff: Tariff, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_tariff(tariff)

    assert refused.value.field == field


def written(**changes: Any) -> str:
    tariff = {
        "formula": "volume",
        "unit_bytes": GB,
        "tiers": [{"upto_units": None, "price": {"minor": 1, "currency": "KES"}}],
    }
    return json.dumps(tariff | changes)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (written(formula="flat"), "tariff.formula"),
        (written(unit_bytes="1 GB"), "tariff.unit_bytes"),
        (written(unit_bytes=0), "tariff.unit_bytes"),
        (written(colour="red"), "tariff.colour"),
        (written(tiers=[1]), "tariff.tiers[0]"),
        (written(tiers=[{"upto": 1}]), "tariff.tiers[0].upto"),
        (written(tiers=[{"upto_units": None}]), "tariff.tiers[0].price"),
        (written(tiers=[{"price": {"minor": 1, "currency": "EUR"}}]), "currency"),
    ],
)
def test_a_text_that_is_no_tariff_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_tariff(text)

    assert refused.value.field == field
