"""Vouchers by who sold them: made, sold, redeemed, what they brought, what the seller kept. PURE.

Codes are kept as hashes only, so nobody knows which of a batch's codes a seller took. ``made`` and
``redeemed`` are therefore those of all batches of which he took some.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.reports.table import Basis, Column, Kind, Name, Report, summed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

UNSOLD = "(not sold)"

COLUMNS = (
    Column("seller", "Seller", Kind.TEXT),
    Column("plan", "Plan", Kind.TEXT),
    Column("batches", "Batches", Kind.COUNT),
    Column("made", "Made", Kind.COUNT),
    Column("sold", "Sold", Kind.COUNT),
    Column("redeemed", "Redeemed", Kind.COUNT),
    Column("value", "Value", Kind.MONEY),
    Column("commission", "Commission", Kind.MONEY),
)


@dataclass(frozen=True, slots=True)
class Sold:
    """What a seller took of a batch; ``seller`` is empty for a batch of which nobody took any."""

    seller: str
    batch: str
    plan_id: str
    made: int
    redeemed: int
    sold: int
    amount_minor: int
    commission_minor: int


def sellers(sold: Sequence[Sold], *, basis: Basis, since: date, until: date) -> Report:
    """A row for each seller and plan."""
    groups: dict[tuple[str, str], list[Sold]] = defaultdict(list)
    for one in sold:
        groups[one.seller or UNSOLD, one.plan_id].append(one)
    rows = tuple(
        (
            *key,
            len(of),
            sum(one.made for one in of),
            sum(one.sold for one in of),
            sum(one.redeemed for one in of),
            sum(one.amount_minor for one in of),
            sum(one.commission_minor for one in of),
        )
        for key, of in sorted(groups.items())
    )
    return Report(
        Name.SELLERS, "Vouchers by seller", basis, since, until, COLUMNS, rows, _totals(sold, rows)
    )


def _totals(
    sold: Sequence[Sold], rows: Sequence[tuple[str | int, ...]]
) -> tuple[str | int | None, ...]:
    """Sums; a batch that several sellers share is counted once."""
    sums = dict(zip((column.name for column in COLUMNS), summed(COLUMNS, rows), strict=True))
    batches = {one.batch: one for one in sold}.values()
    sums["batches"] = len(batches)
    sums["made"] = sum(one.made for one in batches)
    sums["redeemed"] = sum(one.redeemed for one in batches)
    return tuple(sums[column.name] for column in COLUMNS)  # type: ignore[misc]
