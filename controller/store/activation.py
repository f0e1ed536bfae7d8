"""Activation tokens as they are kept: the keys and slots of each site, and what was issued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, exists, func, or_, select

from billing.ids import SiteId
from billing.plan import Audience
from controller.store.code_rows import TokenKeyRow, TokenRow, TokenSlotRow
from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import PlanRow
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

FIRST = 0
"""The number of a site's first key. Whoever holds its row may change the site's keys and slots."""


async def add_key(tx: Tx, site_id: str, *, number: int, sealed: bytes, now: datetime) -> bool:
    """Keep a new key; False when there is one of this number."""
    return await inserted(
        tx,
        TokenKeyRow,
        site_id=site_id,
        number=number,
        sealed=sealed,
        next_serial=0,
        created_at=now,
    )


async def held_keys(tx: Tx, site_id: str) -> list[TokenKeyRow]:
    """The keys of a site that are not retired, oldest first, while nobody else may change them."""
    await tx.get(TokenKeyRow, (site_id, FIRST), with_for_update=ROW_LOCK, populate_existing=True)
    return await keys(tx, site_id)


async def keys(tx: Tx, site_id: str) -> list[TokenKeyRow]:
    """The keys of a site that are not retired, oldest first."""
    query = (
        select(TokenKeyRow)
        .where(TokenKeyRow.site_id == site_id, TokenKeyRow.retired_at.is_(None))
        .order_by(TokenKeyRow.number)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def is_out(tx: Tx, site_id: str, number: int, *, since: datetime) -> bool:
    """Whether a token under this key, issued since then, waits to be redeemed."""
    query = select(TokenRow.id).where(
        TokenRow.site_id == site_id,
        TokenRow.key_number == number,
        TokenRow.redeemed_at.is_(None),
        TokenRow.issued_at > since,
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def slots(tx: Tx, site_id: str) -> list[TokenSlotRow]:
    """The slots of a site in order."""
    query = select(TokenSlotRow).where(TokenSlotRow.site_id == site_id).order_by(TokenSlotRow.slot)
    return list(await tx.scalars(query))


def add_slot(tx: Tx, site_id: str, *, slot: int, plan_id: str, now: datetime) -> TokenSlotRow:
    """Let a slot that is free stand for a plan. Hold the site's keys."""
    row = TokenSlotRow(site_id=site_id, slot=slot, plan_id=plan_id, used_at=now)
    tx.add(row)
    return row


async def free_rested_slot(tx: Tx, site_id: str, *, before: datetime) -> int | None:
    """Free the slot of a plan that is not sold and sold no token since; its number, or None."""
    query = (
        select(TokenSlotRow.slot)
        .join(PlanRow, PlanRow.id == TokenSlotRow.plan_id)
        .where(
            TokenSlotRow.site_id == site_id,
            TokenSlotRow.used_at <= before,
            PlanRow.withdrawn_at <= before,
        )
        .order_by(TokenSlotRow.used_at, TokenSlotRow.slot)
    )
    slot = await tx.scalar(query.limit(1))
    if slot is not None:
        await tx.execute(
            delete(TokenSlotRow).where(TokenSlotRow.site_id == site_id, TokenSlotRow.slot == slot)
        )
    return slot


async def unready_sites(tx: Tx) -> list[SiteId]:
    """Sites without a key, or where a plan with a price is on sale and has no slot."""
    has_key = exists().where(TokenKeyRow.site_id == SiteRow.id)
    has_slot = exists().where(
        TokenSlotRow.site_id == SiteRow.id, TokenSlotRow.plan_id == PlanRow.id
    )
    lacking = exists().where(
        PlanRow.withdrawn_at.is_(None),
        PlanRow.audience == Audience.HOTSPOT,
        PlanRow.price_minor > 0,
        ~has_slot.correlate(SiteRow, PlanRow),
    )
    query = select(SiteRow.id).where(or_(~has_key, lacking)).order_by(SiteRow.id)
    return [SiteId(one) for one in await tx.scalars(query)]


def add(
    tx: Tx,
    *,
    token_id: str,
    key: TokenKeyRow,
    slot: TokenSlotRow,
    serial: int,
    subscriber_id: str | None,
    now: datetime,
) -> TokenRow:
    """Keep a new token."""
    row = TokenRow(
        id=token_id,
        site_id=key.site_id,
        key_number=key.number,
        serial=serial,
        slot=slot.slot,
        plan_id=slot.plan_id,
        subscriber_id=subscriber_id,
        issued_at=now,
    )
    tx.add(row)
    return row


async def load(tx: Tx, token_id: str) -> TokenRow | None:
    """A token, or None."""
    return await tx.get(TokenRow, token_id)


async def locked(tx: Tx, site_id: str, *, key_number: int, serial: int) -> TokenRow | None:
    """The token of a serial, locked and as it now is, or None."""
    query = (
        select(TokenRow)
        .where(
            TokenRow.site_id == site_id,
            TokenRow.key_number == key_number,
            TokenRow.serial == serial,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await tx.scalars(query)).first()


async def by_grant(tx: Tx, grant_id: str) -> TokenRow | None:
    """The token that a grant came of, or None."""
    return (await tx.scalars(select(TokenRow).where(TokenRow.grant_id == grant_id))).first()


async def last_key_number(tx: Tx, site_id: str) -> int:
    """The number of the newest key of a site, retired or not."""
    query = select(func.max(TokenKeyRow.number)).where(TokenKeyRow.site_id == site_id)
    return (await tx.execute(query)).scalar_one()


async def key(tx: Tx, site_id: str, number: int) -> TokenKeyRow:
    """One key, retired or not."""
    query = select(TokenKeyRow).where(
        and_(TokenKeyRow.site_id == site_id, TokenKeyRow.number == number)
    )
    return (await tx.scalars(query)).one()
