"""What was earned, by day, branch, plan and rail; and which taxes are due for it. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.reports.table import Basis, Cell, Column, Kind, Name, Report, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

SUMS = (
    Column("net", "Income", Kind.MONEY),
    Column("excise", "Excise duty", Kind.MONEY),
    Column("vat", "VAT", Kind.MONEY),
    Column("total", "With taxes", Kind.MONEY),
)
LEGACY_BRANCH = "main"


class Source(StrEnum):
    """What income came of."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit note"
    PAID = "paid invoice"
    HOTSPOT = "hotspot sale"
    VOUCHER = "voucher sale"
    OTHER = "other"


class By(StrEnum):
    """By what revenue is told apart."""

    DAY = "day"
    MONTH = "month"
    BRANCH = "branch"
    PLAN = "plan"
    RAIL = "rail"


@dataclass(frozen=True, slots=True)
class Earned:
    """What an income account earned on a day. ``rail`` is by which money came, or why none did.

    ``tax_class`` is empty where the plan of the account says it.
    """

    day: date
    account: str
    source: Source
    rail: str
    tax_class: str
    net_minor: int
    excise_minor: int
    vat_minor: int


@dataclass(frozen=True, slots=True)
class Place:
    """What the name of an income account says: a branch, and a plan or something else."""

    branch: str
    what: str
    plan_id: str


def place_of(account: str) -> Place:
    """Read ``income:main:plan:home-10``, ``income:main:late-fee``, ``income:plan:hours-2``."""
    parts = account.split(":")
    if parts[1] == "plan" and len(parts) == 3:  # noqa: PLR2004 - sales before there were branches
        return Place(LEGACY_BRANCH, parts[2], parts[2])
    if parts[2:3] == ["plan"]:
        return Place(parts[1], parts[3], parts[3])
    return Place(parts[1], " ".join(parts[2:]), "")


def revenue(
    earned: Iterable[Earned],
    *,
    basis: Basis,
    since: date,
    until: date,
    by: Sequence[By] = (By.DAY,),
    branch: str = "",
) -> Report:
    """What was earned, told apart by what is asked for; of one branch where that is said."""
    keys = {
        By.DAY: (Column("day", "Day", Kind.DAY), lambda one, _: one.day),
        By.MONTH: (Column("month", "Month", Kind.TEXT), lambda one, _: month_of(one.day)),
        By.BRANCH: (Column("branch", "Branch", Kind.TEXT), lambda _, place: place.branch),
        By.PLAN: (Column("plan", "Plan or other", Kind.TEXT), lambda _, place: place.what),
        By.RAIL: (Column("rail", "Paid by", Kind.TEXT), lambda one, _: one.rail),
    }
    chosen = [keys[one] for one in dict.fromkeys(by)]
    return Report(
        Name.REVENUE,
        "Revenue",
        basis,
        since,
        until,
        *_laid_out(earned, chosen, branch),
    )


def tax_return(
    earned: Iterable[Earned],
    *,
    basis: Basis,
    since: date,
    until: date,
    classes: Mapping[str, str],
    branch: str = "",
) -> Report:
    """Taxes by month, class and what they are due for. ``classes`` are those of plans by id."""
    chosen: list[_Key] = [
        (Column("month", "Month", Kind.TEXT), lambda one, _: month_of(one.day)),
        (
            Column("tax_class", "Tax class", Kind.TEXT),
            lambda one, place: one.tax_class or classes.get(place.plan_id, "internet"),
        ),
        (Column("source", "Due for", Kind.TEXT), lambda one, _: one.source.value),
    ]
    return Report(Name.TAX, "Tax return", basis, since, until, *_laid_out(earned, chosen, branch))


def month_of(day: date) -> str:
    """``2026-11``."""
    return f"{day:%Y-%m}"


if TYPE_CHECKING:
    _Key = tuple[Column, Callable[[Earned, Place], Cell]]


def _laid_out(
    earned: Iterable[Earned], keys: Sequence[_Key], branch: str
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...], tuple[Cell, ...]]:
    """Columns, rows in order of their keys, and sums."""
    groups: dict[tuple[Cell, ...], list[int]] = {}
    for one in earned:
        place = place_of(one.account)
        if branch and place.branch != branch:
            continue
        key = tuple(read(one, place) for _, read in keys)
        sums = groups.setdefault(key, [0, 0, 0])
        sums[0] += one.net_minor
        sums[1] += one.excise_minor
        sums[2] += one.vat_minor
    columns = (*(column for column, _ in keys), *SUMS)
    rows = tuple((*key, *sums, sum(sums)) for key, sums in sorted(groups.items(), key=_order))
    return columns, rows, summed(columns, rows)


def _order(group: tuple[tuple[Cell, ...], list[int]]) -> tuple[str, ...]:
    return tuple(str(part) for part in group[0])
