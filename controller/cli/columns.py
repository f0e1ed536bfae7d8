"""How wide the columns of a table are, so that it fits and no word of it is torn. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 2
"""Blanks behind every column."""


def widths(
    columns: Sequence[Sequence[str]], *, whole: Sequence[bool], room: int
) -> list[int | None]:
    """The width of each column of cells; None where the screen is to fold as it can.

    A column is as wide as its longest cell, or where that is too much, narrower: the widest gives
    first, and none becomes narrower than its longest word. Those that are ``whole`` (names to copy,
    amounts) give nothing.
    """
    wide = [max(map(len, cells), default=0) for cells in columns]
    least = [
        most if kept else max((len(word) for cell in cells for word in cell.split()), default=0)
        for cells, most, kept in zip(columns, wide, whole, strict=True)
    ]
    while sum(wide) + GAP * (len(wide) - 1) > room:
        givers = [at for at, width in enumerate(wide) if width > least[at]]
        if not givers:
            return [most if kept else None for most, kept in zip(wide, whole, strict=True)]
        wide[max(givers, key=wide.__getitem__)] -= 1
    return list(wide)
