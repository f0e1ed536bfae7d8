"""Vouchers and failed attempts to redeem, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import VoucherRow, VoucherTryRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.database import Tx


async def insert_batch(
    tx: Tx,
    hashes: Sequence[str],
    *,
    batch: str,
    plan_id: str,
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Keep a batch of new codes, by their hashes only."""
    await tx.execute(
        insert(VoucherRow),
        [
            {
                "code_hash": code_hash,
                "batch": batch,
                "plan_id": plan_id,
                "created_at": now,
                "expires_at": expires_at,
            }
            for code_hash in hashes
        ],
    )


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
