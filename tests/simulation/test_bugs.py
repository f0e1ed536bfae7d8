"""A check of the checks: bugs put in on purpose, each of which a seed or a test finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.bugs import BUGS, Bug, found

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_is_found_that(bug: Bug, tmp_path: Path) -> None:
    assert found(bug, tmp_path), "everything held with this bug in the product"


def test_there_are_at_least_twenty_different_bugs() -> None:
    assert len({(bug.file, bug.right) for bug in BUGS}) == len(BUGS) >= 20


def test_without_a_bug_the_same_tests_hold(tmp_path: Path) -> None:
    suites = tuple(sorted({suite for bug in BUGS for suite in bug.tests}))
    none = Bug("none", BUGS[0].file, BUGS[0].right, BUGS[0].right, tests=suites)

    assert found(none, tmp_path) == ""
