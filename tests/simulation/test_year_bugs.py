"""A check of the year's judge: bugs put in on purpose, each of which it or a named test finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.bugs import found
from tests.simulation.year.bugs import BUGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.bugs import Bug

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_is_found_that(bug: Bug, tmp_path: Path) -> None:
    assert found(bug, tmp_path), "everything held with this bug in the product"


def test_there_are_at_least_twelve_different_bugs() -> None:
    assert len({(bug.file, bug.right) for bug in BUGS}) == len(BUGS) >= 12
