"""Branches, and the rates of taxes, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.billing_rows import BranchRow, OperatorRow, TaxRateRow
from controller.store.database import ROW_LOCK, inserted

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing.tax import Rate
    from controller.store.database import Tx


async def load(tx: Tx, branch_id: str) -> BranchRow | None:
    """A branch, or None."""
    return await tx.get(BranchRow, branch_id)


async def locked(tx: Tx, branch_id: str) -> BranchRow | None:
    """A branch that nobody else changes until the transaction ends, or None."""
    return await tx.get(BranchRow, branch_id, with_for_update=ROW_LOCK, populate_existing=True)


async def insert(tx: Tx, branch_id: str, *, now: datetime, **fields: str) -> bool:
    """Keep a new branch; False when its id is taken."""
    return await inserted(tx, BranchRow, id=branch_id, created_at=now, **fields)


async def page(tx: Tx, *, after_id: str, limit: int) -> list[BranchRow]:
    """Branches in order of their id, after ``after_id``."""
    query = select(BranchRow).where(BranchRow.id > after_id).order_by(BranchRow.id)
    return list(await tx.scalars(query.limit(limit)))


async def operator(tx: Tx) -> OperatorRow:
    """The operator as it is known now."""
    return await tx.get_one(OperatorRow, 1)


async def operator_locked(tx: Tx) -> OperatorRow:
    """The operator; nobody else changes it, or the rates of taxes, until the transaction ends."""
    return await tx.get_one(OperatorRow, 1, with_for_update=ROW_LOCK, populate_existing=True)


async def tax_rates(tx: Tx) -> list[TaxRateRow]:
    """Every rate of every tax, the newest of each first."""
    query = select(TaxRateRow).order_by(TaxRateRow.tax, TaxRateRow.from_day.desc())
    return list(await tx.scalars(query))


async def tax_rate(tx: Tx, tax: str, from_day: date) -> TaxRateRow | None:
    """The rate of a tax that begins on a day, or None."""
    return await tx.get(TaxRateRow, (tax, from_day))


def add_tax_rate(tx: Tx, rate: Rate) -> None:
    """Keep a new rate."""
    tx.add(TaxRateRow(tax=rate.tax, from_day=rate.from_day, basis_points=rate.basis_points))
