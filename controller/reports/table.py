"""A report: typed columns, rows, and the sums of those columns that can be summed. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.money import MINOR_PER_MAJOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Cell = str | int | date | None
"""Money is minor units in a column of money."""

CURRENCY = "KES"
FORMULAS_BEGIN = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the beginning of a formula, or drop before they look for one.

The last four are the signs as East Asian keyboards write them, twice as wide.
"""


class Basis(StrEnum):
    """When income counts: when it is invoiced, or when it is paid. One report has one of them."""

    ACCRUAL = "accrual"
    CASH = "cash"


class Name(StrEnum):
    """Which report."""

    REVENUE = "revenue"
    OUTSTANDING = "outstanding"
    AGEING = "ageing"
    TAX = "tax"
    SELLERS = "sellers"


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    DAY = "day"
    COUNT = "count"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for programs, and its heading for people."""

    name: str
    heading: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Report:
    """Rows in the order of the columns. ``totals`` has None where nothing is summed.

    It is about the days from ``since`` up to, and without, ``until``; without ``since`` it is about
    what is so at the moment.
    """

    name: str
    title: str
    basis: Basis
    since: date | None
    until: date
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...]


def summed(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> tuple[Cell, ...]:
    """The sums of the columns of money and of counts."""
    kept = list(rows)
    return tuple(
        sum(_number(row[place]) for row in kept)
        if column.kind in {Kind.MONEY, Kind.COUNT}
        else None
        for place, column in enumerate(columns)
    )


def _number(cell: Cell) -> int:
    assert isinstance(cell, int), "a column of numbers holds something else"
    return cell


def plain(cell: Cell, kind: Kind) -> str:
    """A cell as text for programs: ``1500.00``, ``2026-11-03``; nothing for None."""
    if cell is None:
        return ""
    if kind is Kind.MONEY:
        whole, rest = divmod(abs(_number(cell)), MINOR_PER_MAJOR[CURRENCY])
        return f"{'-' if _number(cell) < 0 else ''}{whole}.{rest:02d}"
    if isinstance(cell, date):
        return cell.isoformat()
    return harmless(cell) if isinstance(cell, str) else str(cell)


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: those that begin like one get an apostrophe."""
    return f"'{text}" if text.startswith(FORMULAS_BEGIN) else text
