"""Batches of prepaid codes. A code is shown once, when it is made; only its keyed hash is kept.

Sites that may redeem a batch with their link down are told a second, slow hash of each code, in
chunks. A code that was redeemed or has expired leaves its chunk everywhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.voucher import VoucherCode, new_code
from controller.edge import wire
from controller.store import items, plans, sites, vouchers
from controller.store.vouchers import Hashes, Offline
from controller.usecases.plans import must_be_sold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from datetime import datetime

    from billing.ids import PlanId, SiteId
    from controller.deps import Deps
    from controller.store.code_rows import VoucherBatchRow, VoucherRow
    from controller.store.database import Tx

BATCH_MAX = 10_000

SALT_BYTES = 16
HASH_BYTES = 16
ROUNDS = 4_096
"""How often a code is hashed for sites; measured: 1.6 ms a code, so 10,000 take 16 s of one core.

A stolen box has every hash of a batch under one salt. A code has 54 bits: with 10,000 of them on
sale a graphics card that does 10^10 hashes a second needs more than a week for the first, and gets
one voucher. More rounds would make a small box slow to answer an honest customer, whose code it has
to try under the salt of each batch.
"""

THIN_OUT_MAX = 5_000


def code_hash(deps: Deps, code: VoucherCode) -> str:
    """How a code is kept and found."""
    return deps.vault.fingerprint("voucher", code)


def offline_hash(code: VoucherCode, salt: bytes, rounds: int = ROUNDS) -> bytes:
    """How a site knows a code of a batch (``VoucherChunk`` in the wire contract)."""
    return hashlib.pbkdf2_hmac("sha256", code.encode(), salt, rounds, HASH_BYTES)


async def create_vouchers(
    deps: Deps,
    plan_id: PlanId,
    count: int,
    expires_at: datetime | None,
    *,
    sites_named: Sequence[SiteId] | None = None,
    offline: bool = True,
) -> tuple[str, tuple[VoucherCode, ...]]:
    """Make a batch of codes for a plan: the batch's name, and the codes, shown only now.

    They are good everywhere while the link is up. With the link down they are good at the sites
    named (None: at every site, and at those to come), or nowhere unless ``offline``.

    Raises `InvalidField` (``count``, ``expires_at``, ``sites``), `PlanUnknown`, `PlanWithdrawn`,
    `DatabaseBusy`.
    """
    now = deps.now()
    if not 1 <= count <= BATCH_MAX:
        raise InvalidField("count", f"want 1 to {BATCH_MAX:,}, got {count:,}")
    if expires_at is not None and expires_at <= now:
        raise InvalidField("expires_at", "want a moment to come")
    if sites_named is not None and not offline:
        raise InvalidField("sites", "want none of them, or a batch that is not online only")
    codes = await asyncio.to_thread(_fresh, count)
    where = None if sites_named is None else tuple(dict.fromkeys(sites_named))
    batch = await keep_codes(deps, plan_id, codes, expires_at, where=where, offline=offline)
    return batch, tuple(sorted(codes))


async def keep_codes(
    deps: Deps,
    plan_id: PlanId,
    codes: Sequence[VoucherCode],
    expires_at: datetime | None,
    *,
    where: tuple[SiteId, ...] | None,
    offline: bool = True,
    beside: Callable[[Tx, str], Awaitable[None]] | None = None,
) -> str:
    """Keep codes, of which none is kept yet, as a batch; its name.

    ``beside`` is done in the same transaction, with the batch's name. Raises as `create_vouchers`.
    """
    now = deps.now()
    await _check(deps, plan_id, where or ())
    known_by = Offline(secrets.token_bytes(SALT_BYTES), ROUNDS, where) if offline else None
    hashes = await _hashed(deps, codes, known_by)
    batch = f"{now:%Y%m%d}-{secrets.token_hex(4)}"
    async with deps.db.begin() as tx:
        # A site that is being added meanwhile would miss the batch, or the batch it.
        await plans.lock(tx)
        await must_be_sold(tx, plan_id)
        await vouchers.insert_batch(
            tx,
            hashes,
            batch=batch,
            plan_id=plan_id,
            now=now,
            expires_at=expires_at,
            offline=known_by,
        )
        if beside is not None:
            await beside(tx, batch)
        changed = await _told(tx, batch) if offline else []
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    return batch


def _fresh(count: int) -> tuple[VoucherCode, ...]:
    codes = set[VoucherCode]()
    while len(codes) < count:
        codes.add(new_code(secrets.randbelow))
    return tuple(codes)


async def thin_out(deps: Deps) -> int:
    """Take vouchers that were redeemed or have expired out of their chunks; how many.

    Not where they are redeemed, but soon after: one generation at a site for many of them, and no
    redemption waits for the rows of all sites. Raises `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        gone = await vouchers.leaving(tx, deps.now(), limit=THIN_OUT_MAX)
        chunks: dict[str, set[int]] = {}
        for voucher in gone:
            if voucher.chunk is not None:
                chunks.setdefault(voucher.batch, set()).add(voucher.chunk)
            voucher.chunk, voucher.leaves_at = None, None
        await tx.flush()
        # What another process takes out of the same chunk must not come back with ours.
        await vouchers.hold_batches(tx, chunks)
        wanted: dict[SiteId, dict[str, bytes | None]] = {}
        for batch, numbers in chunks.items():
            bodies = await _chunks(tx, batch, numbers)
            for site_id in await vouchers.offline_sites(tx, batch):
                wanted.setdefault(site_id, {}).update(bodies)
        changed = await items.put_many(tx, wanted)
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    return len(gone)


async def chunks_for(tx: Tx, site_id: SiteId) -> dict[str, bytes | None]:
    """The items of every batch that a site may redeem offline, as for a site that is new."""
    wanted: dict[str, bytes | None] = {}
    batches = await vouchers.offline_batches(tx, site_id=site_id)
    await vouchers.hold_batches(tx, batches)
    for batch in batches:
        wanted.update(await _chunks(tx, batch, None))
    return wanted


def item_key(batch: str, number: int) -> str:
    """The key of a chunk's item."""
    return f"vouchers/{batch}/{number}"


async def _check(deps: Deps, plan_id: PlanId, sites_named: Sequence[SiteId]) -> None:
    """Refuse what cannot be before the slow part begins."""
    async with deps.db.read() as tx:
        await must_be_sold(tx, plan_id)
        unknown = set(sites_named) - set(await sites.all_ids(tx))
    if unknown:
        raise InvalidField("sites", f"there is no site {min(unknown)}")


async def _hashed(
    deps: Deps, codes: Sequence[VoucherCode], offline: Offline | None
) -> list[Hashes]:
    """Every code's hashes; the slow ones in threads, a part of the codes for each processor."""
    if offline is None:
        return [Hashes(code_hash(deps, code)) for code in codes]
    size = -(-len(codes) // (os.cpu_count() or 1))
    parts = [codes[start : start + size] for start in range(0, len(codes), size)]
    slow = await asyncio.gather(*(asyncio.to_thread(_slowly, part, offline) for part in parts))
    flat = [one for part in slow for one in part]
    return [Hashes(code_hash(deps, code), one) for code, one in zip(codes, flat, strict=True)]


def _slowly(codes: Sequence[VoucherCode], offline: Offline) -> list[bytes]:
    return [offline_hash(code, offline.salt, offline.rounds) for code in codes]


async def _told(tx: Tx, batch: str) -> list[SiteId]:
    """Put all chunks of a new batch into the desired state of its sites."""
    bodies = await _chunks(tx, batch, None)
    changed = await items.put_many(
        tx, dict.fromkeys(await vouchers.offline_sites(tx, batch), bodies)
    )
    return list(changed)


async def _chunks(tx: Tx, batch: str, numbers: Collection[int] | None) -> dict[str, bytes | None]:
    """Items of chunks as they now are; None for one that has become empty."""
    kept = await vouchers.batch(tx, batch)
    found = await vouchers.in_chunks(tx, batch, numbers)
    return {
        item_key(batch, number): await _body(tx, kept, rows) if rows else None
        for number, rows in found.items()
    }


async def _body(tx: Tx, kept: VoucherBatchRow, rows: Sequence[VoucherRow]) -> bytes:
    plan = await plans.load(tx, rows[0].plan_id)
    assert plan is not None
    return wire.voucher_chunk_body(
        plans.as_plan(plan),
        batch=kept.batch,
        salt=kept.salt,
        rounds=kept.rounds,
        hashes=[row.offline_hash or b"" for row in rows],
        expires_at=rows[0].expires_at,
    )
