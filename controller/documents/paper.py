"""What stands on a paper, whatever it is drawn with. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.money import MINOR_PER_MAJOR
from billing.period import NAIROBI, day_of, midnight

if TYPE_CHECKING:
    from datetime import date

COLOUR_USUAL = "#0b6e4f"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Look:
    """How the papers of an operator look: a colour, and perhaps a PNG."""

    colour: str = COLOUR_USUAL
    logo: bytes | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; a heading that starts with ``>`` aligns to the right.

    The heading that starts with ``*`` takes the room that the others leave, and its text is folded.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A document. ``seller`` and ``buyer`` begin with the name; ``facts`` and ``totals`` are pairs.

    The last of ``totals`` is the one that counts. ``verify`` is an address that shows the same
    document to whoever holds the paper; empty for papers without one. ``made_at`` is when it was
    issued: nothing that is drawn depends on another time.
    """

    title: str
    number: str
    made_at: datetime
    seller: tuple[str, ...]
    buyer: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    lines: Table
    totals: tuple[tuple[str, str], ...]
    classes: Table | None = None
    notes: tuple[str, ...] = ()
    verify: str = ""
    look: Look = Look()


def colour_of(look: Look) -> str:
    """The colour, where it is one."""
    return look.colour if _COLOUR.fullmatch(look.colour) else COLOUR_USUAL


def amount(minor: int, currency: str = "KES") -> str:
    """``1,500.00``; the currency stands in the heading."""
    whole, rest = divmod(abs(minor), MINOR_PER_MAJOR[currency])
    return f"{'-' if minor < 0 else ''}{whole:,}.{rest:02d}"


def day(at: datetime | date) -> str:
    """``3 Nov 2026``, in Nairobi."""
    shown = at.astimezone(NAIROBI) if isinstance(at, datetime) else at
    return f"{shown.day} {shown:%b %Y}"


def moment(at: datetime) -> str:
    """``3 Nov 2026 14:05``, in Nairobi."""
    return f"{day(at)} {at.astimezone(NAIROBI):%H:%M}"


def span(start: datetime, end: datetime) -> str:
    """A period: by its first and its last day where it is one of days, else by its moments."""
    if midnight(day_of(start)) == start and midnight(day_of(end)) == end:
        last = end - timedelta(days=1)
        return day(start) if last == start else f"{day(start)} - {day(last)}"
    return f"{moment(start)} - {moment(end)}"


def until(at: datetime) -> str:
    """An end: a day where it is the midnight with which one begins, else a moment."""
    return day(at) if midnight(day_of(at)) == at else moment(at)


def per_cent(basis_points: int) -> str:
    """``16 %``, ``1.5 %``."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + " %"


def present(*texts: str) -> tuple[str, ...]:
    """Those that say something."""
    return tuple(text for text in texts if text)


def phone_number(msisdn: str) -> str:
    """A number as it is dialled, and typed as an account: ``0712345678``."""
    return f"0{msisdn[3:]}" if msisdn.startswith("254") else msisdn
