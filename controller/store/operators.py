"""Who sells, at which branch, and at which rates of tax, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from billing.tax import Rate, Rates, Tax, TaxClass, rates_for
from controller.store.billing_rows import BranchRow, OperatorRow, TaxRateRow
from controller.store.database import ROW_LOCK

if TYPE_CHECKING:
    from datetime import date

    from controller.store.database import Tx

Kept = TypeVar("Kept", OperatorRow, BranchRow)

ONLY = 1
"""The operator's row."""


async def operator(tx: Tx) -> OperatorRow:
    """Who sells; read once in a transaction."""
    return await _read_once(tx, OperatorRow, ONLY)


async def operator_locked(tx: Tx) -> OperatorRow:
    """The operator; nobody else changes it, or the rates of taxes, until the transaction ends."""
    return await tx.get_one(OperatorRow, ONLY, with_for_update=ROW_LOCK, populate_existing=True)


async def branch(tx: Tx, branch_id: str) -> BranchRow:
    """A branch that a subscriber or a site belongs to, and that is there."""
    return await _read_once(tx, BranchRow, branch_id)


async def _read_once(tx: Tx, row: type[Kept], key: object) -> Kept:
    """A session forgets rows that nobody holds; these are asked for again and again."""
    if (row, key) not in tx.info:
        tx.info[row, key] = await tx.get_one(row, key)
    found: Kept = tx.info[row, key]
    return found


async def rates(tx: Tx) -> tuple[Rate, ...]:
    """Every rate of tax that is known."""
    return tuple(Rate(Tax(row.tax), row.from_day, row.basis_points) for row in await tax_rates(tx))


async def rates_on(tx: Tx, tax_class: TaxClass, day: date) -> Rates:
    """What the operator charges on a thing on a day, by what it is registered for."""
    who = await operator(tx)
    return rates_for(
        await rates(tx), tax_class, day, vat=who.vat_registered, excise=who.excise_registered
    )


async def tax_rates(tx: Tx) -> list[TaxRateRow]:
    """Every rate of every tax, the newest of each first."""
    query = select(TaxRateRow).order_by(TaxRateRow.tax, TaxRateRow.from_day.desc())
    return list(await tx.scalars(query))


def add_tax_rate(tx: Tx, rate: Rate) -> None:
    """Keep a new rate."""
    tx.add(TaxRateRow(tax=rate.tax, from_day=rate.from_day, basis_points=rate.basis_points))
