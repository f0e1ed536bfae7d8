"""How full the buckets of rate limits are, for all processes that ask the same provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from controller.store.database import inserted
from controller.store.payment_rows import PaceRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def locked(tx: Tx, name: str, now: datetime) -> PaceRow | None:
    """The bucket, locked until the transaction ends; None when nobody has used it before.

    In that case a row of ours is there now, for `save` to fill.
    """
    if await inserted(tx, PaceRow, name=name, level_milli=0, at=now):
        return None
    query = select(PaceRow).where(PaceRow.name == name).with_for_update(key_share=True)
    return (await tx.scalars(query)).one()


async def save(tx: Tx, name: str, *, level_milli: int, at: datetime) -> None:
    """Write down how full it is."""
    await tx.execute(
        update(PaceRow).where(PaceRow.name == name).values(level_milli=level_milli, at=at)
    )
