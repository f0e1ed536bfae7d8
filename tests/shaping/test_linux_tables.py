"""Counters in the running kernel, read in two ways."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from shaping.linux.netlink import ASK_CHUNK
from shaping.linux.nft import TIMED, Element, LinuxConfig, Put, PutCounter
from shaping.linux.tables import Tables
from shaping.plane import MonotonicMs
from tests.support.gateway import PHONE, mac_of, v4_of, v6_of
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from shaping.diff import Address

pytestmark = pytest.mark.root

NAMES = [f"d.session-{number}.0" for number in range(2 * ASK_CHUNK)]
LAST = "d.session-last.0"


def read(asked: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """What is read of these where the dump is given up at once, and what is read of all."""

    def inside() -> tuple[dict[str, int], dict[str, int]]:
        with closing(Tables(LinuxConfig(lan="lan0", wan="wan0"))) as tables:
            tables.ensure_installed()
            tables.commit([PutCounter(name) for name in NAMES])
            box.run("nft", f"add counter inet lango {LAST} {{ packets 3 bytes 77 ; }}")
            return tables.counted(asked, dumped=1), tables.counted()

    with Namespace("box") as box:
        return box.call(inside)


@pytest.mark.parametrize(
    "asked", [[*NAMES, LAST], [*NAMES, "d.gone.0", LAST], ["d.gone.0", LAST, *NAMES]]
)
def test_counters_asked_for_by_name_are_those_of_the_whole_table(asked: list[str]) -> None:
    by_name, whole = read(asked)

    assert whole.keys() > {*NAMES, LAST}
    assert by_name == whole
    assert by_name[LAST] == 77


def test_a_dump_that_is_given_up_is_in_nobodys_way() -> None:
    few, whole = read([LAST])

    assert few[LAST] == 77
    assert len(few) < len(NAMES) < len(whole)


def test_a_counter_with_a_comment_is_read_as_well() -> None:
    def read() -> dict[str, int]:
        with closing(Tables(LinuxConfig(lan="lan0", wan="wan0"))) as tables:
            tables.ensure_installed()
            box.run(
                "nft", 'add counter inet lango d.x.0 { packets 2 bytes 99 ; comment "by hand"; }'
            )
            return tables.counted()

    with Namespace("box") as box:
        found = box.call(read)

    assert found["d.x.0"] == 99


def test_what_is_left_of_a_deadline_is_told_as_of_when_reading_began() -> None:
    """Each set is read later than the one before; a box with much to do takes seconds."""
    addresses: dict[str, Address] = {"4": v4_of(PHONE), "6": v6_of(PHONE)}
    macs = {"up": mac_of(PHONE), "down": None}
    elements = [
        Element(name, addresses[name[-1]], macs[name[:-1]], timeout_ms=60_000) for name in TIMED
    ]
    moments = iter(range(0, 1_000_000, 10_000))

    def read() -> list[int]:
        with closing(Tables(LinuxConfig(lan="lan0", wan="wan0"))) as tables:
            tables.ensure_installed()
            tables.commit(map(Put, elements))
            held = tables.held(lambda: MonotonicMs(next(moments)))
            return [
                left for name in TIMED for left in held.sets[name].values() if isinstance(left, int)
            ]

    with Namespace("box") as box:
        lefts = box.call(read)

    # The clock stood at 0 when reading began, and is 10 s further with each set.
    assert [60_000 + 10_000 * late - left for late, left in enumerate(lefts, 1)] == pytest.approx(
        [0] * len(TIMED), abs=5_000
    )
