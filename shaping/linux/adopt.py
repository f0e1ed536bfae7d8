"""What the kernel holds, read back as sessions; whatever fits no session is stray. PURE.

This is how a program that was killed finds its sessions again: the names of the counters carry
session and epoch, and every address points at them. A way counts only when it is whole; the rest of
a half one is stray, goes, and is made anew by the next difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shaping.diff import CapRef, Observed, Standing, Way
from shaping.linux.nft import (
    Cut,
    CutCounter,
    CutQuota,
    Element,
    meter_names,
    quota_name,
    way_elements,
)
from shaping.linux.tc import slot_of
from shaping.plane import CapKey, MonotonicMs, SessionKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shaping.diff import Address
    from shaping.linux.nft import Op
    from shaping.plane import MacAddress, Rate


@dataclass(frozen=True, slots=True)
class Held:
    """A dump of our table: elements with the milliseconds left, and names of objects."""

    elements: Sequence[tuple[Element, int | None]] = ()
    counters: frozenset[str] = frozenset()
    quotas: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Adopted:
    """The observed state, the slot of each session that has ways, and what must go."""

    observed: Observed
    slots: Mapping[SessionKey, int] = field(default_factory=dict)
    strays: tuple[Op, ...] = ()


def adopt(
    held: Held,
    rates: Mapping[int, Rate],
    *,
    now: MonotonicMs,
    void: frozenset[str] = frozenset(),
) -> Adopted:
    """Read sessions out of a dump taken at ``now``. ``rates`` are the shapers by slot.

    Counters named in ``void`` are not believed: their sessions must begin to count anew.
    """
    epochs = _epochs(held.counters - void)
    caps = _caps(held.quotas)
    content = {_plain(element): left for element, left in held.elements}
    ways, slots = _ways(content, epochs=epochs, caps=caps, now=now)
    sessions = {
        key: Standing(epoch, rates.get(slots[key]) if key in slots else None, ways.get(key, {}))
        for key, epoch in epochs.items()
    }
    blocked = frozenset(e.mac for e in content if e.set == "blocked" and e.mac is not None)
    owners = {address: key for key, found in ways.items() for address in found}
    kept = {
        _plain(element)
        for key, found in ways.items()
        for address, way in found.items()
        for element in way_elements(key, epochs[key], address, way, slots[key], now)
    }
    loose = [element for element in content if element not in kept and element.set != "blocked"]
    strays = (*map(Cut, loose), *_stray_objects(held, epochs, caps))
    return Adopted(Observed(sessions, caps, blocked, owners), slots, strays)


def _plain(element: Element) -> Element:
    """The element without its timeout, which is told in another way when it is read."""
    return Element(element.set, element.address, element.mac, element.value)


def _epochs(counters: Iterable[str]) -> dict[SessionKey, str]:
    """Sessions whose both counters are there under one epoch."""
    found: dict[SessionKey, set[tuple[str, str]]] = {}
    for name in counters:
        way, key, epoch = (*name.split("."), "", "")[:3]
        found.setdefault(SessionKey(key), set()).add((way, epoch))
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


def _ways(
    content: Mapping[Element, int | None],
    *,
    epochs: Mapping[SessionKey, str],
    caps: Mapping[CapKey, int],
    now: MonotonicMs,
) -> tuple[dict[SessionKey, dict[Address, Way]], dict[SessionKey, int]]:
    ways: dict[SessionKey, dict[Address, Way]] = {}
    slots: dict[SessionKey, int] = {}
    taken: dict[int, SessionKey] = {}
    for address, elements in _by_address(content).items():
        key = _session(elements)
        slot = _slot(elements)
        if key not in epochs or slot is None:
            continue
        way = _way(elements, content, now=now)
        if way is None or (way.cap is not None and caps.get(way.cap.key) != way.cap.revision):
            continue
        needed = set(map(_plain, way_elements(key, epochs[key], address, way, slot, now)))
        alone = slots.get(key, slot) == slot and taken.get(slot, key) == key
        if needed == set(elements) and alone:
            ways.setdefault(key, {})[address] = way
            slots[key] = slot
            taken[slot] = key
    return ways, slots


def _by_address(content: Iterable[Element]) -> dict[Address, list[Element]]:
    found: dict[Address, list[Element]] = {}
    for element in content:
        if element.address is not None:
            found.setdefault(element.address, []).append(element)
    return found


def _session(elements: Iterable[Element]) -> SessionKey:
    for element in elements:
        if element.set.startswith("count_down") and isinstance(element.value, str):
            return SessionKey((*element.value.split("."), "")[1])
    return SessionKey("")


def _slot(elements: Iterable[Element]) -> int | None:
    for element in elements:
        if element.set.startswith("class") and isinstance(element.value, int):
            return slot_of(element.value)
    return None


def _way(
    elements: Iterable[Element], content: Mapping[Element, int | None], *, now: MonotonicMs
) -> Way | None:
    """The way, when exactly one MAC may use it and both directions end together."""
    macs: list[MacAddress] = []
    ends: list[int | None] = []
    cap: CapRef | None = None
    for element in elements:
        if element.set.startswith("up") and element.mac is not None:
            macs.append(element.mac)
        if element.set.startswith(("up", "down")):
            ends.append(content[element])
        if element.set.startswith("cap") and isinstance(element.value, str):
            _, key, revision = (*element.value.split("."), "", "")[:3]
            cap = CapRef(CapKey(key), int(revision) if revision.isdecimal() else -1)
    if len(macs) != 1 or len(ends) != 2:  # noqa: PLR2004 -- up and down
        return None
    up, down = ends
    if up is None or down is None:
        return Way(macs[0], None, cap) if up is down else None
    return Way(macs[0], MonotonicMs(now + min(up, down)), cap)


def _stray_objects(
    held: Held, epochs: Mapping[SessionKey, str], caps: Mapping[CapKey, int]
) -> Iterator[Op]:
    meters = {name for key, epoch in epochs.items() for name in meter_names(key, epoch)}
    yield from (CutCounter(name) for name in sorted(held.counters - meters))
    quotas = {quota_name(CapRef(key, revision)) for key, revision in caps.items()}
    yield from (CutQuota(name) for name in sorted(held.quotas - quotas))
