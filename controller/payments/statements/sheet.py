"""CSV text as rows under a header, among preambles, repeated headers and totals. PURE."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.payments.statements.statement import LINES_MAX, StatementUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HEADER_ROWS_MAX = 60
CELL_MAX = 2_000
_EXCEL_TEXT = re.compile(r'="?(.*?)"?')


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: its line in the file, and its cells by what they mean; "" for what it lacks."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, meaning: str) -> str:
        return self.cells.get(meaning, "")


@dataclass(frozen=True, slots=True)
class Sheet:
    """``preamble`` is what stood above the header."""

    preamble: tuple[tuple[str, ...], ...]
    rows: tuple[SheetRow, ...]


def read_sheet(
    text: str, columns: Mapping[str, Sequence[str]], wanted: Sequence[str], *, delimiter: str = ","
) -> Sheet:
    """The rows under the first line that has all ``wanted`` columns.

    ``columns`` gives for each meaning the titles that it may have; capitals and signs in titles do
    not matter. Raises `StatementUnreadable`.
    """
    above: list[tuple[str, ...]] = []
    at: dict[str, int] = {}
    header: list[str] = []
    found: list[SheetRow] = []
    for line, cells in _cells(text, delimiter):
        if not at:
            here = _positions(cells, columns)
            if all(meaning in here for meaning in wanted):
                at, header = here, cells
                continue
        if at and cells != header:  # it comes again where a file was written twice into one
            found.append(SheetRow(line, {m: cells[n] for m, n in at.items() if n < len(cells)}))
        elif not at and len(above) < HEADER_ROWS_MAX:
            above.append(tuple(cells))
        if len(found) > LINES_MAX:
            raise StatementUnreadable("lines", f"want at most {LINES_MAX:,}", line=line)
    if not at:
        titles = ", ".join(columns[meaning][0] for meaning in wanted)
        raise StatementUnreadable("header", f"want a line with the columns {titles}")
    return Sheet(tuple(above), tuple(found))


def title_key(title: str) -> str:
    """A title as it is compared: ``Receipt No.`` is ``receiptno``."""
    return "".join(c for c in title.lower() if c.isalnum())


def _positions(cells: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    titles = [title_key(cell) for cell in cells]
    found = {}
    for meaning, names in columns.items():
        keys = [title_key(name) for name in names]
        place = next((titles.index(key) for key in keys if key in titles), None)
        if place is not None:
            found[meaning] = place
    return found


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of the line on which it ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            cells = [_plain(cell) for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error:
        raise StatementUnreadable("line", "is not CSV", line=reader.line_num) from None


def _plain(cell: str) -> str:
    """A cell without what spreadsheets put around text that looks like a number."""
    shown = cell[:CELL_MAX].strip()
    if shown.startswith("="):
        found = _EXCEL_TEXT.fullmatch(shown)
        shown = found[1] if found else shown
    return shown
