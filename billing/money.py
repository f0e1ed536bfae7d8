"""Money: an integer of minor units and a currency; and the one place where rounding lives. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import CurrencyMismatch, InvalidField

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MINOR_PER_MAJOR = {"KES": 100, "USD": 100}
"""Minor units in one major unit, per known currency (ISO 4217)."""

MINOR_MAX = 10**15
"""More than this in one amount is a mistake, not money (ten billion shillings)."""

# A comma stands only between thousands: "12,5" is refused, because it may mean 12.50.
_AMOUNT = re.compile(r"(-)?([0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,16})(?:\.([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount: ``minor`` units (cents) of ``currency`` (ISO 4217). May be negative in sums."""

    minor: int
    currency: str = "KES"

    def __post_init__(self) -> None:
        if self.currency not in MINOR_PER_MAJOR:
            known = ", ".join(sorted(MINOR_PER_MAJOR))
            raise InvalidField("currency", f"{self.currency!r} is not one of {known}")
        if abs(self.minor) > MINOR_MAX:
            raise InvalidField("amount", f"{self.minor} minor units is beyond any real amount")

    def __add__(self, other: Money) -> Money:
        _same_currency(self, other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        _same_currency(self, other)
        return Money(self.minor - other.minor, self.currency)

    def __str__(self) -> str:
        """For people: ``KES 1,500`` or ``KES 12.50``; cents are shown only when there are any."""
        per_major = MINOR_PER_MAJOR[self.currency]
        sign = "-" if self.minor < 0 else ""
        whole, rest = divmod(abs(self.minor), per_major)
        cents = f".{rest:02d}" if rest else ""
        return f"{sign}{self.currency} {whole:,}{cents}"


def whole_units(amount: Money) -> int | None:
    """The amount in major units when it has no cents, else None. M-PESA moves whole shillings."""
    whole, rest = divmod(amount.minor, MINOR_PER_MAJOR[amount.currency])
    return whole if rest == 0 else None


def parse_money(text: str, currency: str = "KES") -> Money:
    """Read ``"5.00"``, ``"5"``, ``"1,250.00"``. Raises `InvalidField` for anything else."""
    written = _AMOUNT.fullmatch(text.strip())
    if written is None:
        raise InvalidField("amount", f"{text[:40]!r} is not an amount like 50 or 1,250.50")
    sign, whole, cents = written.groups(default="")
    minor = int(whole.replace(",", "")) * MINOR_PER_MAJOR.get(currency, 100)
    minor += int((cents + "00")[:2])
    return Money(-minor if sign else minor, currency)


def split(amount: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """Share ``amount`` out by ``weights`` so that the shares sum to it exactly.

    Each share is rounded down, and the remainder goes, one minor unit at a time, to the largest
    fractions (ties: to the earlier share). This is the only rounding of money in the product.
    Raises `InvalidField` when the weights are not at least one positive number and no negatives.
    """
    total = sum(weights)
    if total <= 0 or any(w < 0 for w in weights):
        raise InvalidField("weights", "want non-negative weights with a positive sum")
    floors = [amount.minor * w // total for w in weights]
    left = amount.minor - sum(floors)
    by_fraction = sorted(
        range(len(weights)), key=lambda i: (-(amount.minor * weights[i] % total), i)
    )
    for i in by_fraction[:left]:
        floors[i] += 1
    return tuple(Money(f, amount.currency) for f in floors)


def summed(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of amounts of one currency. Raises `CurrencyMismatch` for one of another."""
    minor = 0
    for amount in amounts:
        if amount.currency != currency:
            raise CurrencyMismatch(f"{amount.currency} and {currency} in one sum")
        minor += amount.minor
    return Money(minor, currency)


def _same_currency(a: Money, b: Money) -> None:
    if a.currency != b.currency:
        raise CurrencyMismatch(f"{a.currency} and {b.currency} in one sum")
