"""Vouchers and failed attempts to redeem, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, tuple_

from billing.ids import SiteId
from controller.store.code_rows import (
    VoucherBatchRow,
    VoucherBatchSiteRow,
    VoucherRow,
    VoucherTryRow,
)
from controller.store.database import ROW_LOCK, inserted
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from controller.store.database import Tx

CHUNK_CODES = 50
"""Codes in one item: few enough that one redeemed code costs a thin link less than 1 KB."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """How a code is known: here, and where it may be redeemed offline, at sites."""

    online: str
    offline: bytes | None = None


@dataclass(frozen=True, slots=True)
class Offline:
    """How sites know a batch: its salt, how often it is hashed, and which sites (None: all)."""

    salt: bytes
    rounds: int
    sites: tuple[SiteId, ...] | None


async def insert_batch(
    tx: Tx,
    codes: Sequence[Hashes],
    *,
    batch: str,
    plan_id: str,
    now: datetime,
    expires_at: datetime | None,
    offline: Offline | None,
) -> None:
    """Keep a batch of new codes, by their hashes only."""
    if offline is not None:
        everywhere = offline.sites is None
        tx.add(
            VoucherBatchRow(
                batch=batch, salt=offline.salt, rounds=offline.rounds, everywhere=everywhere
            )
        )
        await tx.flush()
        tx.add_all(
            VoucherBatchSiteRow(batch=batch, site_id=site_id) for site_id in offline.sites or ()
        )
        await tx.flush()
    await tx.execute(
        insert(VoucherRow),
        [
            {
                "code_hash": code.online,
                "batch": batch,
                "plan_id": plan_id,
                "created_at": now,
                "expires_at": expires_at,
                "offline_hash": code.offline,
                "chunk": None if code.offline is None else n // CHUNK_CODES,
                "leaves_at": None if code.offline is None else expires_at,
            }
            for n, code in enumerate(codes)
        ],
    )


async def offline_batches(tx: Tx, *, site_id: str) -> list[str]:
    """The batches that a site may redeem offline, of which some codes are left."""
    named = select(VoucherBatchSiteRow.batch).where(VoucherBatchSiteRow.site_id == site_id)
    query = select(VoucherBatchRow.batch).where(
        VoucherBatchRow.everywhere | VoucherBatchRow.batch.in_(named),
        exists().where(VoucherRow.batch == VoucherBatchRow.batch, VoucherRow.chunk.is_not(None)),
    )
    return list(await tx.scalars(query.order_by(VoucherBatchRow.batch)))


async def offline_sites(tx: Tx, batch: str) -> list[SiteId]:
    """The sites that may redeem a batch offline."""
    kept = await tx.get_one(VoucherBatchRow, batch)
    query = select(SiteRow.id)
    if not kept.everywhere:
        query = select(VoucherBatchSiteRow.site_id).where(VoucherBatchSiteRow.batch == batch)
    return [SiteId(one) for one in await tx.scalars(query)]


async def batch(tx: Tx, name: str) -> VoucherBatchRow:
    """A batch that sites may redeem offline."""
    return await tx.get_one(VoucherBatchRow, name)


async def hold_batches(tx: Tx, names: Collection[str]) -> None:
    """Let nobody else change the chunks of these batches, or tell a site of them, meanwhile."""
    query = select(VoucherBatchRow.batch).where(VoucherBatchRow.batch.in_(names))
    await tx.execute(query.order_by(VoucherBatchRow.batch).with_for_update(key_share=True))


async def in_chunks(
    tx: Tx, batch_name: str, chunks: Collection[int] | None = None
) -> dict[int, list[VoucherRow]]:
    """The vouchers that stand in chunks of a batch, in a fixed order; all chunks unless named."""
    query = select(VoucherRow).where(VoucherRow.batch == batch_name, VoucherRow.chunk.is_not(None))
    if chunks is not None:
        query = query.where(VoucherRow.chunk.in_(chunks))
    found: dict[int, list[VoucherRow]] = {number: [] for number in chunks or ()}
    ordered = query.order_by(VoucherRow.offline_hash).execution_options(populate_existing=True)
    for row in await tx.scalars(ordered):
        assert row.chunk is not None
        found.setdefault(row.chunk, []).append(row)
    return found


async def leaving(tx: Tx, now: datetime, *, limit: int) -> list[VoucherRow]:
    """Vouchers that are to leave their chunks by now, locked by their hashes."""
    query = (
        select(VoucherRow)
        .where(VoucherRow.leaves_at <= now)
        .order_by(VoucherRow.code_hash)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


def redeemed(row: VoucherRow, *, redemption_id: str, grant_id: str, now: datetime) -> None:
    """Note that a voucher was redeemed; it is about to leave its chunk at every site."""
    # Invariant: a voucher is redeemed once; a second redemption is a double one.
    assert row.redemption_id is None
    row.redeemed_at, row.redemption_id, row.grant_id = now, redemption_id, grant_id
    if row.chunk is not None:
        row.leaves_at = now


async def locked_offline(
    tx: Tx, named: Collection[tuple[str, bytes]]
) -> dict[tuple[str, bytes], VoucherRow]:
    """Vouchers by batch and offline hash, locked by their hashes and as they now are."""
    if not named:
        return {}
    query = (
        select(VoucherRow)
        .where(tuple_(VoucherRow.batch, VoucherRow.offline_hash).in_(list(named)))
        .order_by(VoucherRow.code_hash)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {(row.batch, row.offline_hash or b""): row for row in await tx.scalars(query)}


async def locked(tx: Tx, code_hash: str) -> VoucherRow | None:
    """A voucher, locked and as it now is, or None."""
    return await tx.get(VoucherRow, code_hash, with_for_update=ROW_LOCK, populate_existing=True)


async def note_failed_try(
    tx: Tx, *, redemption_id: str, site_id: str, device_mac: str, now: datetime
) -> None:
    """Count one attempt that found no good voucher; a repeat of the same attempt counts once."""
    await inserted(
        tx,
        VoucherTryRow,
        redemption_id=redemption_id,
        site_id=site_id,
        device_mac=device_mac,
        at=now,
    )


async def failed_tries(
    tx: Tx, *, site_id: str, device_mac: str, since: datetime
) -> tuple[int, int]:
    """Failed attempts since then: of this device, and of its whole site."""
    of_device = func.count().filter(VoucherTryRow.device_mac == device_mac)
    query = select(of_device, func.count()).where(
        VoucherTryRow.site_id == site_id, VoucherTryRow.at > since
    )
    device, site = (await tx.execute(query)).one()
    return device, site


async def forget_tries(tx: Tx, *, before: datetime) -> None:
    """Drop attempts that no limit looks at any more."""
    await tx.execute(delete(VoucherTryRow).where(VoucherTryRow.at < before))
