"""A graph of block characters, for terminals of 80 columns. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLUMNS = 68
"""Columns of the graph itself; beside it stands what its height means."""

ROWS = 8
EIGHTHS = " ▁▂▃▄▅▆▇█"
GAP = "·"
"""Stands at the bottom where nothing was measured."""

_LABEL = 11


def drawn(values: Sequence[int | None], *, shown: Callable[[int], str]) -> list[str]:
    """The lines of a graph of the last `COLUMNS` of ``values``, from the top down.

    The scale begins at zero, or lower where a value does. ``shown`` says a value in words.
    """
    values = values[-COLUMNS:]
    known = [one for one in values if one is not None]
    low, high = min([0, *known]), max([0, *known])
    reach = high - low or 1
    heights = [None if one is None else _height(one - low, reach) for one in values]
    labels = {0: shown(high), ROWS - 1: shown(low)}
    return [
        f"{labels.get(row, ''):>{_LABEL}} {''.join(_cell(one, row) for one in heights)}".rstrip()
        for row in range(ROWS)
    ]


def _height(above: int, reach: int) -> int:
    """In eighths of a row; whatever is above the bottom can be seen."""
    return -(-above * ROWS * 8 // reach)


def _cell(height: int | None, row: int) -> str:
    bottom = row == ROWS - 1
    if height is None:
        return GAP if bottom else " "
    return EIGHTHS[max(int(bottom), min(8, height - (ROWS - 1 - row) * 8))]
