"""Payments as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from billing.payment import PaymentState
from controller.store.database import ROW_LOCK
from controller.store.rows import PaymentRow

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import OrderId
    from controller.store.database import Tx

OPEN = (PaymentState.SENT, PaymentState.PENDING)
"""States in which the payer's phone may be showing a prompt."""


async def load(tx: Tx, order_id: OrderId | str) -> PaymentRow | None:
    """A payment, or None."""
    return await tx.get(PaymentRow, order_id)


async def locked(tx: Tx, order_id: OrderId | str) -> PaymentRow | None:
    """A payment, locked and as it now is, or None."""
    return await tx.get(PaymentRow, order_id, with_for_update=ROW_LOCK, populate_existing=True)


async def id_by_token(tx: Tx, token_hash: str) -> str | None:
    """The order whose callback address has this token, or None."""
    query = select(PaymentRow.order_id).where(PaymentRow.callback_token_hash == token_hash)
    return await tx.scalar(query)


async def open_for_phone(tx: Tx, msisdn: str, *, since: datetime, but: str) -> bool:
    """Whether the phone may be showing a prompt, younger than ``since``, of any order but one.

    Hold the subscriber's lock, or another order may slip in.
    """
    query = select(PaymentRow.order_id).where(
        PaymentRow.msisdn == msisdn,
        PaymentRow.pushed_at > since,
        PaymentRow.state.in_(OPEN),
        PaymentRow.order_id != but,
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def unpaid_prompts(tx: Tx, msisdn: str, *, since: datetime) -> int:
    """How many prompts the phone was sent since then that brought no money."""
    query = select(func.count()).where(
        PaymentRow.msisdn == msisdn,
        PaymentRow.pushed_at > since,
        PaymentRow.state != PaymentState.SETTLED,
    )
    return (await tx.execute(query)).scalar_one()


async def due(tx: Tx, now: datetime, *, limit: int) -> list[PaymentRow]:
    """Payments to ask about, locked; those that another process holds are left to it."""
    query = (
        select(PaymentRow)
        .where(PaymentRow.next_query_at <= now)
        .order_by(PaymentRow.next_query_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def order_settled_by(tx: Tx, receipt: str) -> str | None:
    """The order that a receipt, of whatever rail, has paid for, or None."""
    query = select(PaymentRow.order_id).where(
        PaymentRow.receipt == receipt, PaymentRow.state == PaymentState.SETTLED
    )
    return await tx.scalar(query.limit(1))


async def holder_of_provider_id(tx: Tx, rail: str, provider_id: str) -> str | None:
    """The order that the provider knows by this name, or None."""
    query = select(PaymentRow.order_id).where(
        PaymentRow.rail == rail, PaymentRow.provider_id == provider_id
    )
    return await tx.scalar(query)
