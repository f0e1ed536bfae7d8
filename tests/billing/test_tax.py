"""Excise, then VAT: to the cent, in either direction."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.money import Money
from billing.tax import KENYA, WHOLE, Rate, Rates, Tax, TaxClass, Taxed, rate_on, rates_for, taxed

TODAY = date(2026, 11, 26)
INTERNET = Rates(excise_bp=1_500, vat_bp=1_600)
minors = st.integers(-(10**12), 10**12)
some_rates = st.builds(Rates, st.integers(0, WHOLE), st.integers(0, WHOLE))

# In cents. "in": taxes are in the price; "on": they come on top.
EXAMPLES = """
  price   taxes  class      net     excise  vat
  150000  in     internet   112443  16867   20690
  100000  on     internet   100000  15000   18400
  133400  in     internet   100000  15000   18400
  1000    in     internet   750     112     138
  150000  in     standard   129310  0       20690
  100000  on     standard   100000  0       16000
  150000  in     zero       150000  0       0
  150000  on     exempt     150000  0       0
  1       in     internet   1       0       0
  1       on     internet   1       0       0
  0       in     internet   0       0       0
"""

# What is charged on internet service, in hundredths of a per cent.
HISTORY = """
  day         excise  vat
  2013-09-01  0       0
  2013-09-02  0       1600
  2018-09-20  0       1600
  2018-09-21  1500    1600
  2020-03-31  1500    1600
  2020-04-01  1500    1400
  2020-12-31  1500    1400
  2021-01-01  1500    1600
  2021-06-30  1500    1600
  2021-07-01  2000    1600
  2023-06-30  2000    1600
  2023-07-01  1500    1600
  2026-11-26  1500    1600
"""

# Which taxes are charged, by what is sold and what the operator is registered for.
CHARGED = """
  class     both        vat   excise  neither
  internet  excise+vat  vat   excise  -
  standard  vat         vat   -       -
  zero      -           -     -       -
  exempt    -           -     -       -
"""


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()][1:]


@pytest.mark.parametrize("row", rows(EXAMPLES), ids=" ".join)
def test_a_price_has_these_parts(row: list[str]) -> None:
    price, taxes, tax_class, *parts = row
    rates = rates_for(KENYA, TaxClass(tax_class), TODAY, vat=True, excise=True)
    found = taxed(Money(int(price)), rates, included=taxes == "in")

    assert [str(part.minor) for part in (found.net, found.excise, found.vat)] == parts


@pytest.mark.parametrize("row", rows(HISTORY), ids=" ".join)
def test_the_rate_is_that_of_the_day_of_supply(row: list[str]) -> None:
    day, excise, vat = row
    found = rates_for(KENYA, TaxClass.INTERNET, date.fromisoformat(day), vat=True, excise=True)

    assert (found.excise_bp, found.vat_bp) == (int(excise), int(vat))


@pytest.mark.parametrize("row", rows(CHARGED), ids=" ".join)
def test_a_tax_is_charged_by_those_who_are_registered_for_it(row: list[str]) -> None:
    tax_class, *charged = row
    registered = ((True, True), (True, False), (False, True), (False, False))
    found = [
        rates_for(iter(KENYA), TaxClass(tax_class), TODAY, vat=vat, excise=excise)
        for vat, excise in registered
    ]

    assert [
        "+".join(tax for tax, bp in (("excise", r.excise_bp), ("vat", r.vat_bp)) if bp) or "-"
        for r in found
    ] == charged


def test_a_later_rate_counts_in_whatever_order_they_are_kept() -> None:
    assert rate_on(reversed(KENYA), Tax.VAT, TODAY) == rate_on(KENYA, Tax.VAT, TODAY) == 1_600


@given(minors, some_rates)
def test_the_parts_of_a_price_with_taxes_sum_to_it(minor: int, rates: Rates) -> None:
    assert taxed(Money(minor), rates, included=True).total == Money(minor)


@given(minors, some_rates)
def test_a_price_without_taxes_is_the_net(minor: int, rates: Rates) -> None:
    assert taxed(Money(minor), rates, included=False).net == Money(minor)


@given(minors, some_rates, st.booleans())
def test_a_discount_mirrors_a_charge(minor: int, rates: Rates, included: bool) -> None:  # noqa: FBT001 - drawn
    charge = taxed(Money(minor), rates, included=included)
    discount = taxed(Money(-minor), rates, included=included)

    assert (discount.net + charge.net, discount.excise + charge.excise) == (Money(0), Money(0))
    assert discount.vat + charge.vat == Money(0)


@given(st.integers(0, 10**12), some_rates, st.booleans())
def test_no_part_is_of_another_sign_than_the_price(
    minor: int,
    rates: Rates,
    included: bool,  # noqa: FBT001 - drawn
) -> None:
    found = taxed(Money(minor), rates, included=included)

    assert min(found.net.minor, found.excise.minor, found.vat.minor) >= 0


@given(st.integers(0, 10**12))
def test_taking_taxes_out_undoes_putting_them_on_to_the_cent(minor: int) -> None:
    on_top = taxed(Money(minor), INTERNET, included=False)
    back = taxed(on_top.total, INTERNET, included=True)

    assert (
        max(abs(a.minor - b.minor) for a, b in zip(_parts(on_top), _parts(back), strict=True)) <= 1
    )


def _parts(found: Taxed) -> tuple[Money, Money, Money]:
    return found.net, found.excise, found.vat


@given(st.integers(0, 10**9), some_rates)
def test_a_tax_is_rounded_half_up(minor: int, rates: Rates) -> None:
    found = taxed(Money(minor), rates, included=False)

    assert found.excise.minor == (2 * minor * rates.excise_bp + WHOLE) // (2 * WHOLE)
    value = minor + found.excise.minor
    assert found.vat.minor == (2 * value * rates.vat_bp + WHOLE) // (2 * WHOLE)


@pytest.mark.parametrize("basis_points", [-1, WHOLE + 1])
def test_a_rate_is_a_share(basis_points: int) -> None:
    with pytest.raises(InvalidField, match="basis_points"):
        Rate(Tax.VAT, TODAY, basis_points)
