"""Subscribers as they are kept: on the hotspot, the phone that paid."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.msisdn import Msisdn
from controller.store.database import inserted
from controller.store.rows import SubscriberRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def locked(tx: Tx, msisdn: Msisdn, now: datetime) -> SubscriberRow:
    """The subscriber with this phone, made when new; nobody else orders for it meanwhile."""
    await inserted(tx, SubscriberRow, id=secrets.token_hex(16), msisdn=msisdn, created_at=now)
    query = (
        select(SubscriberRow).where(SubscriberRow.msisdn == msisdn).with_for_update(key_share=True)
    )
    return (await tx.scalars(query)).one()


async def phone(tx: Tx, subscriber_id: str) -> Msisdn:
    """The phone of a subscriber, who must be there."""
    return Msisdn((await tx.get_one(SubscriberRow, subscriber_id)).msisdn)
