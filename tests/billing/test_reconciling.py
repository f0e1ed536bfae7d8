"""A statement against our books: what differs, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import CurrencyMismatch
from billing.money import Money
from billing.reconciling import (
    BookedMoney,
    Difference,
    Differs,
    ToldLine,
    Way,
    differences,
    net,
)


def one_difference(told: str, booked: str) -> str:
    """What differs of one receipt, in words; sides are ``in 100 charge 5 …``."""

    def lines(text: str) -> list[tuple[Way, Money]]:
        words = text.split()
        pairs = zip(words[::2], words[1::2], strict=True)
        return [(Way(way), Money(int(minor))) for way, minor in pairs]

    found = differences(
        [ToldLine("ABC", way, amount) for way, amount in lines(told)],
        [BookedMoney("ABC", way, amount) for way, amount in lines(booked)],
    )

    def side(amount: Money | None) -> str:
        return "-" if amount is None else str(amount.minor)

    return ", ".join(f"{d.kind} {side(d.told)} {side(d.booked)}" for d in found)


# told | booked | differences: kind, told, booked
TABLE = """
  in 100                    | in 100                 |
  in 100                    |                        | missing_here 100 -
  out 70                    |                        | missing_here 70 -
                            | in 100                 | missing_there - 100
                            | charge 5               | missing_there - 5
  in 100                    | in 90                  | amount_differs 100 90
  in 100 in 100             | in 100                 | twice_there 200 100
  in 100 in 100             |                        | missing_here 200 -
  in 100 in 50              | in 150                 |
  in 100 in 50              | in 100                 | amount_differs 150 100
  in 100                    | in 100 in 100          | amount_differs 100 200
  charge 5                  |                        | charge_unbooked 5 -
  charge 5 charge -5        |                        |
  charge 5                  | charge 5               |
  reversal 100              |                        | reversal_unbooked 100 -
  in 100 charge 5           | in 100                 | charge_unbooked 5 -
  in 100 reversal 100       | in 100                 | reversal_unbooked 100 -
  in 100 charge 5           | in 90                  | charge_unbooked 5 -, amount_differs 100 90
"""


@pytest.mark.parametrize("row", [r for r in TABLE.splitlines() if r.strip()])
def test_a_receipt_differs_as_the_table_says(row: str) -> None:
    told, booked, wanted = (part.strip() for part in row.split("|"))

    assert one_difference(told, booked) == wanted


def test_receipts_are_the_same_in_either_case() -> None:
    told = [ToldLine(" sgh7k2q0xd ", Way.IN, Money(100))]

    assert differences(told, [BookedMoney("SGH7K2Q0XD", Way.IN, Money(100))]) == ()


def test_differences_come_in_the_order_of_receipts() -> None:
    told = [ToldLine(name, Way.IN, Money(1)) for name in ("C", "A")]
    found = differences(told, [BookedMoney("B", Way.IN, Money(2))])

    assert found == (
        Difference(Differs.MISSING_HERE, "A", Way.IN, Money(1), None),
        Difference(Differs.MISSING_THERE, "B", Way.IN, None, Money(2)),
        Difference(Differs.MISSING_HERE, "C", Way.IN, Money(1), None),
    )


def test_a_line_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        differences([ToldLine("A", Way.IN, Money(1, "USD"))], [])


def test_net_is_what_came_less_all_that_went() -> None:
    lines = [ToldLine("A", way, Money(n)) for n, way in ((100, Way.IN), (30, Way.OUT))]
    lines += [ToldLine("A", way, Money(n)) for n, way in ((5, Way.CHARGE), (20, Way.REVERSAL))]

    assert net(lines) == Money(45)


parts = st.tuples(
    st.sampled_from(["A", "B", "C"]), st.sampled_from(Way), st.integers(1, 3).map(Money)
)
told_lines = st.lists(st.builds(lambda p: ToldLine(*p), parts), max_size=6)
booked_lines = st.lists(st.builds(lambda p: BookedMoney(*p), parts), max_size=6)


@given(told_lines, booked_lines)
def test_both_sides_sum_to_the_same_when_nothing_differs(
    told: list[ToldLine], booked: list[BookedMoney]
) -> None:
    found = differences(told, booked)

    assert found or net(told) == net(booked)


@given(told_lines, booked_lines)
def test_what_differs_is_exactly_how_far_the_sides_are_apart(
    told: list[ToldLine], booked: list[BookedMoney]
) -> None:
    found = differences(told, booked)
    nothing = Money(0)
    there = [ToldLine(d.receipt, d.way, d.told or nothing) for d in found]
    here = [BookedMoney(d.receipt, d.way, d.booked or nothing) for d in found]

    assert net(there) - net(here) == net(told) - net(booked)


@given(told_lines)
def test_a_statement_does_not_differ_from_itself(told: list[ToldLine]) -> None:
    booked = [BookedMoney(line.receipt, line.way, line.amount) for line in told]

    assert differences(told, booked) == ()


@given(told_lines, booked_lines)
def test_a_receipt_differs_in_one_way_only(told: list[ToldLine], booked: list[BookedMoney]) -> None:
    keys = [(d.receipt, d.way) for d in differences(told, booked)]

    assert len(keys) == len(set(keys))
