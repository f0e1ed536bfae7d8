"""Counters in the running kernel, read in two ways."""

from __future__ import annotations

from contextlib import closing

import pytest

from shaping.linux.netlink import ASK_CHUNK
from shaping.linux.nft import LinuxConfig, PutCounter
from shaping.linux.tables import Tables
from tests.support.netns import Namespace

pytestmark = pytest.mark.root

NAMES = [f"d.session-{number}.0" for number in range(ASK_CHUNK + 3)]


@pytest.mark.parametrize("asked", [NAMES, [*NAMES, "d.gone.0"], ["d.gone.0", *NAMES]])
def test_counters_asked_for_by_name_are_those_of_the_whole_table(asked: list[str]) -> None:
    def read() -> tuple[dict[str, int], dict[str, int]]:
        with closing(Tables(LinuxConfig(lan="lan0", wan="wan0"))) as tables:
            tables.ensure_installed()
            tables.commit([PutCounter(name) for name in NAMES])
            return tables.counted(asked), tables.counted()

    with Namespace("box") as box:
        by_name, whole = box.call(read)

    assert by_name.keys() == set(NAMES)
    assert by_name == {name: count for name, count in whole.items() if name in NAMES}


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
