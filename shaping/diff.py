"""Observed and desired in, ordered changes out. PURE.

Every plane speaks this vocabulary: a session has a meter (its counters), a rate, and ways (the
addresses by which its device may pass). A way is never edited: it is closed and opened again, in
one transaction, so that no packet falls between. Meters outlive ways, so a renewal or a changed
address never resets a counter.

A pool is known by its path, the pools around it first. One that becomes part of another is
therefore another pool: it is made before the sessions move, and the old one goes after.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, TypeAlias

from shaping.one import nothing, valued, with_one
from shaping.plane import GARDEN_MAX, PlaneError
from shaping.pools import KEY, moved_pools, pool_rates, session_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from ipaddress import IPv4Address, IPv6Address, IPv6Network

    from shaping.plane import (
        Access,
        Cap,
        CapKey,
        Desired,
        MacAddress,
        MonotonicMs,
        PoolKey,
        Rate,
        SessionKey,
    )
    from shaping.pools import PoolPath

    Address: TypeAlias = IPv4Address | IPv6Address
    Garden: TypeAlias = frozenset[IPv4Network | IPv6Network]

DEADLINE_TOLERANCE_MS = 500
"""Deadlines nearer than this are the same one: kernels tell time left in ticks, with delay."""

RATE_STEP_BPS = 8
"""Boxes keep rates in whole bytes a second."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class CapRef:
    """One revision of a byte budget."""

    key: CapKey
    revision: int


@dataclass(frozen=True, slots=True)
class Way:
    """How packets of one address may pass: from which MAC, until when, out of which budget."""

    mac: MacAddress
    open_until: MonotonicMs | None = None
    cap: CapRef | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a box does for one session now. ``rate`` is None when nothing of it is shaped.

    ``epoch`` names the uninterrupted life of the session's counters; ``pool`` is where its shaper
    stands.
    """

    epoch: str
    rate: Rate | None = None
    ways: Mapping[Address, Way] = field(default_factory=nothing)
    pool: PoolPath = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a box does now. ``owners`` tells which session has a way by an address."""

    sessions: Mapping[SessionKey, Standing] = field(default_factory=dict)
    caps: Mapping[CapKey, int] = field(default_factory=dict)
    blocked: frozenset[MacAddress] = frozenset()
    owners: Mapping[Address, SessionKey] = field(default_factory=dict)
    pools: Mapping[PoolPath, Rate] = field(default_factory=dict)
    garden: Garden = frozenset()


@dataclass(frozen=True, slots=True)
class SetPool:
    """Let this pool share ``rate``, in place when it is there already."""

    path: PoolPath
    rate: Rate


@dataclass(frozen=True, slots=True)
class DropPool:
    """Nobody is in this pool any more: forget it."""

    path: PoolPath


@dataclass(frozen=True, slots=True)
class SetGarden:
    """Let everybody reach these networks, and no others."""

    networks: Garden


@dataclass(frozen=True, slots=True)
class SetRate:
    """Shape this session to ``rate``, in place when it is shaped already in this pool.

    One that was in another pool has all its ways closed and opened in the same step.
    """

    session: SessionKey
    rate: Rate
    pool: PoolPath = ()


@dataclass(frozen=True, slots=True)
class FreeRate:
    """Nothing of this session passes any more: its shaper may serve another."""

    session: SessionKey


@dataclass(frozen=True, slots=True)
class CloseWay:
    """Let nothing more pass by this address."""

    session: SessionKey
    address: Address
    way: Way


@dataclass(frozen=True, slots=True)
class OpenWay:
    """Let this address pass, and count it under the session's meter of this epoch."""

    session: SessionKey
    epoch: str
    address: Address
    way: Way


@dataclass(frozen=True, slots=True)
class StartMeter:
    """Begin counting for this session, from zero."""

    session: SessionKey
    epoch: str


@dataclass(frozen=True, slots=True)
class StopMeter:
    """Forget this session's counters: its last reading was taken."""

    session: SessionKey
    epoch: str


@dataclass(frozen=True, slots=True)
class SetCap:
    """Begin this revision of a budget, with so many bytes left."""

    cap: CapRef
    left_bytes: int


@dataclass(frozen=True, slots=True)
class DropCap:
    """Forget this revision of a budget."""

    cap: CapRef


@dataclass(frozen=True, slots=True)
class Block:
    """Drop all that comes from this MAC."""

    mac: MacAddress


@dataclass(frozen=True, slots=True)
class Unblock:
    """Treat this MAC as any other again."""

    mac: MacAddress


Change: TypeAlias = (
    SetPool
    | DropPool
    | SetGarden
    | SetRate
    | FreeRate
    | CloseWay
    | OpenWay
    | StartMeter
    | StopMeter
    | SetCap
    | DropCap
    | Block
    | Unblock
)

_KINDS: tuple[type[Change], ...] = (
    SetPool,
    SetRate,
    CloseWay,
    FreeRate,
    DropPool,
    StopMeter,
    DropCap,
    Unblock,
    SetGarden,
    SetCap,
    StartMeter,
    OpenWay,
    Block,
)
"""Deletes before adds, and what is referred to before what refers to it."""

_ORDER = {kind: position for position, kind in enumerate(_KINDS)}


@dataclass(frozen=True, slots=True)
class Step:
    """The changes, in the order to make them, and how each session stands after (None: gone)."""

    changes: tuple[Change, ...]
    after: Mapping[SessionKey, Standing | None]


@dataclass(frozen=True, slots=True)
class Touched:
    """What differs between two desired states: all that an incremental `diff` looks at."""

    sessions: frozenset[SessionKey] = frozenset()
    caps: frozenset[CapKey] = frozenset()
    pools: bool = False
    garden: bool = False


def touched(before: Desired, desired: Desired) -> Touched:
    """What differs between the desired states of two applies, all that sessions name considered.

    Raises `PlaneError` (no retry) for pools that cannot be.
    """
    old, new = before.access, desired.access
    keys = {key for key, access in new.items() if old.get(key) is not access}
    keys = {key for key in keys if old.get(key) != new[key]}
    keys.update(old.keys() - new.keys())
    caps = _changed_caps(before, desired)
    blocks = before.blocked ^ desired.blocked
    moved = moved_pools(before, desired)
    if caps or blocks or moved:
        keys.update(
            key
            for key, access in new.items()
            if access.cap in caps or access.mac in blocks or access.pool in moved
        )
    return Touched(
        frozenset(keys),
        frozenset(caps),
        pools=before.pools != desired.pools,
        garden=before.garden != desired.garden,
    )


def diff(
    observed: Observed,
    desired: Desired,
    *,
    now: MonotonicMs,
    epoch: str,
    only: Touched | None = None,
    same: Callable[[Rate, Rate], bool] | None = None,
) -> Step:
    """The step from ``observed`` to ``desired``; new meters begin under ``epoch``.

    ``only`` narrows the comparison to what was `touched`; None compares all. ``same`` tells whether
    the box can tell two rates apart (else `same_rate`).
    Raises `PlaneError` (no retry) naming what is wrong in ``desired``.
    """
    same = same or same_rate
    if only is None:
        # A box tells its own copies of the keys; those of who desires are kept.
        sessions = desired.access.keys() | observed.sessions.keys()
        caps = observed.caps.keys() | desired.caps.keys()
    else:
        sessions, caps = set(only.sessions), set(only.caps)
    changes: list[Change] = []
    if only is None or only.pools:
        changes += _pool_changes(observed, desired, same)
    if only is None or only.garden:
        changes += _garden_changes(observed, desired)
    after: dict[SessionKey, Standing | None] = {}
    paths = session_paths(sessions, desired)
    for key in sorted(sessions):
        new = _standing(key, desired=desired, paths=paths, now=now)
        old = observed.sessions.get(key)
        kept = _kept(old, new, epoch=epoch, same=same)
        after[key] = kept
        changes += _session_changes(key, old, kept)
    _refuse_shared_addresses(observed, after)
    for cap in sorted(caps):
        changes += _cap_changes(cap, observed.caps.get(cap), desired.caps.get(cap))
    changes += [Unblock(mac) for mac in sorted(observed.blocked - desired.blocked)]
    changes += [Block(mac) for mac in sorted(_checked_macs(desired.blocked - observed.blocked))]
    return Step(tuple(sorted(changes, key=lambda change: _ORDER[type(change)])), after)


def collapsed(garden: Garden) -> Garden:
    """The same garden in as few networks as say it."""
    v4 = [network for network in garden if isinstance(network, IPv4Network)]
    v6 = [network for network in garden if not isinstance(network, IPv4Network)]
    return frozenset((*collapse_addresses(v4), *collapse_addresses(v6)))


def _pool_changes(
    observed: Observed, desired: Desired, same: Callable[[Rate, Rate], bool]
) -> Iterator[Change]:
    """Outer pools are made before the inner ones, and go after them."""
    held, wanted = observed.pools, pool_rates(desired.pools)
    for path in sorted(wanted, key=lambda path: (len(path), path)):
        if path not in held or not same(held[path], wanted[path]):
            yield SetPool(path, wanted[path])
    for path in sorted(held.keys() - wanted.keys(), key=lambda path: (-len(path), path)):
        yield DropPool(path)


def _garden_changes(observed: Observed, desired: Desired) -> Iterator[Change]:
    wanted = collapsed(desired.garden)
    if len(wanted) > GARDEN_MAX:
        raise PlaneError(f"the garden has {len(wanted)} networks of {GARDEN_MAX}", retry=False)
    if wanted != observed.garden:
        yield SetGarden(wanted)


def _changed_caps(before: Desired, desired: Desired) -> set[CapKey]:
    old, new = before.caps, desired.caps
    keys = {key for key, cap in new.items() if old.get(key) is not cap}
    keys = {key for key in keys if key not in old or old[key].revision != new[key].revision}
    return keys | (old.keys() - new.keys())


def _standing(
    key: SessionKey, *, desired: Desired, paths: Mapping[PoolKey, PoolPath], now: MonotonicMs
) -> Standing | None:
    access = desired.access.get(key)
    if access is None:
        return None
    if not KEY.fullmatch(key):
        raise PlaneError(f"session key {key!r} is not 1-48 of [a-z0-9-]", retry=False)
    _checked_macs((access.mac,))
    over = access.open_until is not None and access.open_until <= now
    if access.closed or over or access.mac in desired.blocked:
        return Standing("")
    way = Way(access.mac, access.open_until, _cap_ref(key, access, desired))
    ways: Mapping[Address, Way] = nothing()
    for address in _addresses(access):
        ways = with_one(ways, address, way)
    if not ways:
        return Standing("")
    return Standing("", access.rate, ways, paths[access.pool] if access.pool else ())


def _cap_ref(key: SessionKey, access: Access, desired: Desired) -> CapRef | None:
    if access.cap is None:
        return None
    cap = desired.caps.get(access.cap)
    if cap is None:
        raise PlaneError(f"session {key} draws on cap {access.cap!r}, unknown", retry=False)
    return CapRef(access.cap, cap.revision)


def _addresses(access: Access) -> Iterator[Address]:
    if access.ipv4 is not None:
        yield access.ipv4
    for address in sorted(access.ipv6):
        if not address.is_link_local:
            yield address


def _kept(
    old: Standing | None,
    new: Standing | None,
    *,
    epoch: str,
    same: Callable[[Rate, Rate], bool],
) -> Standing | None:
    """The new standing with the old meter, and with old ways where they mean the same."""
    if new is None:
        return None
    if old is None:
        return Standing(epoch, new.rate, new.ways, new.pool)

    def kept(address: Address, way: Way) -> Way:
        was = old.ways.get(address)
        return was if was is not None and same_way(was, way) else way

    rate = old.rate if old.rate and new.rate and same(old.rate, new.rate) else new.rate
    return Standing(old.epoch, rate, valued(new.ways, kept), new.pool)


def same_rate(old: Rate, new: Rate) -> bool:
    """Whether a box that keeps whole bytes a second cannot tell these rates apart."""
    return (
        old.down_bps // RATE_STEP_BPS == new.down_bps // RATE_STEP_BPS
        and old.up_bps // RATE_STEP_BPS == new.up_bps // RATE_STEP_BPS
        and old.burst == new.burst
    )


def same_way(old: Way | None, new: Way) -> bool:
    """Whether these ways let the same pass, deadlines compared with tolerance."""
    if old is None or old.mac != new.mac or old.cap != new.cap:
        return False
    if old.open_until is None or new.open_until is None:
        return old.open_until is new.open_until
    return abs(old.open_until - new.open_until) <= DEADLINE_TOLERANCE_MS


def _session_changes(
    key: SessionKey, old: Standing | None, new: Standing | None
) -> Iterator[Change]:
    old_ways = old.ways if old else {}
    new_ways = new.ways if new else {}
    moved = bool(old and new and old.pool != new.pool)
    for address, way in old_ways.items():
        if moved or new_ways.get(address) != way:
            yield CloseWay(key, address, way)
    if old and old.rate and not (new and new.rate):
        yield FreeRate(key)
    if old and not new:
        yield StopMeter(key, old.epoch)
    if not new:
        return
    if not old:
        yield StartMeter(key, new.epoch)
    if new.rate and (old is None or moved or old.rate != new.rate):
        yield SetRate(key, new.rate, new.pool)
    for address, way in new_ways.items():
        if moved or old_ways.get(address) != way:
            yield OpenWay(key, new.epoch, address, way)


def _cap_changes(key: CapKey, held: int | None, cap: Cap | None) -> Iterator[Change]:
    if held is not None and cap is not None and cap.revision < held:
        raise PlaneError(f"cap {key}: revision fell {held} -> {cap.revision}", retry=False)
    if held is not None and (cap is None or cap.revision != held):
        yield DropCap(CapRef(key, held))
    if cap is not None and cap.revision != held:
        if not KEY.fullmatch(key):
            raise PlaneError(f"cap key {key!r} is not 1-48 of [a-z0-9-]", retry=False)
        yield SetCap(CapRef(key, cap.revision), max(0, cap.left_bytes))


def _refuse_shared_addresses(
    observed: Observed, after: Mapping[SessionKey, Standing | None]
) -> None:
    seen: dict[Address, SessionKey] = {}
    for key, standing in after.items():
        for address in standing.ways if standing else ():
            other = seen.setdefault(address, key)
            owner = observed.owners.get(address, key)
            if owner not in after:
                other = owner
            if other != key:
                raise PlaneError(f"sessions {other} and {key} share {address}", retry=False)


def _checked_macs(macs: Iterable[MacAddress]) -> list[MacAddress]:
    checked = list(macs)
    for mac in checked:
        if not _MAC.fullmatch(mac):
            raise PlaneError(f"MAC address {mac!r} is not in canonical form", retry=False)
    return checked
