"""How sites' boxes are: of each the newest that its agent told."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from controller.records import Vitals
from controller.store.database import upsert_many
from controller.store.series_rows import SiteVitalsRow

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import SiteId
    from controller.store.database import Tx

COLUMNS = tuple(one.name for one in fields(Vitals) if one.name != "taken_at")


async def keep(tx: Tx, site_id: SiteId, vitals: Vitals, *, now: datetime) -> None:
    """Keep what came just now, in place of what came before."""
    values: dict[str, object] = {name: getattr(vitals, name) for name in COLUMNS}
    one = {"site_id": site_id, "at": now, **values}
    await upsert_many(tx, SiteVitalsRow, keys=("site_id",), values=[one])


async def load(tx: Tx, site_id: str) -> SiteVitalsRow | None:
    """How a site's box was when it was last told; None when it never was."""
    return await tx.get(SiteVitalsRow, site_id)
