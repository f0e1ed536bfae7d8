"""How old debts are: the buckets of an ageing report. PURE.

Days are Nairobi's: the first day overdue is the one on which a debt becomes so, and every debt
moves to the next bucket at midnight.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from billing.money import Money
from billing.period import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Bucket(StrEnum):
    """For how many days a debt has been overdue."""

    NOT_DUE = "not_due"
    TO_30 = "1-30"
    TO_60 = "31-60"
    TO_90 = "61-90"
    OVER_90 = "over_90"


BUCKETS: tuple[Bucket, ...] = tuple(Bucket)
"""In the order of a report's columns."""

_ENDS = ((30, Bucket.TO_30), (60, Bucket.TO_60), (90, Bucket.TO_90))


def bucket_of(due_at: datetime, now: datetime) -> Bucket:
    """The bucket of a debt that is overdue from ``due_at`` on."""
    if now < due_at:
        return Bucket.NOT_DUE
    days = (day_of(now) - day_of(due_at)).days + 1
    return next((bucket for last, bucket in _ENDS if days <= last), Bucket.OVER_90)


def aged(
    debts: Iterable[tuple[datetime, Money]], now: datetime, *, currency: str = "KES"
) -> dict[Bucket, Money]:
    """Open amounts, each with the moment from which it is overdue, summed by bucket; all buckets.

    Raises `CurrencyMismatch` for an amount in another currency.
    """
    sums = dict.fromkeys(BUCKETS, Money(0, currency))
    for due_at, amount in debts:
        bucket = bucket_of(due_at, now)
        sums[bucket] = sums[bucket] + amount
    return sums
