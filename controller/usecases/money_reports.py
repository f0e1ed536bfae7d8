"""Reports for staff: each asks the database for sums, and has a pure file lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from billing.errors import InvalidField
from billing.period import day_of, midnight
from controller.reports import earned, owed, sellers
from controller.reports.earned import By
from controller.reports.table import Basis, Name
from controller.store import reports
from controller.usecases.papers import check_days

if TYPE_CHECKING:
    from datetime import date

    from controller.deps import Deps
    from controller.reports.earned import Earned
    from controller.reports.table import Report
    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class Asked:
    """A report about the days from ``since`` up to, and without, ``until``; "" for all branches."""

    name: Name
    since: date
    until: date
    basis: Basis = Basis.ACCRUAL
    branch: str = ""
    by: tuple[By, ...] = (By.DAY,)


async def report(deps: Deps, asked: Asked) -> Report:
    """The report. Raises `InvalidField` (``until``, ``basis``)."""
    check_days(asked.since, asked.until)
    async with deps.db.read() as tx:
        match asked.name:
            case Name.REVENUE:
                return earned.revenue(
                    await _earned(tx, asked),
                    basis=asked.basis,
                    since=asked.since,
                    until=asked.until,
                    by=asked.by,
                    branch=asked.branch,
                )
            case Name.TAX:
                return earned.tax_return(
                    await _earned(tx, asked),
                    basis=asked.basis,
                    since=asked.since,
                    until=asked.until,
                    classes=await reports.tax_classes(tx),
                    branch=asked.branch,
                )
            case Name.OUTSTANDING | Name.AGEING:
                return await _owed(tx, deps, asked)
            case Name.SELLERS:
                return await _sellers(tx, asked)
            case _:
                assert_never(asked.name)


async def _earned(tx: Tx, asked: Asked) -> list[Earned]:
    """All income on the basis that is asked for, and on no other."""
    since, until = midnight(asked.since), midnight(asked.until)
    if asked.basis is Basis.ACCRUAL:
        of_invoices = await reports.invoiced(tx, since, until)
    else:
        of_invoices = await reports.paid(tx, since, until)
    return of_invoices + await reports.sold(tx, since, until)


async def _owed(tx: Tx, deps: Deps, asked: Asked) -> Report:
    if asked.basis is not Basis.ACCRUAL:
        raise InvalidField("basis", "what is owed exists on accrual only")
    now = deps.now()
    owing = await reports.owing(tx, now)
    laid_out = owed.outstanding if asked.name is Name.OUTSTANDING else owed.ageing
    return laid_out(owing, until=day_of(now), branch=asked.branch)


async def _sellers(tx: Tx, asked: Asked) -> Report:
    sold = await reports.vouchers_sold(
        tx, midnight(asked.since), midnight(asked.until), branch=asked.branch
    )
    return sellers.sellers(sold, basis=asked.basis, since=asked.since, until=asked.until)
