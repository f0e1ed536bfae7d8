"""Outages of sites, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, or_, select

from controller.store.database import inserted, upsert_many
from controller.store.site_rows import OutageRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


async def newly_silent(tx: Tx, *, since: datetime, limit: int) -> list[SiteRow]:
    """Sites of which nothing was heard since then, and no outage says so yet; by id.

    None is locked: whoever notes the outage first has noticed it. A site that reports just now
    holds its outage before its own row, and to lock that row first would be to wait crosswise.
    """
    query = (
        select(SiteRow)
        .where(
            SiteRow.last_seen_at <= since,
            ~exists().where(
                OutageRow.site_id == SiteRow.id, OutageRow.began_at == SiteRow.last_seen_at
            ),
        )
        .order_by(SiteRow.id)
        .limit(limit)
    )
    return list(await tx.scalars(query))


async def begin(tx: Tx, site_id: str, began_at: datetime) -> bool:
    """Note that an outage began; False when that is known."""
    return await inserted(tx, OutageRow, site_id=site_id, began_at=began_at)


async def end(tx: Tx, site_id: str, *, began_at: datetime, ended_at: datetime) -> None:
    """Note that an outage is over, whether or not its beginning was noted."""
    await upsert_many(
        tx,
        OutageRow,
        keys=("site_id", "began_at"),
        values=[{"site_id": site_id, "began_at": began_at, "ended_at": ended_at}],
    )


async def since(
    tx: Tx, site_ids: Collection[str], moment: datetime, *, limit: int
) -> list[OutageRow]:
    """The sites' outages that lasted until that moment or later, newest first."""
    query = (
        select(OutageRow)
        .where(
            OutageRow.site_id.in_(site_ids),
            or_(OutageRow.ended_at.is_(None), OutageRow.ended_at >= moment),
        )
        .order_by(OutageRow.began_at.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))
