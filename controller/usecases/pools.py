"""Shared rates of a site: an access point, a sector, a backhaul, or a group of plans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.plan import ID_SHAPE, RATE_MAX_BPS, RATE_MIN_BPS
from controller.edge import wire
from controller.store import items, pools, sites
from controller.store.site_rows import PoolRow
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.database import Tx

POOLS_MAX = 500
"""At one site."""

DEPTH_MAX = 5
"""Pools within each other, the outermost counted."""

PORTS_MAX = 64
NAME_MAX = 80
_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,14}")


class PoolExists(Exception):  # noqa: N818 - a refusal, see style
    """A pool of this id exists at the site with other content: set it instead."""


class PoolUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such pool at the site."""


class PoolHasParts(Exception):  # noqa: N818 - a refusal, see style
    """Other pools are part of this one: they must go, or belong elsewhere, first."""


@dataclass(frozen=True, slots=True)
class SharedRate:
    """A pool as staff describe it; ``parent_id`` is the pool that it is part of, "" for none."""

    id: str
    name: str
    down_bps: int
    up_bps: int
    parent_id: str = ""
    ports: tuple[str, ...] = ()


async def add_pool(deps: Deps, site_id: SiteId, pool: SharedRate) -> None:
    """Make a pool. Repeating changes nothing.

    Raises `InvalidField`, `SiteUnknown`, `PoolExists`, `DatabaseBusy`.
    """
    _check(pool)
    async with deps.db.begin() as tx:
        held = await _held(tx, site_id)
        if pool.id in held:
            if as_pool(held[pool.id]) == pool:
                return
            raise PoolExists(f"pool {pool.id} exists at {site_id} with other content")
        if len(held) >= POOLS_MAX:
            raise InvalidField("id", f"a site has at most {POOLS_MAX} pools")
        _check_place(pool, held)
        tx.add(_filled(PoolRow(site_id=site_id, id=pool.id), pool))
        await _told(tx, site_id, pool)
    _wake(deps, site_id)


async def set_pool(deps: Deps, site_id: SiteId, pool: SharedRate) -> None:
    """Give a pool another name, place, rate or ports.

    Raises `InvalidField`, `SiteUnknown`, `PoolUnknown`, `DatabaseBusy`.
    """
    _check(pool)
    async with deps.db.begin() as tx:
        held = await _held(tx, site_id)
        if pool.id not in held:
            raise PoolUnknown(f"there is no pool {pool.id} at {site_id}")
        _check_place(pool, held)
        _filled(held[pool.id], pool)
        await _told(tx, site_id, pool)
    _wake(deps, site_id)


async def remove_pool(deps: Deps, site_id: SiteId, pool_id: str) -> None:
    """Take a pool away; its devices share nothing then. Repeating changes nothing.

    Raises `SiteUnknown`, `PoolHasParts`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        held = await _held(tx, site_id)
        parts = [row.id for row in held.values() if row.parent_id == pool_id]
        if parts:
            raise PoolHasParts(f"pool {parts[0]} is part of {pool_id}")
        await pools.drop(tx, site_id, pool_id)
        await items.put(tx, site_id, {item_key(pool_id): None})
    _wake(deps, site_id)


def as_pool(row: PoolRow) -> SharedRate:
    """The pool that a row holds."""
    return SharedRate(
        id=row.id,
        name=row.name,
        down_bps=row.down_bps,
        up_bps=row.up_bps,
        parent_id=row.parent_id or "",
        ports=tuple(row.ports.split()),
    )


def item_key(pool_id: str) -> str:
    """The key of a pool's item."""
    return f"pool/{pool_id}"


async def _held(tx: Tx, site_id: SiteId) -> dict[str, PoolRow]:
    """The site's pools, which nobody else changes now."""
    if await sites.lock(tx, site_id) is None:
        raise SiteUnknown(f"there is no site {site_id}")
    return await pools.of_site(tx, site_id)


def _filled(row: PoolRow, pool: SharedRate) -> PoolRow:
    row.name, row.parent_id = pool.name, pool.parent_id or None
    row.down_bps, row.up_bps = pool.down_bps, pool.up_bps
    row.ports = " ".join(pool.ports)
    return row


async def _told(tx: Tx, site_id: SiteId, pool: SharedRate) -> None:
    await tx.flush()
    body = wire.pool_body(
        pool.id,
        name=pool.name,
        parent_id=pool.parent_id,
        down_bps=pool.down_bps,
        up_bps=pool.up_bps,
        ports=pool.ports,
    )
    await items.put(tx, site_id, {item_key(pool.id): body})


def _wake(deps: Deps, site_id: SiteId) -> None:
    deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")


def _check(pool: SharedRate) -> None:
    if not ID_SHAPE.fullmatch(pool.id):
        raise InvalidField("id", "want 1 to 32 of a-z, 0-9 and -, starting with a letter or digit")
    if not pool.name.strip() or len(pool.name) > NAME_MAX or not pool.name.isprintable():
        raise InvalidField("name", f"want 1 to {NAME_MAX} characters")
    for field, rate in (("down_bps", pool.down_bps), ("up_bps", pool.up_bps)):
        if not RATE_MIN_BPS <= rate <= RATE_MAX_BPS:
            raise InvalidField(field, f"want {RATE_MIN_BPS:,} to {RATE_MAX_BPS:,}")
    if len(pool.ports) > PORTS_MAX or len(set(pool.ports)) != len(pool.ports):
        raise InvalidField("ports", f"want at most {PORTS_MAX}, each once")
    for port in pool.ports:
        if not _PORT.fullmatch(port):
            raise InvalidField("ports", f"{port[:40]!r} is no interface name")


def _check_place(pool: SharedRate, held: Mapping[str, PoolRow]) -> None:
    """Whether the pool can be where it says: below one that is there, in no ring, not too deep."""
    if pool.parent_id and pool.parent_id not in held:
        raise InvalidField("parent_id", f"there is no pool {pool.parent_id[:40]}")
    parents = {row.id: row.parent_id or "" for row in held.values()} | {pool.id: pool.parent_id}
    for name in parents:
        if _depth(parents, name) is None:
            raise InvalidField("parent_id", f"{pool.parent_id} is part of {pool.id} already")
        if (_depth(parents, name) or 0) > DEPTH_MAX:
            raise InvalidField("parent_id", f"pools lie at most {DEPTH_MAX} deep; {name} would not")
    for row in held.values():
        taken = set(row.ports.split()) & set(pool.ports)
        if row.id != pool.id and taken:
            raise InvalidField("ports", f"{min(taken)} is of pool {row.id}")


def _depth(parents: Mapping[str, str], name: str) -> int | None:
    """How many pools there are from this one up to the outermost; None in a ring."""
    seen: set[str] = set()
    while name:
        if name in seen:
            return None
        seen.add(name)
        name = parents.get(name, "")
    return len(seen)
