"""Ids that are given by the thousand: as hard to guess as others, and in the order of time."""

from __future__ import annotations

import re
from datetime import timedelta

from controller.store.bulk_rows import new_names
from tests.support.clock import MORNING

LATER = MORNING + timedelta(milliseconds=1)


def test_names_of_one_moment_are_many_and_in_order() -> None:
    names = new_names(1_000, MORNING)

    assert names == sorted(set(names))
    assert len(names) == 1_000
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_names_of_later_come_behind() -> None:
    assert new_names(100, MORNING)[-1] < new_names(100, LATER)[0]


def test_names_of_one_moment_share_nothing_but_the_moment() -> None:
    chances = [name[12:] for name in new_names(1_000, MORNING)]

    assert len({chance[:6] for chance in chances}) > 990
    assert {name[:12] for name in new_names(2, MORNING)} == {
        name[:12] for name in new_names(2, MORNING)
    }
