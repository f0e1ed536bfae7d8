"""Small mappings are mappings."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from shaping.one import One, compact, nothing, valued, with_one

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


@given(MAPPINGS, st.integers(0, 4), st.text(max_size=2))
def test_what_is_made_of_a_small_mapping_is_what_is_made_of_a_dictionary(
    one: dict[int, str], key: int, value: str
) -> None:
    small = compact(dict(one))

    assert with_one(small, key, value) == {**one, key: value}
    assert valued(small, lambda key, value: f"{key}{value}") == {
        k: f"{k}{v}" for k, v in one.items()
    }
    assert small == one


def test_one_entry_takes_a_quarter_of_a_dictionary() -> None:
    assert 4 * sys.getsizeof(One("key", "value")) < sys.getsizeof({1: "value"})


def test_nothing_is_one_for_all() -> None:
    assert compact({}) is nothing()
