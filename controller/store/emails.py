"""Letters on their way out, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.database import ROW_LOCK, inserted
from controller.store.payment_rows import EmailRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

WAITING = "waiting"
SENT = "sent"
GIVEN_UP = "given_up"


async def add(
    tx: Tx,
    *,
    email_id: str,
    subscriber_id: str | None,
    about: str,
    event: str | None,
    sealed: bytes,
    now: datetime,
    good_until: datetime | None,
) -> bool:
    """Keep a letter that is to leave; False when its event has one already."""
    return await inserted(
        tx,
        EmailRow,
        id=email_id,
        subscriber_id=subscriber_id,
        about=about,
        event=event,
        sealed=sealed,
        state=WAITING,
        created_at=now,
        due_at=now,
        good_until=good_until,
        tries=0,
        problem="",
    )


async def due(tx: Tx, now: datetime, *, limit: int) -> list[EmailRow]:
    """Letters to send now, locked; those that another process holds are left to it."""
    query = (
        select(EmailRow)
        .where(EmailRow.due_at <= now)
        .order_by(EmailRow.due_at, EmailRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def locked(tx: Tx, email_id: str) -> EmailRow:
    """A letter, locked and as it now is."""
    return await tx.get_one(EmailRow, email_id, with_for_update=ROW_LOCK, populate_existing=True)
