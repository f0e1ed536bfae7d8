"""Small mappings are mappings."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from shaping.one import One, compact, nothing

MAPPINGS = st.dictionaries(st.integers(0, 3), st.text(max_size=2), max_size=3)


@given(MAPPINGS, MAPPINGS, st.integers(0, 4))
def test_what_is_compact_answers_as_the_dictionary_does(
    one: dict[int, str], other: dict[int, str], key: int
) -> None:
    small = compact(dict(one))

    assert small == one
    assert one == small
    assert (small == compact(dict(other))) == (one == other)
    assert (small == other) == (one == other)
    assert small.get(key) == one.get(key)
    assert (key in small) == (key in one)
    assert list(small.items()) == list(one.items())
    assert len(small) == len(one)
    assert {**small} == one
    assert small.keys() - {key} == one.keys() - {key}


def test_one_entry_takes_a_quarter_of_a_dictionary() -> None:
    assert 4 * sys.getsizeof(One("key", "value")) < sys.getsizeof({1: "value"})


def test_nothing_is_one_for_all() -> None:
    assert compact({}) is nothing()
