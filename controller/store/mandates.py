"""Consents by which we collect, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.database import ROW_LOCK
from controller.store.payment_rows import MandateRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

ASKED, ACTIVE, REFUSED, FAILING, CANCELLED = "asked", "active", "refused", "failing", "cancelled"
CARD, ORDER = "card", "order"


async def load(tx: Tx, mandate_id: str) -> MandateRow | None:
    """A consent, or None."""
    return await tx.get(MandateRow, mandate_id)


async def locked(tx: Tx, mandate_id: str) -> MandateRow | None:
    """A consent, locked and as it now is, or None."""
    return await tx.get(MandateRow, mandate_id, with_for_update=ROW_LOCK, populate_existing=True)


async def by_token(tx: Tx, token_hash: str) -> str | None:
    """The consent whose outcome is told at the address with this token, or None."""
    query = select(MandateRow.id).where(MandateRow.callback_token_hash == token_hash)
    return await tx.scalar(query)


async def of_subscriber(tx: Tx, subscriber_id: str) -> list[MandateRow]:
    """A subscriber's consents, the newest first."""
    query = select(MandateRow).where(MandateRow.subscriber_id == subscriber_id)
    return list(await tx.scalars(query.order_by(MandateRow.created_at.desc(), MandateRow.id)))


async def cards_of(tx: Tx, subscriber_id: str) -> list[MandateRow]:
    """A subscriber's cards, whatever became of them; locked in one order, as they now are."""
    query = (
        select(MandateRow)
        .where(MandateRow.subscriber_id == subscriber_id, MandateRow.kind == CARD)
        .order_by(MandateRow.id)
        .with_for_update(key_share=True)
    )
    return list(await tx.scalars(query.execution_options(populate_existing=True)))


async def due(tx: Tx, now: datetime, *, limit: int) -> list[MandateRow]:
    """Consents to look after, locked; those that another process holds are left to it."""
    query = (
        select(MandateRow)
        .where(MandateRow.due_at <= now)
        .order_by(MandateRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))
