"""The walled garden, as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from controller.store.database import inserted
from controller.store.site_rows import GardenRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.store.database import Tx

EVERYWHERE = ""
"""In the place of a site: at all of them, and those to come."""


async def add(tx: Tx, site_id: str, entry: str, *, kind: str) -> bool:
    """Keep an entry; False when it is there."""
    return await inserted(tx, GardenRow, site_id=site_id, entry=entry, kind=kind)


async def drop(tx: Tx, site_id: str, entry: str) -> bool:
    """Remove an entry; False when there is none."""
    query = delete(GardenRow).where(GardenRow.site_id == site_id, GardenRow.entry == entry)
    return (await tx.execute(query.returning(GardenRow.entry))).first() is not None


async def of_sites(tx: Tx, site_ids: Collection[str]) -> dict[str, list[GardenRow]]:
    """What is reached at each of these sites: its own entries and those of all sites."""
    query = (
        select(GardenRow)
        .where(GardenRow.site_id.in_([EVERYWHERE, *site_ids]))
        .order_by(GardenRow.entry)
    )
    rows = list(await tx.scalars(query))
    return {
        site_id: [row for row in rows if row.site_id in {EVERYWHERE, site_id}]
        for site_id in site_ids
    }
