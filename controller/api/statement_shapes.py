"""What goes out and comes in about statement files, reconciliation, and places of money."""

import json
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from billing.money import Money
from billing.period import day_of
from controller.api.needs import PageAsked
from controller.api.shapes import FIRST_AT, LAST_AT, MoneyShape, Words
from controller.store.payment_rows import (
    DifferenceRow,
    ReconciliationRow,
    StatementProfileRow,
    StatementRow,
)
from controller.usecases import reconcile
from controller.usecases.places import Place
from controller.usecases.reconcile import Reconciliation
from controller.usecases.statements import Imported

FILE_CHARS_MAX = 14_000_000
"""Ten million bytes in base64, and some."""

LISTED_MAX = 16

Rail = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,15}$")]
PlaceName = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,32}$")]
Title = Annotated[Words, Field(max_length=60)]


def _of_our_time(day: date) -> date:
    if not FIRST_AT.date() < day < LAST_AT.date():
        raise ValueError("want a day between 2000 and 2099")
    return day


Day = Annotated[date, AfterValidator(_of_our_time)]
"""A day of a business, so far from the ends of the calendar that midnights can be counted on."""


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StatementIn(_In):
    """A statement file: its bytes in base64, and its name.

    ``rail`` and ``place`` are needed where the file does not tell them, and ``profile`` for a
    bank's CSV.
    """

    name: Words
    file: Annotated[str, Field(max_length=FILE_CHARS_MAX, repr=False)]
    rail: Words = ""
    place: Words = ""
    profile: Words = ""


class StatementOut(BaseModel):
    """A statement file that was read; both days are in it."""

    id: str
    rail: str
    place: str
    name: str
    form: str
    first_day: date
    last_day: date
    opening: MoneyShape | None
    closing: MoneyShape | None
    lines: int
    imported_at: datetime

    @classmethod
    def of(cls, row: StatementRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            rail=row.rail,
            place=row.place,
            name=row.name,
            form=row.form,
            first_day=day_of(row.from_at),
            last_day=day_of(row.until_at) - timedelta(days=1),
            opening=_shape(row.opening_minor),
            closing=_shape(row.closing_minor),
            lines=row.lines,
            imported_at=row.imported_at,
        )


class ImportedOut(StatementOut):
    """What became of a file: ``new_lines`` stood in no file before.

    ``is_new`` false: these bytes were read before. ``left``: more of them are being booked.
    """

    new_lines: int
    is_new: bool
    left: bool

    @classmethod
    def imported(cls, done: Imported) -> Self:
        """From what the use case answers."""
        shown = StatementOut.of(done.statement).model_dump()
        return cls(**shown, new_lines=done.new_lines, is_new=done.is_new, left=done.left)


class ProfileIn(_In):
    """How a bank writes its CSV: titles of columns by what they mean, and its forms of dates.

    ``when``, and ``amount`` or ``paid_in`` and ``paid_out``, must be there.
    """

    columns: Annotated[
        dict[Title, Annotated[list[Title], Field(max_length=LISTED_MAX)]],
        Field(max_length=LISTED_MAX),
    ]
    dates: Annotated[list[Title], Field(max_length=LISTED_MAX)]
    delimiter: Annotated[str, Field(max_length=1)] = ","
    comma: bool = False


class ProfileOut(ProfileIn):
    """A profile that was saved."""

    name: str
    changed_at: datetime

    @classmethod
    def of(cls, row: StatementProfileRow) -> Self:
        """From its row."""
        return cls(name=row.name, changed_at=row.changed_at, **json.loads(row.told))


class ReconcileIn(_In):
    """A day (Nairobi's) at one place."""

    rail: Rail
    place: PlaceName
    day: Day


class DifferenceState(StrEnum):
    """How a difference stands; ``gone``: the two sides agree by now."""

    OPEN = reconcile.OPEN
    EXPLAINED = reconcile.EXPLAINED
    GONE = reconcile.GONE


class ReconciliationsAsked(PageAsked):
    """Which days are wanted."""

    rail: Rail | None = None
    place: PlaceName | None = None


class DifferencesAsked(ReconciliationsAsked):
    """Which differences are wanted."""

    state: DifferenceState | None = None
    day: Day | None = None


class ReconciliationOut(BaseModel):
    """What a day came to: by the statement, by our books, and in how much they differ."""

    rail: str
    place: str
    day: date
    told: MoneyShape
    booked: MoneyShape
    differences: int
    at: datetime

    @classmethod
    def of(cls, row: ReconciliationRow) -> Self:
        """From its row."""
        return cls(
            rail=row.rail,
            place=row.place,
            day=row.day,
            told=MoneyShape.of(row.told_minor, "KES"),
            booked=MoneyShape.of(row.booked_minor, "KES"),
            differences=row.differences,
            at=row.at,
        )


class DifferenceOut(BaseModel):
    """What a statement and our books do not agree in; a side that is null does not know it."""

    id: str
    rail: str
    place: str
    day: date
    kind: str
    receipt: str
    told: MoneyShape | None
    booked: MoneyShape | None
    state: DifferenceState
    explanation: str
    found_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: DifferenceRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            rail=row.rail,
            place=row.place,
            day=row.day,
            kind=row.kind,
            receipt=row.receipt,
            told=_shape(row.told_minor),
            booked=_shape(row.booked_minor),
            state=DifferenceState(row.state),
            explanation=row.explanation,
            found_at=row.found_at,
            closed_at=row.closed_at,
        )


class ReconciledOut(BaseModel):
    """A day that was compared just now, with all that differs."""

    rail: str
    place: str
    day: date
    told: MoneyShape
    booked: MoneyShape
    differences: list[DifferenceOut]

    @classmethod
    def of(cls, done: Reconciliation) -> Self:
        """From what the use case answers."""
        return cls(
            rail=done.rail,
            place=done.place,
            day=done.day,
            told=_money(done.told),
            booked=_money(done.booked),
            differences=[DifferenceOut.of(row) for row in done.differences],
        )


class ExplainIn(_In):
    """Why a difference is none to worry about."""

    text: Annotated[str, Field(max_length=reconcile.EXPLANATION_MAX)]


class PlaceOut(BaseModel):
    """A place where money lands: what its provider says it holds (null: not told), and our books.

    ``pulled_until`` is how far missed payments were fetched. ``registered``: the provider tells us
    of money that payers send by themselves; null where there is no such thing.
    """

    rail: str
    place: str
    told: MoneyShape | None
    told_at: datetime | None
    booked: MoneyShape
    pulled_until: datetime | None
    registered: bool | None

    @classmethod
    def of(cls, place: Place) -> Self:
        """From what the use case answers."""
        row = place.row
        return cls(
            rail=row.rail,
            place=row.place,
            told=_shape(row.balance_minor),
            told_at=row.balance_at,
            booked=_money(place.booked),
            pulled_until=row.pulled_until,
            registered=place.is_registered,
        )


def _shape(minor: int | None) -> MoneyShape | None:
    return None if minor is None else MoneyShape.of(minor, "KES")


def _money(amount: Money) -> MoneyShape:
    return MoneyShape.of(amount.minor, amount.currency)
