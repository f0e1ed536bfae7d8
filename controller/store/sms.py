"""Text messages on their way out, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.database import ROW_LOCK
from controller.store.rows import SmsRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

WAITING = "waiting"
SENT = "sent"
GIVEN_UP = "given_up"


def add(
    tx: Tx,
    *,
    sms_id: str,
    site_id: str,
    about: str,
    msisdn: str,
    sealed: bytes,
    now: datetime,
    good_until: datetime | None,
    leaves_at: datetime | None = None,
) -> None:
    """Keep a message that is to leave then, or at once."""
    tx.add(
        SmsRow(
            id=sms_id,
            site_id=site_id,
            about=about,
            msisdn=msisdn,
            sealed=sealed,
            state=WAITING,
            created_at=now,
            due_at=leaves_at or now,
            good_until=good_until,
            tries=0,
            problem="",
        )
    )


async def due(tx: Tx, now: datetime, *, limit: int) -> list[SmsRow]:
    """Messages to send now, locked; those that another process holds are left to it."""
    query = (
        select(SmsRow)
        .where(SmsRow.due_at <= now)
        .order_by(SmsRow.due_at, SmsRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def locked(tx: Tx, sms_id: str) -> SmsRow:
    """A message, locked and as it now is."""
    return await tx.get_one(SmsRow, sms_id, with_for_update=ROW_LOCK, populate_existing=True)


async def newest_about(tx: Tx, about: str) -> SmsRow | None:
    """The newest message about something, or None."""
    query = (
        select(SmsRow).where(SmsRow.about == about).order_by(SmsRow.created_at.desc(), SmsRow.id)
    )
    return (await tx.scalars(query.limit(1))).first()
