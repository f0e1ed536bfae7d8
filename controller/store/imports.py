"""Imports as they are kept, and what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, tuple_, update

from controller.store.billing_rows import SubscriptionRow
from controller.store.bulk_rows import among, columns_of
from controller.store.code_rows import VoucherRow
from controller.store.database import inserted
from controller.store.import_rows import ImportItemRow, ImportRow
from controller.store.rows import GrantRow, PlanRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from controller.store.database import Tx

PLAN, SUBSCRIPTION, VOUCHER = "plan", "subscription", "voucher"


async def load(tx: Tx, import_id: str) -> ImportRow | None:
    """An import, or None."""
    return await tx.get(ImportRow, import_id, populate_existing=True)


async def newest(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[ImportRow]:
    """Imports, the newest first, from after one of them."""
    query = select(ImportRow).order_by(ImportRow.at.desc(), ImportRow.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(ImportRow.at, ImportRow.id) < after)
    return list(await tx.scalars(query))


async def known(tx: Tx, site_id: str, origins: Collection[str]) -> dict[str, ImportItemRow]:
    """What was made before of these rows of a site's source, by origin."""
    query = select(ImportItemRow).where(
        ImportItemRow.site_id == site_id, among(tx, ImportItemRow.origin, origins)
    )
    return {row.origin: row for row in await tx.scalars(query)}


async def items_of(tx: Tx, import_id: str, kind: str) -> list[ImportItemRow]:
    """What an import made of a kind, and was not undone."""
    query = select(ImportItemRow).where(
        ImportItemRow.import_id == import_id, ImportItemRow.kind == kind
    )
    return list(await tx.scalars(query.order_by(ImportItemRow.origin)))


async def forget(tx: Tx, site_id: str, origins: Collection[str]) -> None:
    """Let rows of a source be brought over anew."""
    await tx.execute(
        delete(ImportItemRow).where(
            ImportItemRow.site_id == site_id, among(tx, ImportItemRow.origin, origins)
        )
    )


async def note(tx: Tx, item: ImportItemRow) -> None:
    """Keep what was made of a row, unless it is kept."""
    told = {column: getattr(item, column) for column in columns_of(ImportItemRow)}
    await inserted(tx, ImportItemRow, **told)


async def owners(tx: Tx, subscription_ids: Collection[str]) -> dict[str, str]:
    """Whose these subscriptions are."""
    query = select(SubscriptionRow.id, SubscriptionRow.subscriber_id)
    found = await tx.execute(query.where(among(tx, SubscriptionRow.id, subscription_ids)))
    return {row.id: row.subscriber_id for row in found}


async def is_used(tx: Tx, grant_id: str | None) -> bool:
    """Whether somebody was online by a grant."""
    row = None if grant_id is None else await tx.get(GrantRow, grant_id, populate_existing=True)
    return row is not None and (row.started_at is not None or row.used_bytes > 0)


async def plans_like(tx: Tx, ids: Collection[str]) -> dict[str, PlanRow]:
    """Plans of these ids, by id."""
    return {row.id: row for row in await tx.scalars(select(PlanRow).where(PlanRow.id.in_(ids)))}


async def subscribed_plans(tx: Tx, plan_ids: Collection[str]) -> set[str]:
    """Which of these plans some subscription is on that has not ended."""
    query = select(SubscriptionRow.plan_id).where(
        SubscriptionRow.plan_id.in_(plan_ids), SubscriptionRow.state != "ended"
    )
    return set(await tx.scalars(query.distinct()))


async def void_vouchers(tx: Tx, hashes: Sequence[str], now: datetime) -> set[str]:
    """End codes that nobody redeemed; their hashes. They leave their chunks soon after."""
    still = (among(tx, VoucherRow.code_hash, hashes), VoucherRow.redeemed_at.is_(None))
    found = await tx.execute(
        update(VoucherRow).where(*still).values(expires_at=now).returning(VoucherRow.code_hash)
    )
    voided = set(found.scalars())
    chunked = among(tx, VoucherRow.code_hash, voided), VoucherRow.chunk.is_not(None)
    await tx.execute(update(VoucherRow).where(*chunked).values(leaves_at=now))
    return voided
