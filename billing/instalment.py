"""Instalments: a debt that is paid in parts, each with its own day. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from billing.dunning import LEAST_OVERDUE
from billing.errors import InvalidField
from billing.money import Money, split
from billing.period import anchored, boundary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.period import Cycle

COUNT_MAX = 36


@dataclass(frozen=True, slots=True)
class Part:
    """An amount that is overdue from ``due_at`` on."""

    due_at: datetime
    amount: Money


def instalments(
    amount: Money, *, count: int, first_due: datetime, cycle: Cycle
) -> tuple[Part, ...]:
    """An amount in ``count`` equal parts, a cycle apart, at the first one's time of day.

    Cents that do not divide are in the earlier parts. Raises `InvalidField` (``amount``,
    ``count``): every part is at least a cent.
    """
    if amount.minor <= 0:
        raise InvalidField("amount", f"want more than 0, got {amount}")
    if not 2 <= count <= min(COUNT_MAX, amount.minor):  # noqa: PLR2004 - one part is no instalment
        raise InvalidField("count", f"want 2 to {COUNT_MAX} parts of a cent or more, got {count:,}")
    start = anchored(cycle, first_due)
    later = first_due - start
    return tuple(
        Part(boundary(cycle, start, n) + later, share)
        for n, share in enumerate(split(amount, [1] * count))
    )


def overdue(parts: Sequence[Part], paid: Money, now: datetime) -> Money:
    """What should have been paid by now and is not. ``paid`` is all that was paid of the parts."""
    _check_paid(paid)
    due = sum((part.amount.minor for part in parts if part.due_at <= now), 0)
    return Money(max(0, due - paid.minor), paid.currency)


def next_due(parts: Sequence[Part], paid: Money) -> datetime | None:
    """From when on a shilling or more is overdue if nothing else is paid; None: it never is.

    So a part that lacks a few cents is taken for paid; the cents are owed with the next one.
    """
    _check_paid(paid)
    sums = accumulate(part.amount.minor for part in parts)
    short = (
        part.due_at
        for part, due in zip(parts, sums, strict=True)
        if due - paid.minor >= LEAST_OVERDUE
    )
    return next(short, None)


def _check_paid(paid: Money) -> None:
    if paid.minor < 0:
        raise InvalidField("paid", f"want no less than 0, got {paid}")
