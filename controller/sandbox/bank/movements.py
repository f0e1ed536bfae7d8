"""What happened to the money of one account: everything else is written from this. PURE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from enum import Enum

HERE = timezone(timedelta(hours=3))


class What(Enum):
    """What a movement is."""

    PAID = "paid"
    FEE = "fee"
    TAKEN_BACK = "taken back"
    WITHDRAWN = "withdrawn"

    @property
    def sign(self) -> int:
        """1 for money that comes, -1 for money that goes."""
        return 1 if self is What.PAID else -1


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came or went: ``cents`` are positive.

    A fee has the receipt of its payment. ``undoes`` is the receipt of what was taken back.
    """

    at: datetime
    what: What
    cents: int
    receipt: str
    typed: str = ""
    phone: str = ""
    name: str = ""
    undoes: str = ""

    @property
    def day(self) -> date:
        """The bank's day."""
        return self.at.astimezone(HERE).date()

    @property
    def change(self) -> int:
        """What it adds to the account, in cents."""
        return self.what.sign * self.cents


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong with a file. ``missing_day`` is left out, balances of other days stay."""

    missing_day: date | None = None
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class Booked:
    """A movement, and what the account held after it."""

    movement: Movement
    held: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its number (or shortcode), what it held first, and what happened, in order."""

    number: str
    opening: int
    movements: tuple[Movement, ...]
    faults: Faults = Faults()

    def booked(self) -> list[Booked]:
        """Every movement that the file shows, oldest first."""
        held, found = self.opening, []
        for movement in sorted(self.movements, key=lambda m: m.at):
            held += movement.change
            if movement.day != self.faults.missing_day:
                found.append(Booked(movement, held))
        return found

    def days(self) -> list[tuple[date, list[Booked]]]:
        """The same by day; days on which nothing happened are not shown."""
        by_day: dict[date, list[Booked]] = {}
        for one in self.booked():
            by_day.setdefault(one.movement.day, []).append(one)
        return sorted(by_day.items())

    def with_taken_back(self, receipt: str, at: datetime, by: str) -> Account:
        """The fault of a reversed entry: a payment is taken back, under a receipt of its own."""
        paid = next(m for m in self.movements if m.receipt == receipt and m.what is What.PAID)
        back = Movement(at, What.TAKEN_BACK, paid.cents, by, name=paid.name, undoes=receipt)
        return replace(self, movements=(*self.movements, back))


def narrative(movement: Movement) -> str:
    """A bank's free text: parts between ``~`` for a payment, words for the rest."""
    if movement.what is What.FEE:
        return f"TRANSACTION CHARGE {movement.receipt}"
    if movement.what is What.TAKEN_BACK:
        return f"REVERSAL OF {movement.undoes}"
    if movement.what is What.WITHDRAWN:
        return f"TRANSFER TO SETTLEMENT {movement.receipt}"
    when = movement.at.astimezone(HERE).strftime("%d%m%Y %H%M%S")
    return f"{movement.receipt}~{movement.typed}~{movement.phone}~{movement.name}~{when}"


def shillings(cents: int, *, thousands: str = "", point: str = ".") -> str:
    """An amount as a bank prints it; negative with a minus before it."""
    whole, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return f"{sign}{whole:,}".replace(",", thousands) + f"{point}{rest:02d}"
