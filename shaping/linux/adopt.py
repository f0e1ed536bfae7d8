"""What the kernel holds, read back as sessions; whatever fits no session is stray. PURE.

This is how a program that was killed finds its sessions again: the names of the counters carry
session and epoch, and every address points at them. A way counts only when it is whole; the rest of
a half one is stray, goes, and is made anew by the next difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING

from shaping.diff import CapRef, Observed, Standing, Way
from shaping.linux.nft import (
    MAPPED,
    Cut,
    CutCounter,
    CutQuota,
    Element,
    meter_names,
    quota_name,
)
from shaping.linux.tc import classid_of, group_of, slot_of
from shaping.linux.wire import read_key
from shaping.one import compact
from shaping.plane import CapKey, MacAddress, MonotonicMs, SessionKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from shaping.diff import Address, Garden
    from shaping.linux.nft import Op
    from shaping.linux.wire import Told
    from shaping.plane import PoolKey, Rate
    from shaping.pools import PoolPath

_ADDRESS_BYTES = {"4": 4, "6": 16}
_WHOLE = {"count_down", "count_up", "class", "group", "down"}
"""The sets beside that with MACs in which every way has exactly one element."""


@dataclass(frozen=True, slots=True)
class Held:
    """A dump of our table, all of it as of one moment: what each key of each set leads to.

    Keys are as the kernel has them, and of sets with deadlines it is the milliseconds left that
    are told. Beside the sets, the names of objects. ``pools`` tells which pool has which number in
    the class trees.
    """

    sets: Mapping[str, Mapping[bytes, Told]] = field(default_factory=dict)
    counters: frozenset[str] = frozenset()
    quotas: frozenset[str] = frozenset()
    pools: Mapping[int, PoolKey] = field(default_factory=dict)
    garden: Garden = frozenset()


@dataclass(frozen=True, slots=True)
class Adopted:
    """The observed state but for pools, the slot of each session that has ways, what must go."""

    observed: Observed
    slots: Mapping[SessionKey, int] = field(default_factory=dict)
    strays: tuple[Op, ...] = ()


def adopt(
    held: Held,
    rates: Mapping[int, Rate],
    *,
    now: MonotonicMs,
    places: Mapping[int, PoolPath] | None = None,
    void: frozenset[str] = frozenset(),
) -> Adopted:
    """Read sessions out of a dump taken at ``now``. ``rates`` are the shapers by slot.

    ``places`` tells the pool of each group of slots that is in one.
    Counters named in ``void`` are not believed: their sessions must begin to count anew.
    """
    epochs = _epochs(held.counters - void)
    caps = _caps(held.quotas)
    ways: dict[SessionKey, dict[Address, Way]] = {}
    slots: dict[SessionKey, int] = {}
    taken: dict[int, SessionKey] = {}
    strays: list[Op] = []
    for family in _families(held.sets):
        for address in family.addresses():
            found = _whole(family, address, epochs=epochs, caps=caps, now=now)
            if found is None or not _fits(found, slots, taken):
                strays += map(Cut, family.elements(address))
                continue
            ways.setdefault(found.session, {})[found.address] = found.way
            slots[found.session] = found.slot
            taken[found.slot] = found.session
    sessions: dict[SessionKey, Standing] = {}
    for key, epoch in epochs.items():
        sessions[key] = Standing(epoch)
        if key in slots:
            pool = (places or {}).get(group_of(slots[key]), ())
            sessions[key] = Standing(epoch, rates.get(slots[key]), compact(ways[key]), pool)
    macs = (read_key("blocked", one)[1] for one in held.sets.get("blocked", ()))
    blocked = frozenset(mac for mac in macs if mac)
    owners = {address: key for key, found in ways.items() for address in found}
    strays += _stray_objects(held, epochs, caps)
    observed = Observed(sessions, caps, blocked, owners, garden=held.garden)
    return Adopted(observed, slots, tuple(strays))


def _epochs(counters: Collection[str]) -> dict[SessionKey, str]:
    """Sessions whose both counters are there, under one epoch alone."""
    whole: dict[SessionKey, str] = {}
    torn: set[SessionKey] = set()
    for name in counters:
        way, key, epoch = (*name.split("."), "", "")[:3]
        session, other = SessionKey(key), "u" if way == "d" else "d"
        paired = f"{other}.{key}.{epoch}" in counters
        if not paired or whole.setdefault(session, intern(epoch)) != epoch:
            torn.add(session)
    return {session: epoch for session, epoch in whole.items() if session not in torn}


def _caps(quotas: Iterable[str]) -> dict[CapKey, int]:
    """The newest revision of each budget."""
    newest: dict[CapKey, int] = {}
    for name in quotas:
        _, key, revision = (*name.split("."), "", "")[:3]
        if revision.isdecimal():
            newest[CapKey(key)] = max(newest.get(CapKey(key), 0), int(revision))
    return newest


@dataclass(frozen=True, slots=True)
class _Family:
    """What the sets say of the addresses of one family; they are named without its number.

    ``ups`` are the keys of the set with MACs, by address: one for each, unless a stranger came.
    """

    number: str
    sets: Mapping[str, Mapping[bytes, Told]]
    up: Mapping[bytes, Told]
    ups: Mapping[bytes, tuple[bytes, ...]]

    def addresses(self) -> Iterable[bytes]:
        """Every address that any set knows."""
        return dict.fromkeys(chain(self.ups, *self.sets.values()))

    def told(self, key: bytes) -> dict[str, Told]:
        """What each set but that with MACs says of an address that it knows."""
        return {name: column[key] for name, column in self.sets.items() if key in column}

    def elements(self, key: bytes) -> Iterator[Element]:
        """All elements of an address, to be cut."""
        for up in self.ups.get(key, ()):
            yield Element(f"up{self.number}", *read_key(f"up{self.number}", up))
        for name, value in self.told(key).items():
            address, _ = read_key(name + self.number, key)
            yield Element(name + self.number, address, value=None if name == "down" else value)


def _families(sets: Mapping[str, Mapping[bytes, Told]]) -> Iterator[_Family]:
    for number, size in _ADDRESS_BYTES.items():
        up = sets.get(f"up{number}", {})
        ups: dict[bytes, tuple[bytes, ...]] = {}
        for key in up:
            ups[key[:size]] = *ups.get(key[:size], ()), key
        others = {name: sets.get(f"{name}{number}", {}) for name in ("down", *MAPPED)}
        yield _Family(number, others, up, ups)


@dataclass(frozen=True, slots=True)
class _Found:
    session: SessionKey
    slot: int
    address: Address
    way: Way


def _whole(
    family: _Family,
    key: bytes,
    *,
    epochs: Mapping[SessionKey, str],
    caps: Mapping[CapKey, int],
    now: MonotonicMs,
) -> _Found | None:
    """The way of this address, when its elements are those of one way, all and no more."""
    told, ups = family.told(key), family.ups.get(key, ())
    if len(ups) != 1 or not told.keys() >= _WHOLE:
        return None
    address, mac = read_key(f"up{family.number}", ups[0])
    session, slot = SessionKey(_parts(told["count_down"])[1]), slot_of(_number(told["class"]))
    if session not in epochs or slot is None or address is None or mac is None:
        return None
    lefts = family.up[ups[0]], told["down"]
    if (lefts[0] is None) != (lefts[1] is None):
        return None
    until = min((MonotonicMs(now + left) for left in lefts if isinstance(left, int)), default=None)
    way = Way(MacAddress(intern(mac)), until, _cap(told["cap"]) if "cap" in told else None)
    if way.cap is not None and caps.get(way.cap.key) != way.cap.revision:
        return None
    if told != _needed(session, epochs[session], way, slot) | {"down": told["down"]}:
        return None
    return _Found(session, slot, address, way)


def _needed(session: SessionKey, epoch: str, way: Way, slot: int) -> dict[str, Told]:
    """What the maps say of an address that has this way."""
    down, up = meter_names(session, epoch)
    needed: dict[str, Told] = {
        "count_down": down,
        "count_up": up,
        "class": classid_of(slot),
        "group": group_of(slot),
    }
    return needed if way.cap is None else {**needed, "cap": quota_name(way.cap)}


def _fits(found: _Found, slots: Mapping[SessionKey, int], taken: Mapping[int, SessionKey]) -> bool:
    """Whether all ways of a session share one slot, and no other session has it."""
    session, slot = found.session, found.slot
    return slots.get(session, slot) == slot and taken.get(slot, session) == session


def _parts(name: Told) -> tuple[str, str, str]:
    """The three words of the name that a map leads to."""
    kind, key, last = (*str(name).split("."), "", "")[:3]
    return kind, key, last


def _number(told: Told) -> int:
    return told if isinstance(told, int) else 0


def _cap(name: Told) -> CapRef:
    _, key, revision = _parts(name)
    return CapRef(CapKey(key), int(revision) if revision.isdecimal() else -1)


def _stray_objects(
    held: Held, epochs: Mapping[SessionKey, str], caps: Mapping[CapKey, int]
) -> Iterator[Op]:
    meters = (name for key, epoch in epochs.items() for name in meter_names(key, epoch))
    yield from (CutCounter(name) for name in sorted(held.counters.difference(meters)))
    quotas = {quota_name(CapRef(key, revision)) for key, revision in caps.items()}
    yield from (CutQuota(name) for name in sorted(held.quotas - quotas))
