"""Lines sum to the document, and the document to the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.accounts import discount, other_income, plan_income, receivable, tax_due
from billing.errors import CurrencyMismatch, InvalidField
from billing.invoice import (
    DocumentKind,
    Line,
    LineKind,
    credited,
    issued,
    part_of,
    series_of,
    shown_number,
    total,
)
from billing.ledger import balances
from billing.money import Money
from billing.tax import Rates, Tax, TaxClass, Taxed, taxed

if TYPE_CHECKING:
    from billing.ids import AccountName
    from billing.ledger import Posting

SUBSCRIBER = "5" * 32
OWED = receivable(SUBSCRIBER)
INTERNET = Rates(excise_bp=1_500, vat_bp=1_600)
PLAN = plan_income("main", "home-10")
ROUTER = other_income("main", "item:router")
PROMOTION = discount("main", "karibu")


def a_line(
    minor: int = 150_000,
    *,
    account: AccountName = PLAN,
    rates: Rates = INTERNET,
    currency: str = "KES",
) -> Line:
    """A month of a plan for KES 1,500, taxes included."""
    return Line(
        kind=LineKind.PLAN if minor >= 0 else LineKind.DISCOUNT,
        text="Home 10 Mbit/s, November 2026",
        account=account,
        taxed=taxed(Money(minor, currency), rates, included=True),
        tax_class=TaxClass.INTERNET,
        rates=rates,
    )


charges = st.builds(
    a_line,
    st.integers(0, 10**9),
    account=st.sampled_from([PLAN, ROUTER]),
    rates=st.sampled_from([INTERNET, Rates(vat_bp=1_600), Rates()]),
)
discounts = st.builds(a_line, st.integers(-(10**9), 0), account=st.just(PROMOTION))
documents = st.lists(charges | discounts, min_size=1, max_size=8)


def moves(postings: tuple[Posting, ...]) -> list[tuple[str, str, int]]:
    return [(p.source, p.target, p.amount.minor) for p in postings]


def sums(postings: tuple[Posting, ...]) -> dict[str, int]:
    return {account: minor for (account, _), minor in balances(postings).items() if minor}


def test_an_invoice_moves_what_it_says() -> None:
    postings = issued([a_line(), a_line(-15_000, account=PROMOTION)], SUBSCRIBER)

    assert moves(postings) == [
        (PLAN, OWED, 112_443),
        (tax_due(Tax.EXCISE), OWED, 16_867 - 1_687),
        (tax_due(Tax.VAT), OWED, 20_690 - 2_069),
        (OWED, PROMOTION, 11_244),
    ]


def test_lines_of_one_account_are_one_posting() -> None:
    postings = issued([a_line(100, rates=Rates()), a_line(200, rates=Rates())], SUBSCRIBER)

    assert moves(postings) == [(PLAN, OWED, 300)]


def test_a_document_of_nothing_moves_nothing() -> None:
    assert issued([a_line(0)], SUBSCRIBER) == ()


@given(documents)
def test_lines_and_taxes_sum_to_what_is_owed(lines: list[Line]) -> None:
    paid = sum(line.taxed.total.minor for line in lines)

    assert sums(issued(lines, SUBSCRIBER)).get(OWED, 0) == paid


@given(documents)
def test_postings_are_positive_and_each_account_moves_once(lines: list[Line]) -> None:
    postings = issued(lines, SUBSCRIBER)
    others = [p.source if p.target == OWED else p.target for p in postings]

    assert all(p.amount.minor > 0 for p in postings)
    assert len(set(others)) == len(others)


@given(documents)
def test_a_credit_note_of_all_lines_undoes_the_invoice(lines: list[Line]) -> None:
    assert sums(issued(lines, SUBSCRIBER) + credited(lines, SUBSCRIBER)) == {}


@given(st.lists(charges, min_size=1, max_size=8))
def test_the_total_is_the_sum_of_the_lines_part_by_part(lines: list[Line]) -> None:
    found = total(lines)

    assert found.net.minor == sum(line.taxed.net.minor for line in lines)
    assert found.excise.minor == sum(line.taxed.excise.minor for line in lines)
    assert found.vat.minor == sum(line.taxed.vat.minor for line in lines)


def test_a_discount_of_everything_is_a_document_of_nothing() -> None:
    assert total([a_line(), a_line(-150_000, account=PROMOTION)]).total == Money(0)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [a_line(-1, rates=Rates())],
        [a_line(100, rates=Rates()), a_line(-101, account=PROMOTION, rates=Rates())],
        # More tax is taken off than was charged, though the sum is above zero.
        [a_line(10_000, rates=Rates()), a_line(-1_000, account=PROMOTION)],
    ],
)
def test_a_document_of_less_than_nothing_is_refused(lines: list[Line]) -> None:
    with pytest.raises(InvalidField, match="lines"):
        total(lines)


def test_a_document_has_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        total([a_line(), a_line(100, currency="USD")])
    with pytest.raises(CurrencyMismatch):
        issued([a_line(), a_line(100, currency="USD")], SUBSCRIBER)


def test_a_part_of_a_line_is_of_its_account_and_its_rates() -> None:
    part = part_of(a_line(), Taxed(Money(100), Money(15), Money(18)), "15 days not used")

    assert (part.account, part.rates, part.taxed.total) == (PLAN, INTERNET, Money(133))
    assert part.text == "15 days not used"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (DocumentKind.INVOICE, "INV-main-000042"),
        (DocumentKind.CREDIT_NOTE, "CRN-main-000042"),
        (DocumentKind.RECEIPT, "RCT-main-000042"),
    ],
)
def test_a_document_is_called_by_its_series_and_number(kind: DocumentKind, shown: str) -> None:
    assert shown_number(series_of(kind, "main"), 42) == shown
