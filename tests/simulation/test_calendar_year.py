"""Calendars through the real run: every fixed day and every first day, for 36 months.

Whoever looks after what is due does so on some days and not on others.
"""

from __future__ import annotations

import random
import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.simulation.year.naive import DAY, Rhythm, day_in_nairobi, midnight_in_nairobi
from tests.simulation.year.provider import Line, Person, an_id, at_day
from tests.simulation.year.sight import moment
from tests.simulation.year.year import opened
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

ROWS = "SELECT start_at, end_at FROM billed_period WHERE subscription_id = ? ORDER BY start_at"
LAST = midnight_in_nairobi(date(2031, 1, 1))


def someone(n: int, mode: str, rhythm: Rhythm, joins: int) -> Person:
    """A subscriber who begins on a day with a subscription, and does nothing else."""
    who = an_id("calendar", n)
    line = Line(an_id(who, "line"), "home", mode, rhythm)
    chance = random.Random(n)
    return Person(n, who, f"2547{n:08d}", "residential", "main", "never", joins, chance, [line])


def everybody() -> list[Person]:
    """Each fixed day from a first day of each kind, and each first day of two months."""
    fixed = [
        (("advance", "arrears")[n % 2], Rhythm("month", 1 + n % 7 // 6, day), 12 + n % 4)
        for n, day in enumerate(range(1, 32))
    ]
    first = [(("arrears", "advance")[n % 2], Rhythm("month"), 12 + n) for n in range(31)]
    return [someone(n, *how) for n, how in enumerate((*fixed, *first))]


async def test_every_day_of_36_months_is_billed_once(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "lango.db")
    url = sqlite_url(tmp_path / "lango.db")
    year = await opened(url, tmp_path, everybody(), inline=True)
    for person in sorted(year.everybody, key=lambda one: one.joins):
        year.clock.to(at_day(person.joins))
        await year.begin(person)
    chance = random.Random(36)
    while year.now() < LAST:
        year.clock.to(year.now() + chance.choice((1, 2, 9, 40)) * DAY)
        await year.bill()

    for person in year.everybody:
        (line,) = person.lines
        rows = [(moment(start), moment(end)) for start, end in year.sight.tuples(ROWS, line.id)]
        begun = at_day(person.joins)
        assert len(rows) >= 18
        assert [start for start, _ in rows] == [begun, *[end for _, end in rows[:-1]]]
        ends = [day_in_nairobi(end) for _, end in rows if end is not None]
        wanted = line.rhythm.fixed or day_in_nairobi(begun).day
        assert all(day.day == min(wanted, _last(day)) for day in ends), f"{line.rhythm}: {ends}"
    year.sight.close()
    await year.deps.db.close()


def _last(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (following - date(day.year, day.month, 1)).days
