"""Webhooks on their way out, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.alert_rows import WebhookRow
from controller.store.database import ROW_LOCK, inserted

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

WAITING = "waiting"
SENT = "sent"
GIVEN_UP = "given_up"


async def add(
    tx: Tx, *, webhook_id: str, route_id: str, event: str, about: str, sealed: bytes, now: datetime
) -> bool:
    """Keep a webhook that is to leave; False when its event has one already."""
    return await inserted(
        tx,
        WebhookRow,
        id=webhook_id,
        route_id=route_id,
        event=event,
        about=about,
        sealed=sealed,
        state=WAITING,
        created_at=now,
        due_at=now,
        tries=0,
        problem="",
    )


async def due(tx: Tx, now: datetime, *, limit: int) -> list[WebhookRow]:
    """Webhooks to send now, locked; those that another process holds are left to it."""
    query = (
        select(WebhookRow)
        .where(WebhookRow.due_at <= now)
        .order_by(WebhookRow.due_at, WebhookRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def locked(tx: Tx, webhook_id: str) -> WebhookRow:
    """A webhook, locked and as it now is."""
    return await tx.get_one(
        WebhookRow, webhook_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def of_route(tx: Tx, route_id: str, *, limit: int) -> list[WebhookRow]:
    """What was sent to a route, the newest first."""
    query = select(WebhookRow).where(WebhookRow.route_id == route_id)
    return list(await tx.scalars(query.order_by(WebhookRow.created_at.desc()).limit(limit)))
