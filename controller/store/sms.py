"""Text messages on their way out, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import InboxRow, SmsRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from controller.store.database import Tx

WAITING = "waiting"
SENT = "sent"
GIVEN_UP = "given_up"

REPORTS = "sms-report"
"""The inbox's source of reports about messages whose names we do not know yet."""


async def add(
    tx: Tx,
    *,
    sms_id: str,
    site_id: str | None,
    about: str,
    msisdn: str,
    sealed: bytes,
    now: datetime,
    good_until: datetime | None,
    leaves_at: datetime | None = None,
    event: str | None = None,
    parts: int = 1,
) -> bool:
    """Keep a message that is to leave then, or at once; False when its event has one already."""
    return await inserted(
        tx,
        SmsRow,
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
        event=event,
        parts=parts,
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


async def locked_by_name(tx: Tx, name: str) -> SmsRow | None:
    """The newest message that is called so, by its carrier or by us, locked; or None."""
    query = (
        select(SmsRow.id)
        .where(or_(SmsRow.provider_id == name, SmsRow.id == name))
        .order_by(SmsRow.created_at.desc(), SmsRow.id)
        .limit(1)
    )
    found = await tx.scalar(query)
    return None if found is None else await locked(tx, found)


async def keep_report(tx: Tx, *, name: str, delivery: str, now: datetime) -> None:
    """Keep a report that came before we knew the message by this name."""
    external_id = _reported(name, delivery)
    await inserted(tx, InboxRow, source=REPORTS, external_id=external_id, body=b"", received_at=now)


async def early_report(tx: Tx, name: str, among: Iterable[str]) -> tuple[str, datetime] | None:
    """What was told first of a message before we knew its name, and when; or None."""
    names = {_reported(name, one): one for one in among}
    query = (
        select(InboxRow.external_id, InboxRow.received_at)
        .where(InboxRow.source == REPORTS, InboxRow.external_id.in_(names))
        .order_by(InboxRow.received_at)
        .limit(1)
    )
    found = (await tx.execute(query)).first()
    return None if found is None else (names[found.external_id], found.received_at)


def _reported(name: str, delivery: str) -> str:
    return f"{name}:{delivery}"
