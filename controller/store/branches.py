"""Branches as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.billing_rows import BranchRow
from controller.store.database import ROW_LOCK, inserted
from controller.store.scope import Branches, within

if TYPE_CHECKING:
    from datetime import datetime

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


async def page(tx: Tx, *, after_id: str, limit: int, branches: Branches = None) -> list[BranchRow]:
    """Branches in order of their id, after ``after_id``; of ``branches`` where told."""
    query = select(BranchRow).where(BranchRow.id > after_id, within(BranchRow, branches))
    query = query.order_by(BranchRow.id)
    return list(await tx.scalars(query.limit(limit)))
