"""What staff look at of vouchers: batches with what is sold and used of them, and who took some.

Reading queries for the pages of vouchers and of the counter. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from controller.noc.views import BatchView, Mark, batch_views
from controller.store.billing_rows import BranchRow, VoucherSaleRow
from controller.store.code_rows import VoucherRow
from controller.store.rows import PlanRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.store.database import Tx

SALES_MAX = 100


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch, its plan, and how many of it were sold."""

    batch: BatchView
    plan: PlanRow
    sold: int


async def batch_lines(tx: Tx, *, after: Mark | None, limit: int) -> list[BatchLine]:
    """Batches, newest first."""
    return await _with_sales(tx, await batch_views(tx, after=after, limit=limit))


async def batch_line(tx: Tx, name: str) -> BatchLine | None:
    """One batch, or None."""
    row = VoucherRow
    query = select(
        func.min(row.plan_id),
        func.min(row.created_at),
        func.min(row.expires_at),
        func.count(),
        func.count(row.redeemed_at),
    ).where(row.batch == name)
    plan_id, created_at, expires_at, count, redeemed = (await tx.execute(query)).one()
    if not count:
        return None
    view = BatchView(name, plan_id, created_at, expires_at, int(count), int(redeemed))
    return (await _with_sales(tx, [view]))[0]


async def sale_rows(tx: Tx, batch: str) -> list[VoucherSaleRow]:
    """Who took vouchers of a batch, newest first."""
    row = VoucherSaleRow
    query = select(row).where(row.batch == batch).order_by(row.at.desc(), row.id)
    return list(await tx.scalars(query.limit(SALES_MAX)))


async def branch_names(tx: Tx) -> list[tuple[str, str]]:
    """Branches by id, with their names."""
    query = select(BranchRow.id, BranchRow.name).order_by(BranchRow.id)
    return [(branch_id, name or branch_id) for branch_id, name in await tx.execute(query)]


async def _with_sales(tx: Tx, batches: Collection[BatchView]) -> list[BatchLine]:
    names = [one.batch for one in batches]
    row = VoucherSaleRow
    sums = select(row.batch, func.sum(row.count)).where(row.batch.in_(names)).group_by(row.batch)
    sold = {batch: int(count) for batch, count in await tx.execute(sums)}
    wanted = {one.plan_id for one in batches}
    plans = {one.id: one for one in await tx.scalars(select(PlanRow).where(PlanRow.id.in_(wanted)))}
    return [BatchLine(one, plans[one.plan_id], sold.get(one.batch, 0)) for one in batches]
