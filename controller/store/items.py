"""The items of each site's desired state, its generation and its digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from billing.ids import SiteId
from controller.store.bulk_rows import Values, is_postgres
from controller.store.bulk_rows import put as put_rows
from controller.store.database import inserted
from controller.store.site_rows import SiteGenerationRow, SiteItemRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from controller.store.database import Tx

GENERATIONS_KEPT = 1_000
"""An agent that is further behind gets a snapshot; older tombstones are forgotten."""

FORGET_EVERY = 100
"""Generations between two rounds of forgetting."""

SITES_AT_ONCE = 1_000
COLUMNS = ("site_id", "key", "generation", "body")

AMENDS_BYTES_MAX = 64 * 1024
"""When more has changed among what an agent holds of a change that broke off, it begins anew."""

DIGEST_MODULUS = 2**256

TOLD_ALL = b"told all"
"""In place of the digest of a generation that was not ours."""


@dataclass(frozen=True, slots=True)
class Change:
    """A step, or (``from_generation`` 0) the whole, of a site's desired state.

    A part of it, when it ``continues`` what the agent holds, or has more behind ``upto_key``.
    """

    generation: int
    from_generation: int
    upserts: tuple[tuple[str, bytes], ...]
    removals: tuple[str, ...]
    digest: bytes
    continues: bool = False
    upto_key: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Of a change that broke off, what the agent has of it: everything up to a key."""

    generation: int
    digest: bytes
    from_generation: int
    upto_key: str


def weight(key: str, body: bytes) -> int:
    """What one item adds to the digest of its set."""
    return int.from_bytes(hashlib.sha256(key.encode() + b"\0" + body).digest(), "big")


def digest_of(items: Mapping[str, bytes]) -> bytes:
    """The digest of a set of items, whatever their order (see ``desired.proto``)."""
    total = sum(weight(key, body) for key, body in items.items())
    return _digest(total)


async def put(tx: Tx, site_id: SiteId, wanted: Mapping[str, bytes | None]) -> int | None:
    """Set items (None removes); the new generation, or None when everything stood so already.

    Locks the site's row, which comes last in the order of locks.
    """
    return (await put_many(tx, {site_id: wanted})).get(site_id)


async def put_many(
    tx: Tx,
    wanted: Mapping[SiteId, Mapping[str, bytes | None]],
    *,
    asked: Mapping[SiteId, Collection[str]] | None = None,
) -> dict[SiteId, int]:
    """Set items of many sites at once, in as many statements as for one.

    Items that a site ``asked`` about and that do not stand are told as removals, though nothing
    changes here: the site may hold what it made itself. The new generation of each site that
    changed. Locks the sites' rows, in the order of their ids.
    """
    generations: dict[SiteId, int] = {}
    asked = asked or {}
    names = sorted(wanted.keys() | asked.keys())
    for start in range(0, len(names), SITES_AT_ONCE):
        part = names[start : start + SITES_AT_ONCE]
        generations |= await _put_chunk(
            tx,
            {site_id: wanted.get(site_id, {}) for site_id in part},
            {site_id: asked.get(site_id, ()) for site_id in part},
        )
    return generations


async def _put_chunk(
    tx: Tx,
    wanted: Mapping[SiteId, Mapping[str, bytes | None]],
    asked: Mapping[SiteId, Collection[str]],
) -> dict[SiteId, int]:
    sites = await _all_locked(tx, wanted)
    held = await _held(tx, {one: {*part, *asked[one]} for one, part in wanted.items()})
    values: list[Values] = []
    advanced: list[SiteRow] = []
    for site in sites:
        site_id = SiteId(site.id)
        part = wanted[site_id]
        changed = {key: body for key, body in part.items() if held.get((site_id, key)) != body}
        for key in asked[site_id]:
            if part.get(key, held.get((site_id, key))) is None:
                changed[key] = None
        if not changed:
            continue
        total = int.from_bytes(site.digest, "big")
        for key, body in changed.items():
            old = held.get((site_id, key))
            total += _weight_or_nothing(key, body) - _weight_or_nothing(key, old)
        site.generation, site.digest = site.generation + 1, _digest(total)
        advanced.append(site)
        values += [(site_id, key, site.generation, body) for key, body in changed.items()]
    await put_rows(tx, SiteItemRow, values, columns=COLUMNS, keys=("site_id", "key"))
    await _note_generations(tx, advanced)
    return {SiteId(site.id): site.generation for site in advanced}


async def change_since(
    tx: Tx, site_id: SiteId, *, generation: int, digest: bytes, held: Held | None = None
) -> Change | None:
    """What an agent that has ``generation`` with ``digest`` must be told; None when nothing.

    A step only from a version that this site really had; otherwise the whole. The rest of what it
    ``held``, if that too is of versions that this site had.
    """
    site = await tx.get_one(SiteRow, site_id)
    if (generation, digest) == (site.generation, site.digest):
        return None
    known = await _had(tx, site_id, generation, digest)
    if held is not None and (
        held.from_generation == 0 or (known, held.from_generation) == (True, generation)
    ):
        rest = await _rest(tx, site, held)
        if rest is not None:
            return rest
    if not known:
        return await snapshot(tx, site)
    rows = await _rows(tx, site_id, after=generation)
    return Change(
        generation=site.generation,
        from_generation=generation,
        upserts=tuple((row.key, row.body) for row in rows if row.body is not None),
        removals=tuple(row.key for row in rows if row.body is None),
        digest=site.digest,
    )


async def bodies(tx: Tx, key: str, site_ids: Collection[SiteId]) -> dict[SiteId, bytes | None]:
    """What these sites are told under a key, of those that are told anything."""
    held = await _held(tx, dict.fromkeys(site_ids, (key,)))
    return {site_id: body for (site_id, _), body in held.items()}


async def is_behind(tx: Tx, site_id: str, keys: Collection[str]) -> bool:
    """Whether a site has not applied what it was last told under one of these keys."""
    query = (
        select(SiteItemRow.key)
        .join(SiteRow, SiteRow.id == SiteItemRow.site_id)
        .where(
            SiteItemRow.site_id == site_id,
            SiteItemRow.key.in_(keys),
            SiteItemRow.generation > SiteRow.applied_generation,
        )
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def is_beyond(tx: Tx, site_id: SiteId, *, generation: int, digest: bytes) -> bool:
    """Whether an agent holds a later version than ours, or something else under our generation.

    It would have to refuse anything that we could tell it (design §4.6): `overtake` first. Happens
    when our database came back from a backup.
    """
    site = await tx.get_one(SiteRow, site_id)
    return generation > site.generation or (
        generation == site.generation and digest != site.digest and generation > 0
    )


async def told_all(tx: Tx, site: SiteRow, generation: int) -> bool:
    """Note that a site which is beyond us has told all it knows; whether that is news.

    The mark stands where `overtake` takes the site, with a digest that no items have.
    """
    told = {"site_id": site.id, "generation": generation + 1, "digest": TOLD_ALL}
    return await inserted(tx, SiteGenerationRow, **told)


async def has_told_all(tx: Tx, site_id: SiteId) -> bool:
    """Whether a site that is beyond us has told what it knows: only then may we overtake it."""
    query = (
        select(SiteGenerationRow.generation)
        .join(SiteRow, SiteRow.id == SiteGenerationRow.site_id)
        .where(
            SiteRow.id == site_id,
            SiteGenerationRow.generation > SiteRow.generation,
            SiteGenerationRow.digest == TOLD_ALL,
        )
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def overtake(tx: Tx, site_id: SiteId, generation: int) -> None:
    """Move the site past ``generation``, its items unchanged. Locks the site's row."""
    (site,) = await _all_locked(tx, (site_id,))
    row = SiteGenerationRow
    await tx.execute(delete(row).where(row.site_id == site_id, row.digest == TOLD_ALL))
    site.generation = max(generation, site.generation) + 1
    await _note_generations(tx, [site])


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


async def _had(tx: Tx, site_id: str, generation: int, digest: bytes) -> bool:
    """Whether the site once was at this generation, with this digest."""
    row = await tx.get(SiteGenerationRow, (site_id, generation))
    return row is not None and row.digest == digest


async def _rest(tx: Tx, site: SiteRow, held: Held) -> Change | None:
    """What is behind the key that an agent holds a change up to, and what changed before it."""
    if held.generation <= held.from_generation:
        return None
    if not await _had(tx, site.id, held.generation, held.digest):
        return None
    rows = await _rows(tx, site.id, after=held.from_generation)
    amends = [r for r in rows if r.key <= held.upto_key and r.generation > held.generation]
    if sum(len(r.key) + len(r.body or b"") for r in amends) > AMENDS_BYTES_MAX:
        return None
    behind = [row for row in rows if row.key > held.upto_key]
    if not held.from_generation:
        behind = [row for row in behind if row.body is not None]
    told = [*amends, *behind]
    return Change(
        generation=site.generation,
        from_generation=held.from_generation,
        upserts=tuple((r.key, r.body) for r in told if r.body is not None),
        removals=tuple(r.key for r in told if r.body is None),
        digest=site.digest,
        continues=True,
    )


async def _all_locked(tx: Tx, ids: Collection[SiteId]) -> list[SiteRow]:
    query = (
        select(SiteRow)
        .where(SiteRow.id.in_(ids))
        .order_by(SiteRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    sites = list(await tx.scalars(query))
    assert len(sites) == len(ids), "a site that is told something must be there"
    return sites


async def _held(
    tx: Tx, wanted: Mapping[SiteId, Collection[str]]
) -> dict[tuple[SiteId, str], bytes | None]:
    names = [(site_id, key) for site_id, part in wanted.items() for key in part]
    query = text(_OF_NAMES_POSTGRES if is_postgres(tx) else _OF_NAMES_SQLITE)
    found = await tx.execute(query, {"names": json.dumps(names)})
    return {(SiteId(site_id), key): body for site_id, key, body in found}


_OF_NAMES_POSTGRES = """
    SELECT item.site_id, item.key, item.body
    FROM json_array_elements(CAST(:names AS json)) AS name
    JOIN site_item AS item ON item.site_id = name ->> 0 AND item.key = name ->> 1"""
_OF_NAMES_SQLITE = """
    SELECT item.site_id, item.key, item.body
    FROM json_each(:names) AS name
    JOIN site_item AS item
    ON item.site_id = name.value ->> 0 AND item.key = name.value ->> 1"""


async def _rows(tx: Tx, site_id: str, *, after: int) -> list[SiteItemRow]:
    query = (
        select(SiteItemRow)
        .where(SiteItemRow.site_id == site_id, SiteItemRow.generation > after)
        .order_by(SiteItemRow.key)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def _note_generations(tx: Tx, sites: Sequence[SiteRow]) -> None:
    """Keep the digest of each site's new generation; now and then, forget the oldest."""
    tx.add_all(
        SiteGenerationRow(site_id=s.id, generation=s.generation, digest=s.digest) for s in sites
    )
    await tx.flush()
    for site in sites:
        if site.generation % FORGET_EVERY == 0:
            await _forget(tx, site.id, before=site.generation - GENERATIONS_KEPT)


async def _forget(tx: Tx, site_id: str, *, before: int) -> None:
    await tx.execute(
        delete(SiteGenerationRow).where(
            SiteGenerationRow.site_id == site_id, SiteGenerationRow.generation < before
        )
    )
    await tx.execute(
        delete(SiteItemRow).where(
            SiteItemRow.site_id == site_id,
            SiteItemRow.generation < before,
            SiteItemRow.body.is_(None),
        )
    )


def _weight_or_nothing(key: str, body: bytes | None) -> int:
    return 0 if body is None else weight(key, body)


def _digest(total: int) -> bytes:
    return (total % DIGEST_MODULUS).to_bytes(32, "big")
