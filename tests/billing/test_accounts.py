"""The ledger's accounts by name: reports ask for them by how they begin."""

from __future__ import annotations

import pytest

from billing import accounts
from billing.tax import Tax

NAMES = [
    (accounts.till("mpesa", "600111"), "asset:mpesa:600111"),
    (accounts.till("cash", "main"), "asset:cash:main"),
    (accounts.wallet("5f"), "liability:wallet:5f"),
    (accounts.receivable("5f"), "asset:receivable:5f"),
    (accounts.tax_due(Tax.EXCISE), "liability:tax:excise"),
    (accounts.tax_due(Tax.VAT), "liability:tax:vat"),
    (accounts.plan_income("main", "home-10"), "income:main:plan:home-10"),
    (accounts.other_income("main", "late-fee"), "income:main:late-fee"),
    (accounts.discount("main", "karibu"), "income:main:discount:karibu"),
    (accounts.reward("main", "karibu"), "expense:main:reward:karibu"),
    (accounts.bad_debt("main"), "expense:main:bad-debt"),
    (accounts.adjustment("main"), "expense:main:adjustment"),
    (accounts.commission("main", "wanjiku"), "expense:main:commission:wanjiku"),
    (accounts.withheld_vat(), "asset:tax:withheld-vat"),
]


@pytest.mark.parametrize(("made", "name"), NAMES)
def test_an_account_is_called(made: str, name: str) -> None:
    assert made == name


def test_no_two_accounts_have_one_name() -> None:
    assert len({made for made, _ in NAMES}) == len(NAMES)
