"""A credit note of an amount gives back each tax and each income its share, to the cent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.crediting import credit_of
from billing.errors import InvalidField
from billing.invoice import Line, LineKind, total
from billing.money import Money
from billing.tax import Rates, TaxClass, taxed
from tests.support.charges import a_line, an_item

KENYAN = Rates(excise_bp=1_500, vat_bp=1_600)


def a_discount(shillings: int, *, of: Line) -> Line:
    return replace(
        of,
        kind=LineKind.DISCOUNT,
        taxed=taxed(Money(-shillings * 100), of.rates, included=True),
    )


def credited(invoice: list[Line], before: list[Line], minor: int | None) -> tuple[Line, ...]:
    amount = None if minor is None else Money(minor)
    return credit_of(invoice, before, amount, text="Credit")


def test_all_of_an_invoice_is_what_stands_on_it() -> None:
    invoice = [a_line(), an_item()]
    lines = credited(invoice, [], None)

    assert [line.taxed for line in lines] == [line.taxed for line in invoice]
    assert {line.text for line in lines} == {"Credit"}


def test_a_discount_is_taken_together_with_what_it_lowered() -> None:
    line = a_line()
    (given_back,) = credited([a_discount(300, of=line), line], [], None)

    assert given_back.taxed.total == Money(1_200_00)
    assert (given_back.account, given_back.kind) == (line.account, LineKind.PLAN)


def test_what_cost_nothing_is_not_credited() -> None:
    line = a_line()
    (given_back,) = credited([line, a_discount(1_500, of=line), an_item()], [], None)

    assert given_back.account == an_item().account


@pytest.mark.parametrize("minor", [0, -1, 1_500_01, 10**15])
def test_nothing_and_too_much_are_refused(minor: int) -> None:
    with pytest.raises(InvalidField) as refusal:
        credited([a_line()], [], minor)

    assert refusal.value.field == "amount"


def test_another_currency_is_refused() -> None:
    with pytest.raises(InvalidField):
        credit_of([a_line()], [], Money(100, "USD"), text="Credit")


def test_nothing_is_left_of_an_invoice_that_was_credited() -> None:
    with pytest.raises(InvalidField):
        credited([a_line()], [a_line()], None)


AMOUNTS = st.integers(1, 3_000_000)


@given(st.lists(AMOUNTS, min_size=1, max_size=4), st.lists(AMOUNTS, max_size=3))
def test_credits_sum_to_their_amounts_and_together_to_the_invoice(
    lines: list[int], wanted: list[int]
) -> None:
    kinds = (TaxClass.INTERNET, TaxClass.STANDARD)
    invoice = [
        replace(a_line(minor=minor, plan_id=f"p{n}"), tax_class=kinds[n % 2])
        for n, minor in enumerate(lines)
    ]
    before: list[Line] = []
    left = sum(lines)
    for most in (*wanted, left):
        minor = min(most, left)
        if minor == 0:
            break
        note = credited(invoice, before, minor)
        assert total(note).total == Money(minor)
        assert min(part for line in note for part in _minors(line)) >= 0
        before += note
        left -= minor

    sums, whole = total(before), total(invoice)
    assert (sums.net, sums.excise, sums.vat) == (whole.net, whole.excise, whole.vat)


def _minors(line: Line) -> tuple[int, ...]:
    return line.taxed.net.minor, line.taxed.excise.minor, line.taxed.vat.minor
