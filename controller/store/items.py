"""The items of each site's desired state, its generation and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from controller.store.database import ROW_LOCK, upsert_many
from controller.store.rows import SiteGenerationRow, SiteItemRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.ids import SiteId
    from controller.store.database import Tx

GENERATIONS_KEPT = 1_000
"""An agent that is further behind gets a snapshot; older tombstones are forgotten."""

DIGEST_MODULUS = 2**256


@dataclass(frozen=True, slots=True)
class Change:
    """A step, or (``from_generation`` 0) the whole, of a site's desired state."""

    generation: int
    from_generation: int
    upserts: tuple[tuple[str, bytes], ...]
    removals: tuple[str, ...]
    digest: bytes


def weight(key: str, body: bytes) -> int:
    """What one item adds to the digest of its set."""
    return int.from_bytes(hashlib.sha256(key.encode() + b"\0" + body).digest(), "big")


def digest_of(items: Mapping[str, bytes]) -> bytes:
    """The digest of a set of items, whatever their order (see ``desired.proto``)."""
    total = sum(weight(key, body) for key, body in items.items())
    return (total % DIGEST_MODULUS).to_bytes(32, "big")


async def put(tx: Tx, site_id: SiteId, wanted: Mapping[str, bytes | None]) -> int | None:
    """Set items (None removes); the new generation, or None when everything stood so already.

    Locks the site's row, which comes last in the order of locks.
    """
    site = await _locked(tx, site_id)
    held = await _held(tx, site_id, wanted)
    changed = {key: body for key, body in wanted.items() if held.get(key) != body}
    if not changed:
        return None
    total = int.from_bytes(site.digest, "big")
    for key, body in changed.items():
        total -= 0 if (old := held.get(key)) is None else weight(key, old)
        total += 0 if body is None else weight(key, body)
    generation = site.generation + 1
    await upsert_many(
        tx,
        SiteItemRow,
        keys=("site_id", "key"),
        values=[
            {"site_id": site_id, "key": key, "generation": generation, "body": body}
            for key, body in changed.items()
        ],
    )
    await _advance(tx, site, generation, (total % DIGEST_MODULUS).to_bytes(32, "big"))
    return generation


async def change_since(tx: Tx, site_id: SiteId, *, generation: int, digest: bytes) -> Change | None:
    """What an agent that has ``generation`` with ``digest`` must be told; None when nothing.

    A step only from a version that this site really had; otherwise the whole.
    """
    site = await tx.get_one(SiteRow, site_id)
    if (generation, digest) == (site.generation, site.digest):
        return None
    known = await tx.get(SiteGenerationRow, (site_id, generation))
    if known is None or known.digest != digest:
        return await snapshot(tx, site)
    rows = await _rows(tx, site_id, after=generation)
    return Change(
        generation=site.generation,
        from_generation=generation,
        upserts=tuple((row.key, row.body) for row in rows if row.body is not None),
        removals=tuple(row.key for row in rows if row.body is None),
        digest=site.digest,
    )


async def is_beyond(tx: Tx, site_id: SiteId, *, generation: int, digest: bytes) -> bool:
    """Whether an agent holds a later version than ours, or something else under our generation.

    It would have to refuse anything that we could tell it (design §4.6): `overtake` first. Happens
    when our database came back from a backup.
    """
    site = await tx.get_one(SiteRow, site_id)
    return generation > site.generation or (
        generation == site.generation and digest != site.digest and generation > 0
    )


async def overtake(tx: Tx, site_id: SiteId, generation: int) -> None:
    """Move the site past ``generation``, its items unchanged. Locks the site's row."""
    site = await _locked(tx, site_id)
    await _advance(tx, site, max(generation, site.generation) + 1, site.digest)


async def snapshot(tx: Tx, site: SiteRow) -> Change:
    """All items of a site."""
    rows = await _rows(tx, site.id, after=0)
    upserts = {row.key: row.body for row in rows if row.body is not None}
    # Invariant: the digest that was kept step by step is the digest of what is really there.
    assert digest_of(upserts) == site.digest, f"digest of site {site.id} does not fit its items"
    return Change(
        generation=site.generation,
        from_generation=0,
        upserts=tuple(upserts.items()),
        removals=(),
        digest=site.digest,
    )


async def _locked(tx: Tx, site_id: str) -> SiteRow:
    return await tx.get_one(SiteRow, site_id, with_for_update=ROW_LOCK, populate_existing=True)


async def _held(
    tx: Tx, site_id: SiteId, wanted: Mapping[str, bytes | None]
) -> dict[str, bytes | None]:
    query = select(SiteItemRow.key, SiteItemRow.body).where(
        SiteItemRow.site_id == site_id, SiteItemRow.key.in_(list(wanted))
    )
    return {row.key: row.body for row in await tx.execute(query)}


async def _rows(tx: Tx, site_id: str, *, after: int) -> list[SiteItemRow]:
    query = (
        select(SiteItemRow)
        .where(SiteItemRow.site_id == site_id, SiteItemRow.generation > after)
        .order_by(SiteItemRow.key)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def _advance(tx: Tx, site: SiteRow, generation: int, digest: bytes) -> None:
    assert generation > site.generation, "a generation never goes back"
    site.generation, site.digest = generation, digest
    tx.add(SiteGenerationRow(site_id=site.id, generation=generation, digest=digest))
    await tx.flush()
    oldest = generation - GENERATIONS_KEPT
    await tx.execute(
        delete(SiteGenerationRow).where(
            SiteGenerationRow.site_id == site.id, SiteGenerationRow.generation < oldest
        )
    )
    await tx.execute(
        delete(SiteItemRow).where(
            SiteItemRow.site_id == site.id,
            SiteItemRow.generation < oldest,
            SiteItemRow.body.is_(None),
        )
    )
