"""Words of names, notes, and blocked devices, as they are kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select

from controller.store.database import inserted
from controller.store.people_rows import (
    EVERYWHERE,
    BlockedDeviceRow,
    SubscriberNoteRow,
    SubscriberWordRow,
)
from controller.store.scope import within
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from billing.ids import SiteId
    from controller.store.database import Tx
    from controller.store.scope import Branches


async def renamed(
    tx: Tx, subscriber_id: str, *, before: Collection[str], after: Collection[str]
) -> None:
    """Find a subscriber by other words from now on. The subscriber is locked."""
    row = SubscriberWordRow
    if gone := set(before) - set(after):
        theirs = (row.word.in_(gone), row.subscriber_id == subscriber_id)
        await tx.execute(delete(row).where(*theirs).execution_options(synchronize_session=False))
    if new := sorted(set(after) - set(before)):
        values = [{"word": word, "subscriber_id": subscriber_id} for word in new]
        await (await tx.connection()).execute(insert(row), values)


async def add_note(
    tx: Tx, subscriber_id: str, *, staff_id: str, staff_name: str, text: str, now: datetime
) -> str:
    """Keep what somebody wrote about a subscriber; its id."""
    note = SubscriberNoteRow(
        id=secrets.token_hex(16),
        subscriber_id=subscriber_id,
        at=now,
        staff_id=staff_id,
        staff_name=staff_name,
        text=text,
    )
    tx.add(note)
    await tx.flush()
    return note.id


async def notes(tx: Tx, subscriber_id: str, *, limit: int) -> list[SubscriberNoteRow]:
    """What was written about a subscriber, newest first."""
    row = SubscriberNoteRow
    query = select(row).where(row.subscriber_id == subscriber_id)
    return list(await tx.scalars(query.order_by(row.at.desc(), row.id).limit(limit)))


async def block(tx: Tx, mac: str, site_id: str, *, by: str, reason: str, now: datetime) -> bool:
    """Note that a device is blocked at a site ("": everywhere); False when it is already."""
    return await inserted(
        tx, BlockedDeviceRow, mac=mac, site_id=site_id, at=now, staff_name=by, reason=reason
    )


async def unblock(tx: Tx, mac: str, site_id: str) -> bool:
    """Note that it is blocked there no more; False when it was not."""
    row = await tx.get(BlockedDeviceRow, (mac, site_id))
    if row is None:
        return False
    await tx.delete(row)
    await tx.flush()
    return True


async def blocked_among(tx: Tx, site_ids: Collection[SiteId]) -> dict[SiteId, list[str]]:
    """The devices that are blocked at each site, there or everywhere; in order, each once."""
    row = BlockedDeviceRow
    query = select(row.site_id, row.mac).where(row.site_id.in_((EVERYWHERE, *site_ids)))
    found = (await tx.execute(query.order_by(row.mac))).all()
    return {
        one: list(dict.fromkeys(mac for place, mac in found if place in {EVERYWHERE, one}))
        for one in site_ids
    }


async def blocks(
    tx: Tx, *, site_id: str | None, branches: Branches, limit: int
) -> list[BlockedDeviceRow]:
    """Devices that are blocked, newest first; at one site ("": everywhere) where asked.

    Whoever is held to some branches is shown what is blocked at their sites, and everywhere.
    """
    row = BlockedDeviceRow
    query = select(row)
    if site_id is not None:
        query = query.where(row.site_id == site_id)
    if branches is not None:
        theirs = select(SiteRow.id).where(within(SiteRow, branches))
        query = query.where(or_(row.site_id == EVERYWHERE, row.site_id.in_(theirs)))
    return list(await tx.scalars(query.order_by(row.at.desc(), row.mac).limit(limit)))


async def blocks_of(tx: Tx, mac: str) -> list[BlockedDeviceRow]:
    """Where a device is blocked."""
    row = BlockedDeviceRow
    return list(await tx.scalars(select(row).where(row.mac == mac).order_by(row.site_id)))
