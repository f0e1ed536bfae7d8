"""Who owes what, and for how long it has been overdue. PURE.

What is owed exists on accrual only: on cash nothing is income before it is paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.ageing import BUCKETS, Bucket
from billing.period import day_of, midnight
from controller.reports.table import Basis, Column, Kind, Name, Report, summed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

HEADINGS = {
    Bucket.NOT_DUE: "Not due",
    Bucket.TO_30: "1-30 days",
    Bucket.TO_60: "31-60 days",
    Bucket.TO_90: "61-90 days",
    Bucket.OVER_90: "Over 90 days",
}
_DAYS = {Bucket.TO_30: 30, Bucket.TO_60: 60, Bucket.TO_90: 90}


@dataclass(frozen=True, slots=True)
class Owing:
    """What a subscriber owes: how many invoices are open, and how much by age, in minor units."""

    subscriber_id: str
    name: str
    phone: str
    branch: str
    segment: str
    invoices: int
    oldest_due: date
    aged_minor: Mapping[Bucket, int]


def bounds(now: datetime) -> tuple[tuple[Bucket, datetime], ...]:
    """From when on a debt that fell due is in a bucket, the youngest first; older: `OVER_90`.

    The same as ``billing.ageing.bucket_of``, for a database that has to sum by it.
    """
    today = day_of(now)
    aged = tuple(
        (bucket, midnight(today - timedelta(days=days - 1))) for bucket, days in _DAYS.items()
    )
    return ((Bucket.NOT_DUE, now), *aged)


def outstanding(owing: Sequence[Owing], *, until: date, branch: str = "") -> Report:
    """Who owes what, those who owe most first."""
    columns = (
        Column("subscriber", "Subscriber", Kind.TEXT),
        Column("phone", "Account", Kind.TEXT),
        Column("branch", "Branch", Kind.TEXT),
        Column("invoices", "Invoices", Kind.COUNT),
        Column("oldest_due", "Oldest due", Kind.DAY),
        *_bucket_columns(),
        Column("open", "Open", Kind.MONEY),
    )
    rows = tuple(
        (
            one.name or one.phone,
            one.phone,
            one.branch,
            one.invoices,
            one.oldest_due,
            *(one.aged_minor[bucket] for bucket in BUCKETS),
            _open(one),
        )
        for one in sorted(owing, key=lambda one: (-_open(one), one.subscriber_id))
        if branch in {"", one.branch}
    )
    return _report(Name.OUTSTANDING, "Outstanding", until, columns, rows)


def ageing(owing: Sequence[Owing], *, until: date, branch: str = "") -> Report:
    """How old debts are, by branch and segment."""
    columns = (
        Column("branch", "Branch", Kind.TEXT),
        Column("segment", "Segment", Kind.TEXT),
        Column("invoices", "Invoices", Kind.COUNT),
        *_bucket_columns(),
        Column("open", "Open", Kind.MONEY),
    )
    groups: dict[tuple[str, str], list[Owing]] = {}
    for one in owing:
        if branch in {"", one.branch}:
            groups.setdefault((one.branch, one.segment), []).append(one)
    rows = tuple(
        (
            *key,
            sum(one.invoices for one in of),
            *(sum(one.aged_minor[bucket] for one in of) for bucket in BUCKETS),
            sum(_open(one) for one in of),
        )
        for key, of in sorted(groups.items())
    )
    return _report(Name.AGEING, "Ageing of debts", until, columns, rows)


def _report(
    name: str,
    title: str,
    until: date,
    columns: tuple[Column, ...],
    rows: tuple[tuple[object, ...], ...],
) -> Report:
    return Report(name, title, Basis.ACCRUAL, None, until, columns, rows, summed(columns, rows))  # type: ignore[arg-type]


def _bucket_columns() -> tuple[Column, ...]:
    return tuple(Column(bucket.value, HEADINGS[bucket], Kind.MONEY) for bucket in BUCKETS)


def _open(one: Owing) -> int:
    return sum(one.aged_minor.values())
