"""Money adds up: no cent appears, and none is lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import CurrencyMismatch, InvalidField
from billing.money import MINOR_MAX, Money, parse_money, split, whole_units

minors = st.integers(-MINOR_MAX, MINOR_MAX)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(sum)


@given(minors, weights)
def test_shares_sum_back_to_the_amount(minor: int, shares: list[int]) -> None:
    assert sum(m.minor for m in split(Money(minor), shares)) == minor


@given(minors, weights)
def test_a_share_is_within_one_minor_unit_of_exact(minor: int, shares: list[int]) -> None:
    exact = [Fraction(minor * w, sum(shares)) for w in shares]

    assert all(
        abs(m.minor - e) < 1 for m, e in zip(split(Money(minor), shares), exact, strict=True)
    )


@given(minors, weights)
def test_who_weighs_nothing_gets_nothing(minor: int, shares: list[int]) -> None:
    parts = split(Money(minor), shares)

    assert all(m.minor == 0 for m, w in zip(parts, shares, strict=True) if w == 0)


@pytest.mark.parametrize(
    ("minor", "shares", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (100, [1, 2], [33, 67]),
        (-100, [1, 1, 1], [-33, -33, -34]),
        (5, [3, 3, 3, 1], [2, 2, 1, 0]),
        (0, [7], [0]),
    ],
)
def test_the_remainder_goes_to_the_largest_fractions(
    minor: int, shares: list[int], parts: list[int]
) -> None:
    assert [m.minor for m in split(Money(minor), shares)] == parts


def test_a_share_keeps_its_currency() -> None:
    assert split(Money(3, "USD"), [1, 2]) == (Money(1, "USD"), Money(2, "USD"))


@pytest.mark.parametrize("shares", [[], [0, 0], [2, -1], [-1]])
def test_weights_that_share_nothing_out_are_refused(shares: list[int]) -> None:
    with pytest.raises(InvalidField, match=r"^weights: "):
        split(Money(100), shares)


@given(minors)
def test_an_amount_is_read_as_it_is_written(minor: int) -> None:
    written = str(Money(minor)).replace("KES ", "")

    assert parse_money(written) == Money(minor)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("5", 500), ("5.00", 500), ("5.5", 550), ("1,250.00", 125_000), (" 7 ", 700), ("-1", -100)],
)
def test_amounts_are_read_in_the_forms_people_write(text: str, minor: int) -> None:
    assert parse_money(text) == Money(minor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "5.",
        "5.123",
        "1e3",
        "\u0665",
        "5.\u0665",
        "--5",
        "KES 5",
        "5 0",
        "0x5",
        "NaN",
        "+5",
        "1.2.3",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_money(text)

    assert refusal.value.field == "amount"


@pytest.mark.parametrize("text", [",", "1,2,3", "5,", ",5", "1,25.00", "12,5"])
def test_a_comma_stands_only_between_thousands(text: str) -> None:
    with pytest.raises(InvalidField, match=r"^amount: "):
        parse_money(text)


def test_an_unknown_currency_is_refused_by_name() -> None:
    with pytest.raises(InvalidField, match=r"^currency: 'XYZ' is not one of KES, USD"):
        parse_money("5", "XYZ")


@pytest.mark.parametrize("minor", [MINOR_MAX + 1, -MINOR_MAX - 1])
def test_an_amount_beyond_any_real_one_is_refused(minor: int) -> None:
    with pytest.raises(InvalidField, match=r"^amount: "):
        Money(minor)


def test_a_number_too_long_to_be_read_is_refused_like_any_other() -> None:
    with pytest.raises(InvalidField, match=r"^amount: "):
        parse_money("9" * 10_000)


@given(st.integers(-(10**14), 10**14), st.integers(-(10**14), 10**14))
def test_taking_away_undoes_adding(a: int, b: int) -> None:
    assert Money(a) + Money(b) - Money(b) == Money(a)


def test_two_currencies_never_meet_in_a_sum() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1) + Money(1, "USD")


def test_two_currencies_never_meet_in_a_difference() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1) - Money(1, "USD")


@pytest.mark.parametrize(
    ("minor", "words"),
    [(150_000, "KES 1,500"), (1_250, "KES 12.50"), (-5, "-KES 0.05"), (0, "KES 0")],
)
def test_cents_are_shown_only_when_there_are_any(minor: int, words: str) -> None:
    assert str(Money(minor)) == words


@pytest.mark.parametrize(("minor", "units"), [(5_000, 50), (5_001, None), (-100, -1)])
def test_mpesa_moves_whole_shillings(minor: int, units: int | None) -> None:
    assert whole_units(Money(minor)) == units
