"""Reports, statements and sales of vouchers as JSON. Money is text with two decimals."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from controller.api.shapes import MoneyShape, Words
from controller.reports.earned import By
from controller.reports.table import CURRENCY, Basis, Cell, Kind, Report, plain
from controller.store.billing_rows import VoucherSaleRow
from controller.usecases.vouchers import BATCH_MAX

BranchKey = Annotated[str, StringConstraints(pattern="^[a-z0-9-]{1,32}$")]

Value = str | int | None


class Format(StrEnum):
    """In which form a report is wanted."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class StatementFormat(StrEnum):
    """In which form a statement is wanted."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"
    HTML = "html"


class DaysAsked(BaseModel):
    """The days from ``from`` up to, and without, ``until``; usually this month until today."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[date | None, Field(alias="from")] = None
    until: date | None = None


class ReportAsked(DaysAsked):
    """What a report is about. ``by`` is what tells revenue apart."""

    basis: Basis = Basis.ACCRUAL
    branch: Annotated[str, Field(pattern="^([a-z0-9-]{1,32})?$")] = ""
    by: Annotated[list[By], Field(min_length=1, max_length=5)] = [By.DAY]
    format: Format = Format.JSON


class StatementAsked(DaysAsked):
    """Which days of an account are wanted."""

    format: StatementFormat = StatementFormat.JSON


class ColumnOut(BaseModel):
    """A column: its name in ``data``, its heading for people, and what it holds."""

    name: str
    heading: str
    kind: Kind


class ReportOut(BaseModel):
    """A report. ``from`` is null where it is about what is so now. It is on one basis only."""

    name: str
    title: str
    basis: Basis
    since: Annotated[date | None, Field(serialization_alias="from")]
    until: date
    currency: str
    columns: list[ColumnOut]
    data: list[dict[str, Value]]
    totals: dict[str, Value]

    @classmethod
    def of(cls, report: Report) -> Self:
        """From a report."""
        return cls(
            name=report.name,
            title=report.title,
            basis=report.basis,
            since=report.since,
            until=report.until,
            currency=CURRENCY,
            columns=[
                ColumnOut(name=one.name, heading=one.heading, kind=one.kind)
                for one in report.columns
            ],
            data=[_line(report, row) for row in report.rows],
            totals=_line(report, report.totals),
        )


def _line(report: Report, row: tuple[Cell, ...]) -> dict[str, Value]:
    return {
        column.name: _value(cell, column.kind)
        for column, cell in zip(report.columns, row, strict=True)
    }


def _value(cell: Cell, kind: Kind) -> Value:
    """Money and days as text; a text as it is: JSON has no formulas."""
    if isinstance(cell, str) or cell is None:
        return cell
    return cell if kind is Kind.COUNT and isinstance(cell, int) else plain(cell, kind)


class SheetIn(BaseModel):
    """The codes of a batch, as they were shown when it was made; ``branch`` says whose phone."""

    model_config = ConfigDict(extra="forbid")

    batch: Words
    codes: Annotated[
        list[Annotated[str, Field(max_length=20)]], Field(min_length=1, max_length=BATCH_MAX)
    ]
    branch: BranchKey = "main"


class SaleIn(BaseModel):
    """Vouchers that a seller takes and pays for, less his commission (hundredths of a per cent).

    ``id`` is made by who asks (32 hexadecimal digits); the same again changes nothing. A commission
    wants ``book_money`` too; ``rail`` is ``cash``, ``mpesa`` or ``bank``.
    """

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    batch: Words
    count: StrictInt
    seller: Words
    branch: BranchKey = "main"
    commission_bp: StrictInt = 0
    rail: Words = "cash"
    place: Words = ""


class SaleOut(BaseModel):
    """A sale of vouchers: their price with taxes, and what the seller kept of it."""

    id: str
    batch: str
    seller: str
    branch: str
    count: int
    amount: MoneyShape
    commission: MoneyShape
    at: datetime

    @classmethod
    def of(cls, row: VoucherSaleRow) -> Self:
        """From a row."""
        return cls(
            id=row.id,
            batch=row.batch,
            seller=row.seller,
            branch=row.branch_id,
            count=row.count,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            commission=MoneyShape.of(row.commission_minor, row.currency),
            at=row.at,
        )
