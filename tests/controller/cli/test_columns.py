"""Columns share what room there is; words, names and amounts stay in one piece."""

from __future__ import annotations

import pytest

from controller.cli.columns import widths

NAME = ["NAME", "Wanjiku wa Kamau"]
AMOUNT = ["TOTAL", "KES 2,999.50"]
PHONE = ["PHONE", "254712345678"]


@pytest.mark.parametrize(
    ("columns", "whole", "room", "found"),
    [
        ([NAME, AMOUNT], [False, True], 80, [16, 12]),
        ([NAME, AMOUNT], [False, True], 24, [10, 12]),
        ([NAME, AMOUNT], [False, True], 21, [7, 12]),
        ([NAME, AMOUNT], [False, True], 20, [None, 12]),
        ([PHONE, NAME], [False, False], 23, [12, 9]),
        ([[]], [False], 80, [0]),
    ],
)
def test_who_is_widest_gives_first_and_no_word_is_torn(
    columns: list[list[str]], whole: list[bool], room: int, found: list[int | None]
) -> None:
    assert widths(columns, whole=whole, room=room) == found
