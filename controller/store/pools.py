"""Shared rates of sites, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from controller.store.site_rows import PoolRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def of_site(tx: Tx, site_id: str) -> dict[str, PoolRow]:
    """The pools of a site by their ids. The site's row is locked, where one is to change."""
    query = select(PoolRow).where(PoolRow.site_id == site_id).order_by(PoolRow.id)
    found = await tx.scalars(query.execution_options(populate_existing=True))
    return {row.id: row for row in found}


async def drop(tx: Tx, site_id: str, pool_id: str) -> None:
    """Remove a pool."""
    await tx.execute(delete(PoolRow).where(PoolRow.site_id == site_id, PoolRow.id == pool_id))
