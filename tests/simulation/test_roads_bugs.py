"""A check of the roads' judge: defences taken away, each of which a seed or a named test misses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.roads.bugs import BUGS, found_by_roads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.bugs import Bug

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_is_found_that(bug: Bug, tmp_path: Path) -> None:
    assert found_by_roads(bug, tmp_path), "everything held with this bug in the product"


def test_there_are_at_least_fifteen_different_bugs() -> None:
    assert len({(bug.file, bug.right) for bug in BUGS}) == len(BUGS) >= 15
