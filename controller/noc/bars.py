"""Bars of a report as the server draws them: places and sizes of an SVG. PURE.

Upright for days and months, in their order; lying for everything else, the longest first, but what
is owed by its age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.reports.table import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.reports.table import Cell, Report

WIDTH, UPRIGHT_HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 24, 28
UPRIGHT_MAX = 62
"""More days than this make no bars that anybody can tell apart."""

LYING_MAX = 12
LYING_STEP, LYING_BAR = 26, 14
LABEL_WIDTH, FIGURE_WIDTH = 180, 150
LABELS_MAX = 7
LABEL_CHARS_MAX = 16


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, its label and its amount; ``label`` is empty where there is no room for one."""

    x: int
    y: int
    width: int
    height: int
    below: bool
    label: str
    label_x: int
    label_y: int
    minor: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a report, or of a part of it."""

    width: int
    height: int
    upright: bool
    line_y: int
    bars: tuple[Bar, ...]
    most_minor: int


def chart(report: Report) -> Chart | None:
    """The bars of a report's last column of money by its first column; None for nothing to draw.

    What is owed is drawn by its age: nobody's name, and no account, stands on a picture.
    """
    money = [n for n, column in enumerate(report.columns) if column.kind is Kind.MONEY]
    if not report.rows or not money:
        return None
    if report.name in {Name.OUTSTANDING, Name.AGEING}:
        aged = [(report.columns[n].heading, _minor(report.totals[n])) for n in money[:-1]]
        return _lying(aged) if any(minor for _, minor in aged) else None
    sums: dict[str, int] = {}
    for row in report.rows:
        sums[str(row[0])] = sums.get(str(row[0]), 0) + _minor(row[money[-1]])
    upright = report.columns[0].name in {"day", "month"}
    if not any(sums.values()) or (upright and len(sums) > UPRIGHT_MAX):
        return None
    return _upright(sums) if upright else _lying(_longest(sums))


def _minor(cell: Cell) -> int:
    assert isinstance(cell, int), "a column of money holds something else"
    return cell


def _longest(sums: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))[:LYING_MAX]


def _upright(sums: dict[str, int]) -> Chart:
    items = sorted(sums.items())
    most, least = max(0, *sums.values()), min(0, *sums.values())
    room = UPRIGHT_HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT - RIGHT) // max(len(items), 7)
    line_y = TOP + room * most // (most - least)
    every = -(-len(items) // LABELS_MAX)
    bars = []
    for n, (label, minor) in enumerate(items):
        height = max(1 if minor else 0, room * abs(minor) // (most - least))
        bars.append(
            Bar(
                x=LEFT + n * step + step // 8,
                y=line_y if minor < 0 else line_y - height,
                width=max(2, step * 3 // 4),
                height=height,
                below=minor < 0,
                label=_short(label) if n % every == 0 else "",
                label_x=LEFT + n * step + step // 2,
                label_y=UPRIGHT_HEIGHT - 8,
                minor=minor,
            )
        )
    return Chart(
        width=WIDTH,
        height=UPRIGHT_HEIGHT,
        upright=True,
        line_y=line_y,
        bars=tuple(bars),
        most_minor=most,
    )


def _short(label: str) -> str:
    """A day without its year; a month as it is."""
    return label[5:] if len(label) > len("2026-11") else label


def _lying(items: Sequence[tuple[str, int]]) -> Chart:
    most = max(abs(minor) for _, minor in items)
    room = WIDTH - LABEL_WIDTH - FIGURE_WIDTH
    bars = tuple(
        Bar(
            x=LABEL_WIDTH,
            y=6 + n * LYING_STEP,
            width=max(2 if minor else 0, room * abs(minor) // most),
            height=LYING_BAR,
            below=minor < 0,
            label=label if len(label) <= LABEL_CHARS_MAX else f"{label[: LABEL_CHARS_MAX - 1]}…",
            label_x=LABEL_WIDTH - 8,
            label_y=6 + n * LYING_STEP + LYING_BAR - 3,
            minor=minor,
        )
        for n, (label, minor) in enumerate(items)
    )
    height = 12 + len(items) * LYING_STEP
    return Chart(width=WIDTH, height=height, upright=False, line_y=0, bars=bars, most_minor=most)
