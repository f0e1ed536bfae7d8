"""What the kernel holds, read back as sessions; whatever fits no session is stray. PURE.

This is how a program that was killed finds its sessions again: the names of the counters carry
session and epoch, and every address points at them. A way counts only when it is whole; the rest of
a half one is stray, goes, and is made anew by the next difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

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
from shaping.linux.tc import group_of, slot_of
from shaping.linux.wire import read_key
from shaping.one import nothing, with_one
from shaping.plane import CapKey, MacAddress, MonotonicMs, SessionKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from shaping.diff import Address, Garden
    from shaping.linux.nft import Op
    from shaping.linux.wire import Told
    from shaping.plane import PoolKey, Rate
    from shaping.pools import PoolPath

_ADDRESS_BYTES = {"4": 4, "6": 16}


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
    ways: dict[SessionKey, Mapping[Address, Way]] = {}
    slots: dict[SessionKey, int] = {}
    taken: dict[int, SessionKey] = {}
    strays: list[Op] = []
    for family in _families(held.sets):
        for address in family.addresses():
            found = _whole(family, address, epochs=epochs, caps=caps, now=now)
            if found is None or not _fits(found, slots, taken):
                strays += map(Cut, family.elements(address))
                continue
            ways[found.session] = with_one(ways.get(found.session), found.address, found.way)
            slots[found.session] = found.slot
            taken[found.slot] = found.session
    sessions: dict[SessionKey, Standing] = {}
    for key, epoch in epochs.items():
        slot = slots.get(key)
        pool = () if slot is None or places is None else places.get(group_of(slot), ())
        rate = None if slot is None else rates.get(slot)
        sessions[key] = Standing(epoch, rate, ways.get(key, nothing()), pool)
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
        way, _, rest = name.partition(".")
        key, _, epoch = rest.partition(".")
        session = SessionKey(key)
        if way == "u" and f"d.{rest}" in counters:
            continue
        paired = way == "d" and f"u.{rest}" in counters
        if not paired or whole.setdefault(session, intern(epoch)) != epoch:
            torn.add(session)
    for session in torn:
        whole.pop(session, None)
    return whole


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
    """What is held of the addresses of one family.

    ``maps`` are in the order of `MAPPED`. ``ups`` are the keys of ``up``, which have a MAC as well,
    by address: one for each, unless a stranger came.
    """

    number: str
    maps: Sequence[Mapping[bytes, Told]]
    down: Mapping[bytes, Told]
    up: Mapping[bytes, Told]
    ups: Mapping[bytes, tuple[bytes, ...]]

    def addresses(self) -> Iterable[bytes]:
        """Every address that any set knows."""
        return dict.fromkeys(chain(self.ups, self.down, *self.maps))

    def elements(self, address: bytes) -> Iterator[Element]:
        """All elements of an address, to be cut."""
        keys = [(f"up{self.number}", key) for key in self.ups.get(address, ())]
        if address in self.down:
            keys.append((f"down{self.number}", address))
        yield from (Element(name, *read_key(name, key)) for name, key in keys)
        for kind, told in zip(MAPPED, self.maps, strict=True):
            if address in told:
                name = f"{kind}{self.number}"
                yield Element(name, read_key(name, address)[0], value=told[address])


def _families(sets: Mapping[str, Mapping[bytes, Told]]) -> Iterator[_Family]:
    for number, size in _ADDRESS_BYTES.items():
        up, down = sets.get(f"up{number}", {}), sets.get(f"down{number}", {})
        ups: dict[bytes, tuple[bytes, ...]] = {}
        for key in up:
            ups[key[:size]] = *ups.get(key[:size], ()), key
        maps = [sets.get(f"{name}{number}", {}) for name in MAPPED]
        yield _Family(number, maps, down, up, ups)


class _Found(NamedTuple):
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
    ups = family.ups.get(key, ())
    if len(ups) != 1 or key not in family.down:
        return None
    up, down, classid, mark, quota = [told.get(key) for told in family.maps]
    session, slot = SessionKey(str(down)[2:].partition(".")[0]), slot_of(_number(classid))
    epoch, cap = epochs.get(session), None if quota is None else _cap(quota)
    if epoch is None or slot is None or mark != group_of(slot):
        return None
    lefts = family.up[ups[0]], family.down[key]
    if (down, up) != meter_names(session, epoch) or (lefts[0] is None) != (lefts[1] is None):
        return None
    if cap and (caps.get(cap.key) != cap.revision or quota != quota_name(cap)):
        return None
    until = min((MonotonicMs(now + left) for left in lefts if isinstance(left, int)), default=None)
    address, mac = read_key(f"up{family.number}", ups[0])
    if address is None or mac is None:
        return None
    return _Found(session, slot, address, Way(MacAddress(intern(mac)), until, cap))


def _fits(found: _Found, slots: Mapping[SessionKey, int], taken: Mapping[int, SessionKey]) -> bool:
    """Whether all ways of a session share one slot, and no other session has it."""
    session, slot = found.session, found.slot
    return slots.get(session, slot) == slot and taken.get(slot, session) == session


def _number(told: Told) -> int:
    return told if isinstance(told, int) else 0


def _cap(name: Told) -> CapRef:
    _, key, revision = (*str(name).split("."), "", "")[:3]
    return CapRef(CapKey(key), int(revision) if revision.isdecimal() else -1)


def _stray_objects(
    held: Held, epochs: Mapping[SessionKey, str], caps: Mapping[CapKey, int]
) -> Iterator[Op]:
    meters = (name for key, epoch in epochs.items() for name in meter_names(key, epoch))
    yield from (CutCounter(name) for name in sorted(held.counters.difference(meters)))
    quotas = {quota_name(CapRef(key, revision)) for key, revision in caps.items()}
    yield from (CutQuota(name) for name in sorted(held.quotas - quotas))
