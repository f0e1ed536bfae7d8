"""Subscribers as they are kept: on the hotspot, the phone that paid."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.msisdn import Msisdn
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK, inserted, inserting
from controller.store.rows import SubscriberRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


async def locked(tx: Tx, msisdn: Msisdn, now: datetime) -> SubscriberRow:
    """The subscriber with this phone, made when new; nobody else orders for it meanwhile."""
    await insert(tx, msisdn, now)
    query = (
        select(SubscriberRow).where(SubscriberRow.msisdn == msisdn).with_for_update(key_share=True)
    )
    return (await tx.scalars(query)).one()


async def locked_many(
    tx: Tx, phones: Collection[Msisdn], now: datetime
) -> dict[str, SubscriberRow]:
    """Subscribers by their phones, made where they are new (`created_at` is ``now``), locked."""
    values = [
        {"id": secrets.token_hex(16), "msisdn": phone, "created_at": now}
        for phone in sorted(set(phones))
    ]
    if not values:
        return {}
    statement = inserting(tx, SubscriberRow).on_conflict_do_nothing()
    await (await tx.connection()).execute(statement, values)
    query = (
        select(SubscriberRow)
        .where(among(tx, SubscriberRow.msisdn, phones))
        .order_by(SubscriberRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.msisdn: row for row in await tx.scalars(query)}


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


async def phones_among(tx: Tx, phones: Collection[str]) -> set[str]:
    """Which of these phones are subscribers'."""
    query = select(SubscriberRow.msisdn).where(among(tx, SubscriberRow.msisdn, phones))
    return set(await tx.scalars(query))


async def phone(tx: Tx, subscriber_id: str) -> Msisdn:
    """The phone of a subscriber, who must be there."""
    return Msisdn((await tx.get_one(SubscriberRow, subscriber_id)).msisdn)
