"""Double entry: whatever is posted, all balances sum to zero."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import UnbalancedTransaction
from billing.ids import AccountName, TransactionId
from billing.ledger import Posting, Transaction, balances
from billing.money import Money

TILL = AccountName("asset:mpesa:600111")
WALLET = AccountName("liability:wallet:1")
INCOME = AccountName("income:plan:hour")

pairs = st.permutations([TILL, WALLET, INCOME]).map(lambda names: names[:2])
amounts = st.builds(Money, st.integers(1, 10**15), st.sampled_from(["KES", "USD"]))
postings = st.lists(st.builds(lambda p, a: Posting(p[0], p[1], a), pairs, amounts), max_size=50)


@given(postings)
def test_the_balances_of_a_currency_sum_to_zero(posted: list[Posting]) -> None:
    held = balances(posted)

    assert sum(held.values()) == 0
    assert sum(minor for (_, currency), minor in held.items() if currency == "USD") == 0


@given(postings, postings)
def test_balances_of_parts_add_up_to_the_whole(a: list[Posting], b: list[Posting]) -> None:
    whole, parts = balances([*a, *b]), (balances(a), balances(b))

    assert whole == {key: sum(p.get(key, 0) for p in parts) for key in whole}


def test_a_settled_payment_fills_the_till_and_empties_the_wallet() -> None:
    price = Money(10_00)
    held = balances([Posting(WALLET, TILL, price), Posting(INCOME, WALLET, price)])

    assert held == {(WALLET, "KES"): 0, (TILL, "KES"): 1000, (INCOME, "KES"): -1000}


@pytest.mark.parametrize("minor", [0, -1])
def test_a_posting_moves_a_positive_amount(minor: int) -> None:
    with pytest.raises(UnbalancedTransaction, match="is not positive"):
        Posting(WALLET, TILL, Money(minor))


def test_an_account_cannot_pay_itself() -> None:
    with pytest.raises(UnbalancedTransaction, match="cannot pay itself"):
        Posting(TILL, TILL, Money(1))


def test_a_transaction_has_postings() -> None:
    with pytest.raises(UnbalancedTransaction, match="has no postings"):
        Transaction(TransactionId("payment:1:settled"), datetime.now(UTC), "", ())


def test_a_transaction_keeps_its_postings_in_order() -> None:
    posted = (Posting(WALLET, TILL, Money(1)), Posting(INCOME, WALLET, Money(1)))
    transaction = Transaction(TransactionId("t"), datetime(2026, 3, 2, tzinfo=UTC), "c", posted)

    assert transaction.postings == posted
