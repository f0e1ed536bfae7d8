"""A provider's day: a bad line, an hour without Daraja, and at night every shilling fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.roads.day import a_day, figures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

PAYMENTS = 120


async def test_after_a_bad_day_and_its_statement_nothing_differs(tmp_path: Path) -> None:
    async with a_day(tmp_path, seed=1) as day:
        found = await figures(day, PAYMENTS)

    assert min(day.line.count[fate] for fate in ("lost", "doubled", "late")) >= 3, found.text
    assert found.settled > PAYMENTS // 2
    assert (found.unplaced, found.differences) == ((), ())
    assert found.told_minor == found.booked_minor
    assert found.till_minor == found.daraja_minor
