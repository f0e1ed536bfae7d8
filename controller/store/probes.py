"""Probes that staff asked for, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from controller.store.database import inserted
from controller.store.site_rows import ProbeRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


async def add(
    tx: Tx, *, probe_id: str, site_id: str, kind: str, target: str, now: datetime
) -> bool:
    """Keep a probe; False when one of its kind is under way at the site."""
    return await inserted(
        tx, ProbeRow, id=probe_id, site_id=site_id, kind=kind, target=target, asked_at=now
    )


async def end(tx: Tx, probe_ids: Collection[str], *, site_id: str, now: datetime) -> list[str]:
    """Note that probes of a site are over; the ids of those that were under way."""
    query = (
        update(ProbeRow)
        .where(ProbeRow.id.in_(probe_ids), ProbeRow.site_id == site_id, ProbeRow.ended_at.is_(None))
        .values(ended_at=now)
        .returning(ProbeRow.id)
        .execution_options(synchronize_session=False)
    )
    return list(await tx.scalars(query))


async def overdue(tx: Tx, *, asked_before: datetime, limit: int) -> list[ProbeRow]:
    """Probes under way for too long, the oldest first."""
    query = (
        select(ProbeRow)
        .where(ProbeRow.ended_at.is_(None), ProbeRow.asked_at <= asked_before)
        .order_by(ProbeRow.asked_at)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))
