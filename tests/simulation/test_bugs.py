"""A check of the checks: bugs put in on purpose, each of which some seed finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.bugs import BUGS, Bug, found

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_simulation_finds(bug: Bug, tmp_path: Path) -> None:
    assert found(bug, tmp_path, bug.seeds), "all invariants held with this bug in the product"


def test_there_are_at_least_twenty_different_bugs() -> None:
    assert len({(bug.file, bug.right) for bug in BUGS}) == len(BUGS) >= 20
