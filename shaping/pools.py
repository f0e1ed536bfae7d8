"""Pools inside pools, checked and read as paths. PURE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from shaping.plane import POOL_DEPTH_MAX, PlaneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shaping.plane import Desired, Pool, PoolKey, Rate, SessionKey

    PoolPath: TypeAlias = tuple[PoolKey, ...]
    """A pool after all that it is part of, outermost first. Empty: in no pool."""

KEY = re.compile(r"[a-z0-9-]{1,48}")
"""What may name a session, a budget or a pool in a box."""


def path_of(key: PoolKey, pools: Mapping[PoolKey, Pool]) -> PoolPath:
    """The pool after all that it is part of, outermost first.

    Raises `PlaneError` (no retry) naming the pools of a circle, an unknown parent, or too deep a
    nest.
    """
    inside_out = [key]
    while (parent := pools[inside_out[-1]].parent) is not None:
        named = " in ".join((*inside_out, parent))
        if parent not in pools:
            raise PlaneError(f"pool {inside_out[-1]} is in pool {parent!r}, unknown", retry=False)
        if parent in inside_out:
            raise PlaneError(f"pools go in a circle: {named}", retry=False)
        inside_out.append(parent)
        if len(inside_out) > POOL_DEPTH_MAX:
            raise PlaneError(f"pools more than {POOL_DEPTH_MAX} deep: {named}", retry=False)
    return tuple(reversed(inside_out))


def pool_rates(pools: Mapping[PoolKey, Pool]) -> dict[PoolPath, Rate]:
    """The rate of each pool by its path. Raises `PlaneError` (no retry) for what cannot be."""
    for key, pool in pools.items():
        if not KEY.fullmatch(key):
            raise PlaneError(f"pool key {key!r} is not 1-48 of [a-z0-9-]", retry=False)
        if pool.rate.burst is not None:
            raise PlaneError(f"pool {key} has a burst, which pools have not", retry=False)
    return {path_of(key, pools): pool.rate for key, pool in pools.items()}


def moved_pools(before: Desired, desired: Desired) -> set[PoolKey]:
    """Pools that are not where they were."""
    if before.pools == desired.pools:
        return set()
    old = {path[-1]: path for path in pool_rates(before.pools)}
    new = {path[-1]: path for path in pool_rates(desired.pools)}
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def session_paths(sessions: Iterable[SessionKey], desired: Desired) -> dict[PoolKey, PoolPath]:
    """The paths of the pools that these sessions name."""
    paths: dict[PoolKey, PoolPath] = {}
    for key in sessions:
        access = desired.access.get(key)
        pool = access.pool if access else None
        if pool is None or pool in paths:
            continue
        if pool not in desired.pools:
            raise PlaneError(f"session {key} is in pool {pool!r}, unknown", retry=False)
        paths[pool] = path_of(pool, desired.pools)
    return paths
