"""Money that is given back, as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from billing.payment import PaymentState
from controller.store.database import ROW_LOCK
from controller.store.payment_rows import ArrivalRow, RefundRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

OPEN = (PaymentState.SENT, PaymentState.PENDING, PaymentState.UNKNOWN)
"""States of a refund that may have gone."""


async def load(tx: Tx, refund_id: str) -> RefundRow | None:
    """A refund, or None."""
    return await tx.get(RefundRow, refund_id)


async def must_load(tx: Tx, refund_id: str) -> RefundRow:
    """A refund that is there."""
    return await tx.get_one(RefundRow, refund_id)


async def locked(tx: Tx, refund_id: str) -> RefundRow:
    """A refund that is there, locked and as it now is."""
    return await tx.get_one(RefundRow, refund_id, with_for_update=ROW_LOCK, populate_existing=True)


async def by_token(tx: Tx, token_hash: str) -> RefundRow | None:
    """The refund whose result is told at the address with this token, or None."""
    return await tx.scalar(select(RefundRow).where(RefundRow.callback_token_hash == token_hash))


async def by_provider_id(tx: Tx, rail: str, provider_id: str) -> RefundRow | None:
    """The refund that a provider calls so, or None."""
    query = select(RefundRow).where(RefundRow.rail == rail, RefundRow.provider_id == provider_id)
    return await tx.scalar(query.limit(1))


async def open_of(tx: Tx, order_id: str) -> list[str]:
    """The refunds of an order's money that are under way."""
    query = (
        select(RefundRow.id)
        .join(ArrivalRow, ArrivalRow.id == RefundRow.arrival_id)
        .where(
            ArrivalRow.order_id == order_id,
            RefundRow.state.in_(OPEN),
        )
    )
    return list(await tx.scalars(query))


async def open_whole(tx: Tx, arrival: ArrivalRow) -> str | None:
    """The refund of the whole of this money that was sent and of which nobody told, or None."""
    query = select(RefundRow.id).where(
        RefundRow.arrival_id == arrival.id,
        RefundRow.amount_minor == arrival.amount_minor,
        RefundRow.state.in_(OPEN),
    )
    return await tx.scalar(query.limit(1))


async def gone_minor(tx: Tx, arrival_id: str) -> int:
    """How much of money that came in has gone back, or may."""
    query = select(func.coalesce(func.sum(RefundRow.amount_minor), 0)).where(
        RefundRow.arrival_id == arrival_id, RefundRow.state != PaymentState.REFUSED
    )
    return int((await tx.execute(query)).scalar_one())


async def due(tx: Tx, now: datetime, *, limit: int) -> list[RefundRow]:
    """Refunds to send or to ask about, locked; those that another process holds are left to it."""
    query = (
        select(RefundRow)
        .where(RefundRow.next_query_at <= now)
        .order_by(RefundRow.next_query_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))
