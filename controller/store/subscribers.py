"""Subscribers as they are kept: on the hotspot, the phone that paid."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.msisdn import Msisdn
from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import SubscriberRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def locked(tx: Tx, msisdn: Msisdn, now: datetime) -> SubscriberRow:
    """The subscriber with this phone, made when new; nobody else orders for it meanwhile."""
    await insert(tx, msisdn, now)
    query = (
        select(SubscriberRow).where(SubscriberRow.msisdn == msisdn).with_for_update(key_share=True)
    )
    return (await tx.scalars(query)).one()


async def insert(tx: Tx, msisdn: Msisdn, now: datetime) -> bool:
    """Keep a new subscriber; False when there is one with this phone."""
    return await inserted(
        tx, SubscriberRow, id=secrets.token_hex(16), msisdn=msisdn, created_at=now
    )


async def by_id(tx: Tx, subscriber_id: str, *, lock: bool = False) -> SubscriberRow | None:
    """The subscriber of an id, or None; held by this transaction when asked."""
    if not lock:
        return await tx.get(SubscriberRow, subscriber_id)
    return await tx.get(
        SubscriberRow, subscriber_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def by_phone(tx: Tx, msisdn: str, *, lock: bool = False) -> SubscriberRow | None:
    """The subscriber with this phone, or None; held by this transaction when asked."""
    subscriber_id = await tx.scalar(select(SubscriberRow.id).where(SubscriberRow.msisdn == msisdn))
    return None if subscriber_id is None else await by_id(tx, subscriber_id, lock=lock)


async def phone(tx: Tx, subscriber_id: str) -> Msisdn:
    """The phone of a subscriber, who must be there."""
    return Msisdn((await tx.get_one(SubscriberRow, subscriber_id)).msisdn)
