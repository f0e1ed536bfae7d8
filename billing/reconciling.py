"""What a provider's statement tells of a day against what our books say of it. PURE.

Money is known by its receipt and by what it did: a charge of M-PESA has the receipt of the payment
that it was taken for, and is another line. The way says where an amount went; it is negative only
for a charge that was given back.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.money import Money, summed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Way(StrEnum):
    """What money did at a till."""

    IN = "in"  # somebody paid us
    OUT = "out"  # we paid somebody, or took it to the bank
    CHARGE = "charge"  # the provider kept it for its trouble
    REVERSAL = "reversal"  # what had come in went back


class Differs(StrEnum):
    """How a statement and our books differ about one receipt."""

    MISSING_HERE = "missing_here"  # the statement has it, we do not
    MISSING_THERE = "missing_there"  # we have it, the statement does not
    AMOUNT_DIFFERS = "amount_differs"
    TWICE_THERE = "twice_there"  # the statement has more lines of the same amount than we have
    CHARGE_UNBOOKED = "charge_unbooked"
    REVERSAL_UNBOOKED = "reversal_unbooked"


@dataclass(frozen=True, slots=True)
class ToldLine:
    """A line of a statement. For a reversal ``receipt`` is that of the money that went back."""

    receipt: str
    way: Way
    amount: Money


@dataclass(frozen=True, slots=True)
class BookedMoney:
    """Money in our books, by the receipt of the provider."""

    receipt: str
    way: Way
    amount: Money


@dataclass(frozen=True, slots=True)
class Difference:
    """One receipt of which the two sides do not say the same. A side that has none is None."""

    kind: Differs
    receipt: str
    way: Way
    told: Money | None
    booked: Money | None


_UNBOOKED = {
    Way.IN: Differs.MISSING_HERE,
    Way.OUT: Differs.MISSING_HERE,
    Way.CHARGE: Differs.CHARGE_UNBOOKED,
    Way.REVERSAL: Differs.REVERSAL_UNBOOKED,
}

_Key = tuple[str, Way]


def differences(
    told: Sequence[ToldLine], booked: Sequence[BookedMoney], currency: str = "KES"
) -> tuple[Difference, ...]:
    """Every receipt that differs, in the order of receipts.

    None means that the two sides sum to the same. Raises `CurrencyMismatch` for a line in another
    currency.
    """
    there, here = _by_receipt(told), _by_receipt(booked)
    found = []
    for key in sorted(there.keys() | here.keys()):
        lines, ours = there[key], here[key]
        kind = _differs(key[1], lines, ours, currency)
        if kind is not None:
            found.append(Difference(kind, *key, _sum(lines, currency), _sum(ours, currency)))
    return tuple(found)


def net(lines: Iterable[ToldLine | BookedMoney], currency: str = "KES") -> Money:
    """What lines leave in the till: what came in, less all that went. Raises `CurrencyMismatch`."""
    total = Money(0, currency)
    for line in lines:
        total = total + line.amount if line.way is Way.IN else total - line.amount
    return total


def _by_receipt(lines: Iterable[ToldLine | BookedMoney]) -> defaultdict[_Key, list[Money]]:
    found: defaultdict[_Key, list[Money]] = defaultdict(list)
    for line in lines:
        found[line.receipt.strip().upper(), line.way].append(line.amount)
    return found


def _differs(way: Way, told: list[Money], booked: list[Money], currency: str) -> Differs | None:
    if summed(told, currency) == summed(booked, currency):
        return None
    if not booked:
        return _UNBOOKED[way]
    if not told:
        return Differs.MISSING_THERE
    if len(told) > len(booked) and set(told) == set(booked):
        return Differs.TWICE_THERE
    return Differs.AMOUNT_DIFFERS


def _sum(amounts: list[Money], currency: str) -> Money | None:
    return summed(amounts, currency) if amounts else None
