"""What people type into the forms of the dashboard, as values: speeds, volumes, times, days. PURE.

Nothing is guessed: what cannot be read is refused by the name of its field.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import parse_money
from billing.period import NAIROBI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.money import Money

_DECIMAL = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,3}))?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)

YEARS = range(2000, 2100)
"""Any other year is a slip of the finger."""

UNITS_S = {"minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
"""How long something lasts, by the unit that is chosen beside the number."""


def whole(sent: Mapping[str, str], field: str, *, usual: int | None = None) -> int:
    """A whole number. Raises `InvalidField`."""
    text = sent.get(field, "").replace(",", "")
    if not text and usual is not None:
        return usual
    if not _WHOLE.fullmatch(text):
        raise InvalidField(field, "want a whole number")
    return int(text)


def thousandths(sent: Mapping[str, str], field: str) -> int | None:
    """A number like 2 or 2.5, in thousandths; None for nothing. Raises `InvalidField`."""
    text = sent.get(field, "")
    if not text:
        return None
    written = _DECIMAL.fullmatch(text)
    if written is None:
        raise InvalidField(field, "want a number like 5 or 2.5")
    return int(written[1]) * 1_000 + int((written[2] or "").ljust(3, "0"))


def megabits(sent: Mapping[str, str], field: str) -> int:
    """A speed that is typed in Mb/s, in bits per second. Raises `InvalidField`."""
    found = thousandths(sent, field)
    if found is None:
        raise InvalidField(field, "want a speed in Mb/s")
    return found * 1_000


def gigabytes(sent: Mapping[str, str], field: str) -> int | None:
    """A volume that is typed in GB, in bytes; None for no limit. Raises `InvalidField`."""
    found = thousandths(sent, field)
    return None if found is None else found * 1_000_000


def lasting(sent: Mapping[str, str], field: str) -> int | None:
    """A number and its unit (``<field>_unit``), in seconds; None for no limit."""
    if not sent.get(field):
        return None
    unit = sent.get(f"{field}_unit", "hours")
    if unit not in UNITS_S:
        raise InvalidField(f"{field}_unit", f"want one of {', '.join(UNITS_S)}")
    return whole(sent, field) * UNITS_S[unit]


def money(sent: Mapping[str, str], field: str) -> Money:
    """An amount in shillings. Raises `InvalidField` naming the field."""
    try:
        return parse_money(sent.get(field, ""))
    except InvalidField as refusal:
        raise InvalidField(field, refusal.problem) from refusal


def day(sent: Mapping[str, str], field: str) -> date | None:
    """A day like 2026-11-03; None for nothing. Raises `InvalidField`."""
    text = sent.get(field, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as strange:
        raise InvalidField(field, "want a day like 2026-11-03") from strange
    if found.year not in YEARS:
        raise InvalidField(field, "want a day of this century")
    return found


def hundredths_of_per_cent(sent: Mapping[str, str], field: str) -> int:
    """A share that is typed in per cent, in hundredths of one; nothing is none of it."""
    found = thousandths(sent, field)
    if found is not None and found % 10:
        raise InvalidField(field, "want at most two digits behind the point")
    return 0 if found is None else found // 10


def moment(sent: Mapping[str, str], field: str) -> datetime:
    """A moment in Nairobi like 2026-11-03T22:00. Raises `InvalidField`."""
    try:
        found = datetime.fromisoformat(sent.get(field, ""))
    except ValueError as strange:
        raise InvalidField(field, "want a day and a time") from strange
    if found.year not in YEARS or found.tzinfo is not None:
        raise InvalidField(field, "want a day and a time of this century, in Nairobi")
    return found.replace(tzinfo=NAIROBI)
