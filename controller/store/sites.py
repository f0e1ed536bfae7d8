"""Sites as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from billing.ids import SiteId
from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import SessionRow
from controller.store.site_rows import JournalRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


async def load(tx: Tx, site_id: str) -> SiteRow | None:
    """A site, or None."""
    return await tx.get(SiteRow, site_id)


async def load_many(tx: Tx, site_ids: Collection[str]) -> dict[str, SiteRow]:
    """The sites of these ids, by their ids."""
    query = select(SiteRow).where(SiteRow.id.in_(site_ids))
    return {row.id: row for row in await tx.scalars(query)}


async def lock(tx: Tx, site_id: str) -> SiteRow | None:
    """A site whose row nobody else changes until the transaction ends, or None."""
    return await tx.get(SiteRow, site_id, with_for_update=ROW_LOCK, populate_existing=True)


async def all_ids(tx: Tx) -> list[SiteId]:
    """Every site, in the order in which rows are locked."""
    return [SiteId(one) for one in await tx.scalars(select(SiteRow.id).order_by(SiteRow.id))]


async def all_rows(tx: Tx) -> list[SiteRow]:
    """Every site, in the order of their ids."""
    return list(await tx.scalars(select(SiteRow).order_by(SiteRow.id)))


async def last_seen(tx: Tx, site_ids: Collection[str]) -> dict[str, datetime | None]:
    """When each of these sites last reported."""
    query = select(SiteRow.id, SiteRow.last_seen_at).where(SiteRow.id.in_(site_ids))
    return {site_id: at for site_id, at in await tx.execute(query)}  # noqa: C416 - rows, not pairs


async def sessions_open(tx: Tx, site_id: str) -> int:
    """How many sessions of the site are open as far as was reported."""
    query = select(func.count()).where(
        SessionRow.site_id == site_id, SessionRow.closed_at.is_(None)
    )
    return (await tx.execute(query)).scalar_one()


async def journal(tx: Tx, site_id: str, name: str) -> JournalRow:
    """How far a journal has been committed; made at its first report. Locks the row."""
    await inserted(tx, JournalRow, site_id=site_id, journal=name, acked_seq=0)
    return await tx.get_one(
        JournalRow, (site_id, name), with_for_update=ROW_LOCK, populate_existing=True
    )


async def seen(
    tx: Tx,
    site_id: str,
    *,
    now: datetime,
    agent_version: str,
    applied_generation: int,
    applied_digest: bytes,
    outbox: tuple[int, int] | None,
) -> None:
    """Note what an agent said of itself. Touches the site's row: last in the order of locks.

    ``outbox`` is how many records wait there, and how many can; None from an agent that is silent
    about it.
    """
    records, records_max = outbox or (None, None)
    await tx.execute(
        update(SiteRow)
        .where(SiteRow.id == site_id)
        .values(
            last_seen_at=now,
            agent_version=agent_version,
            applied_generation=applied_generation,
            applied_digest=applied_digest,
            outbox_records=records,
            outbox_records_max=records_max,
        )
        .execution_options(synchronize_session=False)
    )


async def all_locked(tx: Tx) -> list[SiteRow]:
    """Every site, locked, in the order of their ids."""
    query = select(SiteRow).order_by(SiteRow.id).with_for_update(key_share=True)
    return list(await tx.scalars(query.execution_options(populate_existing=True)))
