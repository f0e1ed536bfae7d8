"""A report on paper and in spreadsheets: numbers are numbers, and no text is a formula."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from io import BytesIO, StringIO

import pytest
from openpyxl import load_workbook

from controller.reports.earned import Place, place_of
from controller.reports.table import Basis, Column, Kind, Name, Report, harmless, summed
from controller.reports.written import as_csv, as_xlsx

COLUMNS = (
    Column("who", "Who", Kind.TEXT),
    Column("day", "Day", Kind.DAY),
    Column("many", "Many", Kind.COUNT),
    Column("amount", "Amount", Kind.MONEY),
)
ROWS = (
    ("=cmd|' /C calc'!A0", date(2026, 11, 3), 3, 1_234_567_05),
    ("+254712345678", date(2026, 11, 4), 0, -1),
    ("Wanjikũ", None, 7, 0),
)
MADE_AT = datetime(2026, 11, 26, 9, tzinfo=UTC)


def a_report() -> Report:
    return Report(
        Name.REVENUE,
        "Revenue",
        Basis.CASH,
        date(2026, 11, 1),
        date(2026, 12, 1),
        COLUMNS,
        ROWS,
        summed(COLUMNS, ROWS),
    )


@pytest.mark.parametrize("first", "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
def test_text_that_begins_like_a_formula_is_made_harmless(first: str) -> None:
    assert harmless(f"{first}1+1") == f"'{first}1+1"
    assert harmless(f"1{first}1") == f"1{first}1"


def test_csv_says_its_basis_and_has_plain_numbers() -> None:
    lines = list(csv.reader(StringIO(as_csv(a_report()).decode("utf-8-sig"))))

    assert lines == [
        ["Revenue", "cash basis", "2026-11-01 to 2026-12-01", "KES"],
        ["Who", "Day", "Many", "Amount"],
        ["'=cmd|' /C calc'!A0", "2026-11-03", "3", "1234567.05"],
        ["'+254712345678", "2026-11-04", "0", "-0.01"],
        ["Wanjikũ", "", "7", "0.00"],
        ["Total", "", "10", "1234567.04"],
    ]


def test_xlsx_has_numbers_days_and_no_formula() -> None:
    sheet = load_workbook(BytesIO(as_xlsx(a_report(), made_at=MADE_AT)))["revenue"]
    rows = [list(row) for row in sheet.iter_rows()]

    assert [cell.value for cell in rows[0]] == [
        "Revenue",
        "cash basis",
        "2026-11-01 to 2026-12-01",
        "KES",
    ]
    assert [cell.value for cell in rows[2]] == [
        "'=cmd|' /C calc'!A0",
        datetime(2026, 11, 3),  # noqa: DTZ001 - spreadsheets know no zones
        3,
        1_234_567.05,
    ]
    assert rows[3][3].value == -0.01
    assert rows[5][3].value == 1_234_567.04
    assert {row[3].number_format for row in rows[2:]} == {"#,##0.00"}
    assert rows[2][1].number_format == "yyyy-mm-dd"
    assert "f" not in {cell.data_type for row in rows for cell in row}


def test_accounts_say_their_branch_and_plan() -> None:
    assert place_of("income:town:plan:home-10") == Place("town", "home-10", "home-10")
    assert place_of("income:plan:hours-2") == Place("main", "hours-2", "hours-2")
    assert place_of("income:main:late-fee") == Place("main", "late-fee", "")
    assert place_of("income:main:discount:new") == Place("main", "discount new", "")
