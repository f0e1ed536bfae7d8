"""Grants as they are kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import exists, literal, or_, select, update

from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId
from billing.proof import PROOF_BYTES
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK
from controller.store.plans import as_plan
from controller.store.rows import GrantRow, GrantSiteRow, PlanRow
from controller.store.site_rows import SiteItemRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from controller.store.database import Tx

STAFF = "staff:"
"""Start of the cause of a grant that staff gave; sites are told no cause for those."""

SUBSCRIPTION = "sub:"
"""Start of the cause of a grant that a period of a subscription gave; then comes its id."""

PROOFS_MAX = 8
"""A grant is bought by one code; more come only when a receipt is pasted in another form."""


def new_id() -> GrantId:
    """A name for a grant that is about to be given."""
    return GrantId(secrets.token_hex(16))


def as_grant(row: GrantRow, plan: PlanRow) -> Grant:
    """The grant that a row holds."""
    assert row.plan_id == plan.id
    return Grant(
        id=GrantId(row.id),
        plan_id=PlanId(plan.id),
        plan_name=plan.name,
        limits=as_plan(plan).limits,
        devices=tuple(row.devices.split()),
        revoked=row.ended_reason == "revoked",
    )


def add_proof(row: GrantRow, proved: bytes) -> bool:
    """Keep one more proof of a grant; False when it has it, or has no room for more."""
    kept = row.proofs or b""
    held = {kept[n : n + PROOF_BYTES] for n in range(0, len(kept), PROOF_BYTES)}
    if proved in held or len(held) >= PROOFS_MAX:
        return False
    row.proofs = kept + proved
    return True


def spent_of(row: GrantRow) -> Spent:
    """What sites have reported to be spent of it."""
    return Spent(
        validity_s=row.spent_validity_s,
        uptime_s=row.spent_uptime_s,
        used_bytes=row.used_bytes,
    )


async def locked_among(tx: Tx, grant_ids: Collection[str]) -> Sequence[str]:
    """Those of these grants that are not over, locked in the order of their ids."""
    if not grant_ids:
        return ()
    query = (
        select(GrantRow.id)
        .where(among(tx, GrantRow.id, grant_ids), GrantRow.ended_at.is_(None))
        .order_by(GrantRow.id)
        .with_for_update(key_share=True)
    )
    return (await tx.scalars(query)).all()


async def end_many(tx: Tx, grant_ids: Collection[str], *, now: datetime, reason: str) -> None:
    """End (locked) grants."""
    if grant_ids:
        await tx.execute(
            update(GrantRow)
            .where(among(tx, GrantRow.id, grant_ids))
            .values(ended_at=now, ended_reason=reason)
            .execution_options(synchronize_session=False)
        )


async def insert(
    tx: Tx,
    *,
    grant_id: GrantId,
    site_id: str,
    plan_id: str,
    subscriber_id: str | None,
    cause_id: str,
    devices: Sequence[str],
    now: datetime,
) -> GrantRow:
    """Keep a new grant. Its cause may have given no other: that would be a bug, and raises."""
    row = GrantRow(
        id=grant_id,
        site_id=site_id,
        plan_id=plan_id,
        subscriber_id=subscriber_id,
        cause_id=cause_id,
        devices=" ".join(devices),
        created_at=now,
        spent_validity_s=0,
        spent_uptime_s=0,
        used_bytes=0,
    )
    tx.add(row)
    await tx.flush()
    return row


async def by_cause(tx: Tx, cause_id: str) -> GrantRow | None:
    """The grant that an order or a redemption gave, or None."""
    return (await tx.scalars(select(GrantRow).where(GrantRow.cause_id == cause_id))).first()


async def locked(tx: Tx, grant_id: str) -> GrantRow | None:
    """A grant, locked and as it now is, or None."""
    return await tx.get(GrantRow, grant_id, with_for_update=ROW_LOCK, populate_existing=True)


async def locked_of_site(tx: Tx, site_id: str, ids: Collection[str]) -> dict[str, GrantRow]:
    """Those of the named grants that this site may use, locked in the order of their ids."""
    here = select(GrantSiteRow.grant_id).where(GrantSiteRow.site_id == site_id)
    query = (
        select(GrantRow)
        .where(GrantRow.id.in_(ids), GrantRow.id.in_(here))
        .order_by(GrantRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in await tx.scalars(query)}


async def maybe_ended(
    tx: Tx, *, valid_before: datetime, limit: int, after_id: str = ""
) -> list[tuple[GrantRow, PlanRow]]:
    """Grants that are still on but look spent, with their plans; locked, by id after ``after_id``.

    The pure rule decides; this only keeps it from reading every grant there is.
    """
    query = (
        select(GrantRow, PlanRow)
        .join(PlanRow, PlanRow.id == GrantRow.plan_id)
        .where(
            GrantRow.ended_at.is_(None),
            GrantRow.id > after_id,
            or_(
                GrantRow.valid_until <= valid_before,
                GrantRow.spent_validity_s >= PlanRow.validity_s,
                GrantRow.spent_uptime_s >= PlanRow.uptime_s,
                GrantRow.used_bytes >= PlanRow.quota_bytes,
            ),
        )
        .order_by(GrantRow.id)
        .limit(limit)
        .with_for_update(of=GrantRow, skip_locked=True, key_share=True)
    )
    return [(grant, plan) for grant, plan in await tx.execute(query)]


async def revoked_but_shown(tx: Tx, *, before: datetime, limit: int) -> list[GrantRow]:
    """Grants that were revoked before then and still stand in a site's desired state."""
    still_told = exists().where(
        GrantSiteRow.grant_id == GrantRow.id,
        SiteItemRow.site_id == GrantSiteRow.site_id,
        SiteItemRow.key == literal("grant/") + GrantRow.id,
        SiteItemRow.body.is_not(None),
    )
    query = (
        select(GrantRow)
        .where(GrantRow.ended_reason == "revoked", GrantRow.ended_at <= before, still_told)
        .order_by(GrantRow.id)
        .limit(limit)
        .with_for_update(of=GrantRow, skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))
