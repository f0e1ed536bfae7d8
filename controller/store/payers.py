"""Subscribers as those who owe and pay: found by phone or id, locked before their money moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from controller.store.rows import SubscriberRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def id_of(tx: Tx, msisdn_or_id: str) -> str | None:
    """The id of a subscriber who is named by phone or by id, or None."""
    query = select(SubscriberRow.id).where(
        or_(SubscriberRow.id == msisdn_or_id, SubscriberRow.msisdn == msisdn_or_id)
    )
    return await tx.scalar(query)


async def loaded(tx: Tx, subscriber_id: str) -> SubscriberRow:
    """A subscriber, who must be there."""
    return await tx.get_one(SubscriberRow, subscriber_id)


async def locked(tx: Tx, *ids: str) -> dict[str, SubscriberRow]:
    """These subscribers by id, locked in the order of their ids and as they now are."""
    query = (
        select(SubscriberRow)
        .where(SubscriberRow.id.in_(ids))
        .order_by(SubscriberRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in await tx.scalars(query)}
