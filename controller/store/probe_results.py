"""What probes saw, as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store.database import inserted
from controller.store.site_rows import ProbeResultRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def keep(tx: Tx, *, site_id: str, probe_id: str, at: datetime, body: str) -> bool:
    """Keep what a probe saw; False when that is known. Nobody needs to have asked here for it."""
    return await inserted(tx, ProbeResultRow, site_id=site_id, probe_id=probe_id, at=at, body=body)
