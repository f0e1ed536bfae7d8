"""What a statement says, whatever its format. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing.money import Money
    from billing.reconciling import Way

BYTES_MAX = 10_000_000
LINES_MAX = 100_000


class StatementUnreadable(Exception):  # noqa: N818 - a refusal, see style
    """A file is no statement, or not a whole one.

    ``line`` is where in the file (1 for the first; 0 for the file as a whole), ``field`` what.
    """

    def __init__(self, field: str, problem: str, *, line: int = 0) -> None:
        where = f"line {line}: " if line else ""
        super().__init__(f"{where}{field}: {problem}")
        self.line = line
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking as a file has it, before it is known what it was.

    ``signed`` is positive for money that came. ``own`` is the receipt or bank reference of the
    booking itself, ``linked`` that of an earlier one which it undoes.
    """

    row: int
    at: datetime
    signed: Money
    own: str = ""
    linked: str = ""
    reference: str = field(default="", repr=False)
    payer: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    balance: Money | None = None
    is_charge: bool = False
    is_reversal: bool = False


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One thing that happened to our money.

    ``fingerprint`` is the same for the same booking in any file that has it (64 hexadecimal
    digits). ``at`` is midnight in Nairobi where only a day is told. ``amount`` is positive, except
    for a charge that was given back. ``receipt`` is never empty: of a reversal it is that of the
    money which went back, where the file tells it. ``balance`` is what the till held afterwards.
    """

    fingerprint: str
    at: datetime
    kind: Way
    amount: Money
    receipt: str
    reference: str = field(default="", repr=False)
    payer: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    balance: Money | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What a file tells of one till. ``since`` and ``until`` are its first and last day.

    ``form`` is what it was written in: ``mt940``, ``camt.053``, ``mpesa-csv`` or ``bank-csv``.
    ``rail`` is ``mpesa`` or ``bank``; ``place`` is the shortcode or account, "" where the file does
    not name it. ``opening`` and ``closing`` are None where the file tells no balances. Lines are
    oldest first; a booking that stands twice in the file is one line.
    """

    form: str
    rail: str
    place: str
    since: date
    until: date
    opening: Money | None
    closing: Money | None
    lines: tuple[StatementLine, ...]
