"""Column profiles: what a bank calls the columns of its CSV. PURE.

There is no standard among banks: each has titles, dates and signs of its own. A profile is kept as
JSON text:

    {"columns": {"when": ["Transaction Date"], "text": ["Narrative"], "paid_in": ["Credit"],
                 "paid_out": ["Debit"], "balance": ["Running Balance"]},
     "dates": ["%d/%m/%Y"], "delimiter": ",", "comma": false}
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing import written
from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping

MEANINGS = (
    "when",
    "text",
    "receipt",
    "reference",
    "payer",
    "name",
    "paid_in",
    "paid_out",
    "amount",
    "mark",
    "balance",
)
"""``amount`` is signed, or has ``mark`` (D, DR, Debit; C, CR, Credit) beside it."""

DATES_MAX = 8
TITLES_MAX = 8
TITLE_CHARS_MAX = 60
_NAMES = ("columns", "dates", "delimiter", "comma")
_DELIMITERS = (",", ";", "\t", "|")
_FIELD = "profile"
_SAMPLE = datetime(2026, 11, 23)  # noqa: DTZ001 - only to try a format


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one bank's CSV.

    ``columns`` gives titles for each of `MEANINGS` that the file has, ``dates`` the forms of its
    dates as ``strptime`` knows them; ``comma`` says that cents stand after a comma.
    """

    columns: Mapping[str, tuple[str, ...]]
    dates: tuple[str, ...]
    delimiter: str = ","
    comma: bool = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns without which a line is no header."""
        amounts = ("amount",) if "amount" in self.columns else ("paid_in", "paid_out")
        return ("when", *amounts)


def read_profile(text: str) -> Profile:
    """The profile that JSON text holds. Raises `InvalidField` naming what is wrong."""
    found = written.read(text, _FIELD)
    written.only(found, _NAMES, _FIELD)
    columns = _columns(found)
    dates = written.words(found, "dates", _FIELD)
    if not 1 <= len(dates) <= DATES_MAX or not all(_is_date(form) for form in dates):
        raise InvalidField(f"{_FIELD}.dates", "want dates like %d/%m/%Y or %d-%b-%y")
    delimiter = found.get("delimiter", ",")
    if delimiter not in _DELIMITERS:
        raise InvalidField(f"{_FIELD}.delimiter", "want a comma, a semicolon, a tab or |")
    comma = found.get("comma", False)
    if not isinstance(comma, bool):
        raise InvalidField(f"{_FIELD}.comma", "want true or false")
    return Profile(columns, dates, delimiter, comma)


def profile_text(profile: Profile) -> str:
    """A profile as JSON text, for `read_profile`."""
    return written.written(
        {
            "columns": {meaning: list(titles) for meaning, titles in profile.columns.items()},
            "dates": list(profile.dates),
            "delimiter": profile.delimiter,
            "comma": profile.comma,
        }
    )


def _columns(found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    where = f"{_FIELD}.columns"
    told = written.an_object(found.get("columns"), where)
    written.only(told, MEANINGS, where)
    columns = {meaning: written.words(told, meaning, where) for meaning in told}
    for meaning, titles in columns.items():
        if not 1 <= len(titles) <= TITLES_MAX or not all(_is_title(title) for title in titles):
            raise InvalidField(f"{where}.{meaning}", f"want 1 to {TITLES_MAX} titles of columns")
    if "when" not in columns:
        raise InvalidField(f"{where}.when", "want the title of the column with dates")
    if "amount" not in columns and not {"paid_in", "paid_out"} <= columns.keys():
        raise InvalidField(f"{where}.amount", "want this column, or paid_in and paid_out")
    return columns


def _is_title(text: str) -> bool:
    return any(c.isalnum() for c in text) and len(text) <= TITLE_CHARS_MAX


def _is_date(form: str) -> bool:
    """Whether a form of dates tells the day, the month and the year."""
    try:
        shown = _SAMPLE.strftime(form)
        return datetime.strptime(shown, form).date() == _SAMPLE.date()  # noqa: DTZ007 - no moment
    except ValueError:
        return False
