"""A report as CSV, and as a sheet of XLSX: amounts are numbers there, and days are days."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from controller.reports.table import Cell, Kind, harmless, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.reports.table import Report

FORMATS = {Kind.MONEY: "#,##0.00", Kind.DAY: "yyyy-mm-dd", Kind.COUNT: "#,##0"}
WIDTHS = {Kind.TEXT: 24, Kind.DAY: 12, Kind.COUNT: 10, Kind.MONEY: 15}
"""Of columns, in characters."""


def as_csv(report: Report) -> bytes:
    """Headings, rows and sums. The first line says which report it is, and on which basis."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_about(report))
    writer.writerow([column.heading for column in report.columns])
    for row in (*report.rows, *_sums(report)):
        writer.writerow(
            plain(cell, column.kind) for cell, column in zip(row, report.columns, strict=True)
        )
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(report: Report, *, made_at: datetime) -> bytes:
    """The same as a workbook of one sheet."""
    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = made_at.replace(tzinfo=None)
    sheet = book.create_sheet(report.name)
    sheet.freeze_panes = "A3"
    for place, column in enumerate(report.columns):
        sheet.column_dimensions[chr(ord("A") + place)].width = WIDTHS[column.kind]
    sheet.append(_about(report))
    sheet.append([_bold(sheet, column.heading) for column in report.columns])
    for row in (*report.rows, *_sums(report)):
        sheet.append(
            [
                _cell(sheet, cell, column.kind)
                for cell, column in zip(row, report.columns, strict=True)
            ]
        )
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _about(report: Report) -> list[str]:
    days = f"until {report.until}" if report.since is None else f"{report.since} to {report.until}"
    return [report.title, f"{report.basis} basis", days, "KES"]


def _sums(report: Report) -> Sequence[tuple[Cell, ...]]:
    """The last row."""
    if not report.rows:
        return ()
    return (("Total", *report.totals[1:]),)


def _cell(sheet: Any, cell: Cell, kind: Kind) -> Any:
    if cell is None:
        return None
    value: Any = cell
    if kind is Kind.MONEY and isinstance(cell, int):
        value = Decimal(cell).scaleb(-2)
    elif isinstance(cell, str):
        value = harmless(cell)
    written = WriteOnlyCell(sheet, value)
    if kind in FORMATS:
        written.number_format = FORMATS[kind]
    return written


def _bold(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell
