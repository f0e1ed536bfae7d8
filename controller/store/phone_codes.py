"""Requests for a code by SMS, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from controller.store.database import ROW_LOCK
from controller.store.rows import GrantRow, PhoneCodeRow, SubscriberRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


def add(tx: Tx, *, code_id: str, site_id: str, msisdn: str, code_hash: str, now: datetime) -> None:
    """Keep a request; ``code_hash`` is empty when nothing is sent."""
    tx.add(
        PhoneCodeRow(
            id=code_id,
            site_id=site_id,
            msisdn=msisdn,
            code_hash=code_hash,
            asked_at=now,
            tries=0,
        )
    )


async def asked(tx: Tx, *, site_id: str, msisdn: str, since: datetime) -> tuple[int, int]:
    """Requests since then: for this phone anywhere, and at this site for any phone."""
    of_phone = select(func.count()).where(
        PhoneCodeRow.msisdn == msisdn, PhoneCodeRow.asked_at > since
    )
    of_site = select(func.count()).where(
        PhoneCodeRow.site_id == site_id, PhoneCodeRow.asked_at > since
    )
    return (await tx.execute(of_phone)).scalar_one(), (await tx.execute(of_site)).scalar_one()


async def newest(tx: Tx, *, site_id: str, msisdn: str, since: datetime) -> PhoneCodeRow | None:
    """The newest request of a phone at a site since then, locked and as it now is, or None."""
    query = (
        select(PhoneCodeRow.id)
        .where(
            PhoneCodeRow.site_id == site_id,
            PhoneCodeRow.msisdn == msisdn,
            PhoneCodeRow.asked_at > since,
        )
        .order_by(PhoneCodeRow.asked_at.desc(), PhoneCodeRow.id.desc())
    )
    code_id = await tx.scalar(query.limit(1))
    if code_id is None:
        return None
    return await tx.get(PhoneCodeRow, code_id, with_for_update=ROW_LOCK, populate_existing=True)


async def by_redemption(tx: Tx, redemption_id: str) -> PhoneCodeRow | None:
    """The request whose code a redemption used, or None."""
    query = select(PhoneCodeRow).where(PhoneCodeRow.redemption_id == redemption_id)
    return (await tx.scalars(query)).first()


async def forget(tx: Tx, *, before: datetime) -> None:
    """Drop requests that no limit looks at any more."""
    await tx.execute(delete(PhoneCodeRow).where(PhoneCodeRow.asked_at < before))


async def newest_grant(tx: Tx, *, site_id: str, msisdn: str) -> str | None:
    """The newest grant of a phone that is still good at a site, or None."""
    query = (
        select(GrantRow.id)
        .join(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
        .where(
            SubscriberRow.msisdn == msisdn,
            GrantRow.site_id == site_id,
            GrantRow.ended_at.is_(None),
        )
        .order_by(GrantRow.created_at.desc(), GrantRow.id.desc())
    )
    return await tx.scalar(query.limit(1))
