"""A change in parts: all of it, in the order of keys, none larger than it may be."""

from __future__ import annotations

from controller.edge.parts import parts
from controller.store.items import Change


def a_change(*keys: str, removals: tuple[str, ...] = (), continues: bool = False) -> Change:
    upserts = tuple((key, b"x" * 10) for key in keys)
    return Change(9, 0, upserts, removals, bytes(32), continues)


def told(change: Change, *, held_upto: str = "", bytes_max: int = 24) -> list[str]:
    """Each part on a line: what it says, and up to where."""
    return [
        " ".join(
            [
                "goes on:" if part.continues else "anew:",
                *(key for key, _ in part.upserts),
                *(f"-{key}" for key in part.removals),
                f"| {part.upto_key}",
            ]
        )
        for part in parts(change, held_upto=held_upto, bytes_max=bytes_max)
    ]


def test_a_small_change_is_one_part() -> None:
    assert told(a_change("b", "a")) == ["anew: a b | "]


def test_a_large_change_is_told_in_the_order_of_its_keys() -> None:
    assert told(a_change("e", "d", "c", "b", "a")) == [
        "anew: a b | b",
        "goes on: c d | d",
        "goes on: e | ",
    ]


def test_removals_have_their_place_in_the_order() -> None:
    assert told(a_change("e", "c", "a", removals=("d", "b")), bytes_max=12) == [
        "anew: a -b | b",
        "goes on: c -d | d",
        "goes on: e | ",
    ]


def test_an_item_that_is_larger_than_a_part_is_one() -> None:
    assert told(a_change("a", "b"), bytes_max=5) == ["anew: a | a", "goes on: b | "]


def test_what_amends_the_parts_that_are_held_is_not_cut() -> None:
    change = a_change("a", "b", "c", "x", "y", continues=True)

    assert told(change, held_upto="m") == ["goes on: a b c | m", "goes on: x y | "]


def test_a_change_without_items_is_told_too() -> None:
    assert told(a_change()) == ["anew: | "]
