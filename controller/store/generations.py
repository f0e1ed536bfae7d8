"""How far the desired state of every site has come: one small query for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.ids import SiteId
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def of_all_sites(tx: Tx) -> dict[SiteId, int]:
    """The generation of each site's desired state."""
    found = await tx.execute(select(SiteRow.id, SiteRow.generation))
    return {SiteId(site_id): generation for site_id, generation in found}
