"""Batches of vouchers as they are sold: who took how many of which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from controller.store.billing_rows import BranchRow, VoucherSaleRow
from controller.store.code_rows import VoucherRow
from controller.store.rows import PlanRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: what its codes are good for, how many were made and how many sold."""

    name: str
    plan: PlanRow
    expires_at: datetime | None
    made: int
    sold: int


async def locked_batch(tx: Tx, name: str) -> Batch | None:
    """A batch of which nobody else sells anything until the transaction ends; None when unknown.

    Its first voucher stands for it: not every batch has a row of its own.
    """
    first = select(VoucherRow.code_hash).where(VoucherRow.batch == name)
    query = first.order_by(VoucherRow.code_hash).limit(1).with_for_update(key_share=True)
    if await tx.scalar(query) is None:
        return None
    return await batch(tx, name)


async def batch(tx: Tx, name: str) -> Batch | None:
    """A batch as it now is, or None."""
    query = select(
        func.min(VoucherRow.plan_id), func.min(VoucherRow.expires_at), func.count()
    ).where(VoucherRow.batch == name)
    plan_id, expires_at, made = (await tx.execute(query)).one()
    if not made:
        return None
    sold = select(func.coalesce(func.sum(VoucherSaleRow.count), 0)).where(
        VoucherSaleRow.batch == name
    )
    return Batch(
        name=name,
        plan=await tx.get_one(PlanRow, plan_id),
        expires_at=expires_at,
        made=made,
        sold=int((await tx.execute(sold)).scalar_one()),
    )


async def are_of_batch(tx: Tx, name: str, hashes: Collection[str]) -> bool:
    """Whether all of these codes belong to a batch."""
    mine = set(await tx.scalars(select(VoucherRow.code_hash).where(VoucherRow.batch == name)))
    return mine.issuperset(hashes)


async def has_branch(tx: Tx, branch_id: str) -> bool:
    """Whether there is such a branch."""
    return await tx.get(BranchRow, branch_id) is not None


async def load(tx: Tx, sale_id: str) -> VoucherSaleRow | None:
    """A sale, or None."""
    return await tx.get(VoucherSaleRow, sale_id)


async def add(tx: Tx, row: VoucherSaleRow) -> None:
    """Keep a sale."""
    tx.add(row)
    await tx.flush()
