"""What the kernel holds, read back as sessions; whatever fits no session is stray. PURE.

This is how a program that was killed finds its sessions again: the names of the counters carry
session and epoch, and every address points at them. A way counts only when it is whole; the rest of
a half one is stray, goes, and is made anew by the next difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING

from shaping.diff import CapRef, Observed, Standing, Way
from shaping.linux.nft import (
    Cut,
    CutCounter,
    CutQuota,
    Element,
    meter_names,
    quota_name,
)
from shaping.linux.tc import classid_of, group_of, slot_of
from shaping.one import compact
from shaping.plane import CapKey, MacAddress, MonotonicMs, SessionKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shaping.diff import Address, Garden
    from shaping.linux.nft import Op
    from shaping.plane import PoolKey, Rate
    from shaping.pools import PoolPath


_Row = tuple[Element, "int | None"]
_WHOLE = {"count_down", "count_up", "class", "group", "down", "up"}
"""The sets, without their family, in which every way has exactly one element."""


@dataclass(frozen=True, slots=True)
class Held:
    """A dump of our table: elements with the milliseconds left, and names of objects.

    All of it as of one moment.

    ``pools`` tells which pool has which number in the class trees.
    """

    elements: Sequence[tuple[Element, int | None]] = ()
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
    for address, rows in _by_address(held.elements).items():
        found = _whole(rows, epochs=epochs, caps=caps, now=now)
        if found is None or not _fits(found, slots, taken):
            strays += [Cut(element) for element, _ in rows]
            continue
        ways.setdefault(found.session, {})[address] = found.way
        slots[found.session] = found.slot
        taken[found.slot] = found.session
    sessions: dict[SessionKey, Standing] = {}
    for key, epoch in epochs.items():
        sessions[key] = Standing(epoch)
        if key in slots:
            pool = (places or {}).get(group_of(slots[key]), ())
            sessions[key] = Standing(epoch, rates.get(slots[key]), compact(ways[key]), pool)
    blocked = frozenset(e.mac for e, _ in held.elements if e.set == "blocked" and e.mac)
    owners = {address: key for key, found in ways.items() for address in found}
    strays += _stray_objects(held, epochs, caps)
    observed = Observed(sessions, caps, blocked, owners, garden=held.garden)
    return Adopted(observed, slots, tuple(strays))


def _epochs(counters: Iterable[str]) -> dict[SessionKey, str]:
    """Sessions whose both counters are there under one epoch."""
    found: dict[SessionKey, set[tuple[str, str]]] = {}
    shared: dict[str, str] = {}
    for name in counters:
        way, key, epoch = (*name.split("."), "", "")[:3]
        found.setdefault(SessionKey(key), set()).add((way, shared.setdefault(epoch, epoch)))
    whole: dict[SessionKey, str] = {}
    for key, marks in found.items():
        epochs = {epoch for _, epoch in marks}
        if len(epochs) == 1 and {way for way, _ in marks} == {"d", "u"}:
            whole[key] = epochs.pop()
    return whole


def _caps(quotas: Iterable[str]) -> dict[CapKey, int]:
    """The newest revision of each budget."""
    newest: dict[CapKey, int] = {}
    for name in quotas:
        _, key, revision = (*name.split("."), "", "")[:3]
        if revision.isdecimal():
            newest[CapKey(key)] = max(newest.get(CapKey(key), 0), int(revision))
    return newest


def _by_address(elements: Iterable[_Row]) -> dict[Address, list[_Row]]:
    found: dict[Address, list[_Row]] = {}
    for row in elements:
        address = row[0].address
        if address is not None:
            found.setdefault(address, []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    session: SessionKey
    slot: int
    way: Way


def _whole(
    rows: Sequence[_Row],
    *,
    epochs: Mapping[SessionKey, str],
    caps: Mapping[CapKey, int],
    now: MonotonicMs,
) -> _Found | None:
    """The way of this address, when its elements are those of one way, all and no more."""
    held = {element.set[:-1]: (element, left) for element, left in rows}
    if len(held) != len(rows) or not held.keys() >= _WHOLE:
        return None
    _, key, _ = _parts(held["count_down"][0])
    session, slot = SessionKey(key), slot_of(_number(held["class"][0]))
    mac = held["up"][0].mac
    if session not in epochs or slot is None or mac is None:
        return None
    lefts = held["up"][1], held["down"][1]
    if (lefts[0] is None) != (lefts[1] is None):
        return None
    until = min((MonotonicMs(now + left) for left in lefts if left is not None), default=None)
    way = Way(MacAddress(intern(mac)), until, _cap(held["cap"][0]) if "cap" in held else None)
    if way.cap is not None and caps.get(way.cap.key) != way.cap.revision:
        return None
    down, up = meter_names(session, epochs[session])
    needed: dict[str, str | int | None] = {"down": None, "up": None}
    needed |= {
        "count_down": down,
        "count_up": up,
        "class": classid_of(slot),
        "group": group_of(slot),
    }
    if way.cap is not None:
        needed["cap"] = quota_name(way.cap)
    if {name: element.value for name, (element, _) in held.items()} != needed:
        return None
    return _Found(session, slot, way)


def _fits(found: _Found, slots: Mapping[SessionKey, int], taken: Mapping[int, SessionKey]) -> bool:
    """Whether all ways of a session share one slot, and no other session has it."""
    session, slot = found.session, found.slot
    return slots.get(session, slot) == slot and taken.get(slot, session) == session


def _parts(element: Element) -> tuple[str, str, str]:
    """The three words of the name that a map's value points at."""
    kind, key, last = (*str(element.value).split("."), "", "")[:3]
    return kind, key, last


def _number(element: Element) -> int:
    return element.value if isinstance(element.value, int) else 0


def _cap(element: Element) -> CapRef:
    _, key, revision = _parts(element)
    return CapRef(CapKey(key), int(revision) if revision.isdecimal() else -1)


def _stray_objects(
    held: Held, epochs: Mapping[SessionKey, str], caps: Mapping[CapKey, int]
) -> Iterator[Op]:
    meters = {name for key, epoch in epochs.items() for name in meter_names(key, epoch)}
    yield from (CutCounter(name) for name in sorted(held.counters - meters))
    quotas = {quota_name(CapRef(key, revision)) for key, revision in caps.items()}
    yield from (CutQuota(name) for name in sorted(held.quotas - quotas))
