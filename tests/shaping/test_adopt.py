"""What the kernel holds, read back as sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shaping.diff import CapRef, Observed, Way, diff
from shaping.linux.adopt import Adopted, Held, adopt
from shaping.linux.nft import (
    TIMED,
    Cut,
    CutCounter,
    CutQuota,
    Element,
    Put,
    PutCounter,
    PutQuota,
    meter_names,
    ops,
)
from shaping.plane import Cap, CapKey, Desired, MonotonicMs, Rate, SessionKey
from tests.support.gateway import KEY, PHONE, THIEF, an_access, mac_of, v4_of, v6_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shaping.linux.wire import Told

NOW = MonotonicMs(1_000_000)
CAP = CapKey("grant-7")
NEXT = SessionKey("0193-next")
SLOTS = {KEY: 3, NEXT: 4}
RATES = {3: Rate(50_000_000, 50_000_000)}
DESIRED = Desired(
    {
        KEY: an_access(open_until=MonotonicMs(NOW + 9_000), cap=CAP),
        NEXT: replace(an_access(THIEF), ipv6=frozenset()),
    },
    {CAP: Cap(500, revision=2)},
    frozenset({mac_of(9)}),
)


@dataclass(frozen=True)
class Table:
    """What a kernel holds, as elements with the milliseconds left, and names of objects."""

    elements: Sequence[tuple[Element, int | None]]
    counters: frozenset[str]
    quotas: frozenset[str]


def held_of(desired: Desired = DESIRED) -> Table:
    """What a kernel holds that was brought to ``desired``."""
    changes = diff(Observed(), desired, now=NOW, epoch="e1").changes
    done = list(ops(changes, slot_of=SLOTS.__getitem__, now=NOW))
    rows = [
        (replace(op.element, timeout_ms=None), op.element.timeout_ms)
        for op in done
        if isinstance(op, Put)
    ]
    return Table(
        rows,
        frozenset(op.name for op in done if isinstance(op, PutCounter)),
        frozenset(op.name for op in done if isinstance(op, PutQuota)),
    )


def adopted(table: Table, *, void: frozenset[str] = frozenset()) -> Adopted:
    sets: dict[str, dict[bytes, Told]] = {}
    for element, left in table.elements:
        told = left if element.set in TIMED else element.value
        sets.setdefault(element.set, {})[key_of(element)] = told
    held = Held(sets, table.counters, table.quotas)
    return adopt(held, RATES, now=NOW, void=void)


def key_of(element: Element) -> bytes:
    """An element's key as a kernel has it: each part at a multiple of four bytes."""
    address = b"" if element.address is None else element.address.packed
    mac = b"" if element.mac is None else bytes.fromhex(element.mac.replace(":", ""))
    return address + mac + bytes(-len(mac) % 4 if address else 0)


def test_a_whole_table_is_read_back_as_it_was_meant() -> None:
    found = adopted(held_of())
    again = diff(found.observed, DESIRED, now=NOW, epoch="e2")
    left = {type(change).__name__ for change in again.changes}

    assert found.strays == ()
    assert found.slots == SLOTS
    assert left == {"SetRate"}, "only the class that the kernel did not tell of"


def test_a_way_is_read_back_with_its_deadline_and_budget() -> None:
    standing = adopted(held_of()).observed.sessions[KEY]
    way = Way(mac_of(PHONE), MonotonicMs(NOW + 9_000), CapRef(CAP, 2))

    assert standing.ways == {v4_of(PHONE): way, v6_of(PHONE): way}


rows = st.integers(0, len(held_of().elements) - 1)


@given(rows)
def test_a_way_that_lost_any_element_is_stray_and_made_anew(lost: int) -> None:
    held = held_of()
    gone = held.elements[lost][0]
    rest = [*held.elements[:lost], *held.elements[lost + 1 :]]
    found = adopted(replace(held, elements=rest))
    if gone.set == "blocked" or gone.set.startswith("cap"):
        return  # a block is no way; a way without its budget reads as one without a cap
    cut = {op.element for op in found.strays if isinstance(op, Cut)}

    assert gone.address not in found.observed.owners
    assert cut == {element for element, _ in rest if element.address == gone.address}


STRANGE: dict[str, Sequence[tuple[Element, int | None]]] = {
    "a second MAC for a paid address": [(Element("up4", v4_of(PHONE), mac_of(THIEF)), None)],
    "a lone down element": [(Element("down4", v4_of(77)), None)],
    "a class that no slot has": [(Element("class4", v4_of(77), value=0x10001), None)],
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_not_ours_goes(name: str) -> None:
    held = held_of()
    found = adopted(replace(held, elements=[*held.elements, *STRANGE[name]]))
    ((strange, _),) = STRANGE[name]

    assert Cut(strange) in found.strays


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("count_up4", "u.somebody.e1"),
        ("count_down4", "d.nobody.e1"),
        ("class4", 0x4C010005),
        ("group4", 9),
        ("cap4", "q.grant-7.1"),
        ("cap4", "q.other.2"),
        ("cap4", "nonsense"),
        ("class4", 0),
    ],
)
def test_an_address_that_points_elsewhere_is_not_believed(where: str, value: str | int) -> None:
    held = held_of()
    rows = [
        (replace(element, value=value), left)
        if (element.set, element.address) == (where, v4_of(PHONE))
        else (element, left)
        for element, left in held.elements
    ]

    assert v4_of(PHONE) not in adopted(replace(held, elements=rows)).observed.owners


def test_a_deadline_in_one_direction_alone_is_not_believed() -> None:
    held = held_of()
    rows = [(element, None if element.set == "up4" else left) for element, left in held.elements]

    assert v4_of(PHONE) not in adopted(replace(held, elements=rows)).observed.owners


def test_two_sessions_on_one_class_are_not_both_believed() -> None:
    held = held_of()
    phone = {e.set: e.value for e, _ in held.elements if e.address == v4_of(PHONE)}
    rows = [
        (replace(element, value=phone[element.set]), left)
        if element.address == v4_of(THIEF) and element.set in {"class4", "group4"}
        else (element, left)
        for element, left in held.elements
    ]
    owners = adopted(replace(held, elements=rows)).observed.owners

    assert (v4_of(PHONE) in owners) != (v4_of(THIEF) in owners)


@pytest.mark.parametrize("lost", meter_names(KEY, "e1"))
def test_a_session_that_lost_a_counter_begins_anew(lost: str) -> None:
    held = held_of()
    found = adopted(replace(held, counters=held.counters - {lost}))

    assert KEY not in found.observed.sessions
    assert CutCounter(next(iter(set(meter_names(KEY, "e1")) - {lost}))) in found.strays


def test_counters_that_are_void_are_removed_with_all_that_points_at_them() -> None:
    found = adopted(held_of(), void=frozenset(meter_names(KEY, "e1")))
    cut = [type(op).__name__ for op in found.strays]

    assert KEY not in found.observed.sessions
    assert cut.count("CutCounter") == 2
    assert cut == sorted(cut), "what points is cut before what it points at"


def test_an_older_revision_of_a_budget_is_stray() -> None:
    held = held_of()
    found = adopted(replace(held, quotas=held.quotas | {"q.grant-7.1", "nonsense"}))

    assert {CutQuota("q.grant-7.1"), CutQuota("nonsense")} <= set(found.strays)
    assert found.observed.caps == {CAP: 2}
