"""Terms as JSON text: what is not what it should be is named."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import written
from billing.errors import InvalidField
from billing.money import MINOR_MAX, Money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[Mapping[str, Any], str, str], object]


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def a_colour(found: Mapping[str, Any], name: str, field: str) -> Colour:
    return written.one_of(Colour, found, name, field)


@pytest.mark.parametrize(
    ("reader", "value", "meaning"),
    [
        (written.an_int, 5, 5),
        (written.maybe_int, None, None),
        (written.maybe_int, 0, 0),
        (written.a_word, "", ""),
        (written.a_list, [1], [1]),
        (written.words, ["a", "b"], ("a", "b")),
        (a_colour, "red", Colour.RED),
        (written.some_money, {"minor": 5, "currency": "USD"}, Money(5, "USD")),
        (written.maybe_money, {"minor": 0, "currency": "KES"}, Money(0)),
        (written.maybe_money, None, None),
        (written.maybe_instant, None, None),
        (
            written.maybe_instant,
            "2026-12-01T00:00:00+03:00",
            datetime(2026, 11, 30, 21, tzinfo=UTC),
        ),
    ],
)
def test_a_value_is_read(reader: Reader, value: object, meaning: object) -> None:
    assert reader({"x": value}, "x", "terms") == meaning


def test_an_instant_is_read_in_utc() -> None:
    found = written.maybe_instant({"x": "2026-12-01T00:00:00+03:00"}, "x", "terms")

    assert found is not None
    assert found.tzinfo is UTC


def test_a_list_that_is_not_there_is_empty() -> None:
    assert written.a_list({}, "x", "terms") == []


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (written.an_int, None),
        (written.an_int, True),
        (written.an_int, "5"),
        (written.an_int, 5.0),
        (written.maybe_int, False),
        (written.a_word, None),
        (written.a_word, 5),
        (written.a_list, {}),
        (written.a_list, None),
        (written.words, [1]),
        (written.words, "ab"),
        (a_colour, "blue"),
        (a_colour, "RED"),
        (written.some_money, None),
        (written.some_money, 5),
        (written.maybe_money, [5, "KES"]),
        (written.maybe_instant, 5),
        (written.maybe_instant, ""),
        (written.maybe_instant, "tomorrow"),
        (written.maybe_instant, "2026-12-01"),
        (written.maybe_instant, "2026-12-01T00:00:00"),
        (written.maybe_instant, "0001-01-01T00:00:00+03:00"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_name(reader: Reader, value: object) -> None:
    with pytest.raises(InvalidField) as refused:
        reader({"x": value}, "x", "terms")

    assert refused.value.field == "terms.x"


@pytest.mark.parametrize(
    ("amount", "field"),
    [
        ({"minor": 5}, "terms.x.currency"),
        ({"currency": "KES"}, "terms.x.minor"),
        ({"minor": 5, "currency": "KES", "major": 1}, "terms.x.major"),
        ({"minor": 5, "currency": "EUR"}, "currency"),
        ({"minor": MINOR_MAX + 1, "currency": "KES"}, "amount"),
    ],
)
def test_an_amount_is_of_a_known_currency_and_no_more_than_money(
    amount: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        written.some_money({"x": amount}, "x", "terms")

    assert refused.value.field == field


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"x"', "5", "[" * 10_000, " " * 20_001, "1" * 5_000]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        written.read(text, "terms")

    assert refused.value.field == "terms"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = written.read(text, "terms")
    except InvalidField:
        found = {}

    assert isinstance(found, dict)


def test_the_same_values_are_the_same_text() -> None:
    assert written.written({"b": 1, "a": [2]}) == written.written({"a": [2], "b": 1})
