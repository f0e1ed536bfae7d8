"""Money is neither made nor lost on the simulated network, whatever is asked of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.sandbox.daraja.book import (
    COLLECTED,
    Book,
    Kind,
    TooLittle,
    TooMuch,
    charge_of,
)
from tests.support.daraja import NOON, PAYER, sim_settings

ASKED = st.lists(
    st.tuples(
        st.sampled_from(["pay", "give back", "pay out", "top up"]),
        st.integers(0, 2),
        st.integers(1, 1_500),
    ),
    max_size=30,
)


def a_book(now: datetime = NOON) -> Book:
    return Book(sim_settings(), now=lambda: now)


def do(book: Book, what: str, *, line: int, shillings: int) -> None:
    msisdn = f"25470000000{line}"
    if what == "pay":
        book.collect(Kind.C2B, book.line(msisdn), shillings, account="A", place="600111")
    elif what == "pay out":
        book.pay_out(msisdn, shillings)
    elif what == "top up":
        book.top_up(msisdn, shillings)
    else:
        mine = [s for s in book.settled if s.kind in COLLECTED]
        chosen = mine[shillings % len(mine)] if mine else None
        if chosen is not None and not book.is_given_back(chosen.receipt):
            book.give_back(chosen)


@given(ASKED)
def test_what_left_the_lines_is_what_stands_settled(asked: list[tuple[str, int, int]]) -> None:
    book = a_book()
    for what, line, shillings in asked:
        try:
            do(book, what, line=line, shillings=shillings)
        except (TooLittle, TooMuch):
            continue
    left = sum(one.opening + one.topped_up - one.shillings for one in book.lines.values())
    moved = sum(s.shillings for s in book.settled if s.kind is not Kind.CHARGE)
    charged = sum(s.shillings for s in book.settled if s.kind is Kind.CHARGE)

    assert left == moved
    assert book.balance == sim_settings().merchant_shillings + moved + charged
    assert all(one.shillings >= 0 for one in book.lines.values())


@given(ASKED)
def test_a_receipt_stands_once_but_for_its_charge(asked: list[tuple[str, int, int]]) -> None:
    book = a_book()
    for what, line, shillings in asked:
        try:
            do(book, what, line=line, shillings=shillings)
        except (TooLittle, TooMuch):
            continue
    receipts = [s.receipt for s in book.settled if s.kind is not Kind.CHARGE]

    assert len(set(receipts)) == len(receipts)


@pytest.mark.parametrize(
    ("moment", "begin"),
    [
        (datetime(2026, 7, 14, 20, 59, tzinfo=UTC), "UGE"),
        (datetime(2026, 7, 14, 21, 0, tzinfo=UTC), "UGF"),
        (datetime(2026, 12, 31, 21, 0, tzinfo=UTC), "VA1"),
    ],
)
def test_a_receipt_begins_with_its_day_in_nairobi(moment: datetime, begin: str) -> None:
    receipt = a_book(moment).new_receipt()

    assert re.fullmatch(begin + "[0-9][A-Z0-9]{6}", receipt)


@pytest.mark.parametrize(
    ("shillings", "charge"), [(1, 0), (90, 0), (91, 1), (1_000, 6), (250_000, 1_375)]
)
def test_a_charge_is_rounded_half_up(shillings: int, charge: int) -> None:
    assert charge_of(shillings, 55) == charge


def test_a_payout_that_does_not_fit_moves_nothing() -> None:
    book = a_book()
    book.top_up(PAYER, 1)
    book.line(PAYER).shillings = 499_999

    with pytest.raises(TooMuch):
        book.pay_out(PAYER, 2)

    assert book.settled == []
