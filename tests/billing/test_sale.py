"""A sale that is paid at once, as postings."""

from __future__ import annotations

from billing.ids import AccountName
from billing.ledger import Posting
from billing.money import Money
from billing.sale import sold
from billing.tax import Rates, taxed

INCOME, PURSE = AccountName("income:main:plan:day"), AccountName("liability:wallet:s")


def test_a_sale_is_income_and_the_taxes_due_on_it() -> None:
    parts = taxed(Money(150_000), Rates(1_500, 1_600), included=True)

    assert sold(parts, income=INCOME, paid_from=PURSE) == (
        Posting(INCOME, PURSE, Money(112_443)),
        Posting(AccountName("liability:tax:excise"), PURSE, Money(16_867)),
        Posting(AccountName("liability:tax:vat"), PURSE, Money(20_690)),
    )


def test_taxes_that_are_not_charged_are_not_posted() -> None:
    parts = taxed(Money(1_000), Rates(), included=True)

    assert sold(parts, income=INCOME, paid_from=PURSE) == (Posting(INCOME, PURSE, Money(1_000)),)


def test_what_costs_nothing_moves_nothing() -> None:
    assert sold(taxed(Money(0), Rates(), included=True), income=INCOME, paid_from=PURSE) == ()
