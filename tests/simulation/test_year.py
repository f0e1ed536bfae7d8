"""A year of a mixed provider: every night the books are right, however often its processes died."""

from __future__ import annotations

import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from billing.dunning import Policy
from controller.store.database import Database
from controller.usecases.debts import set_policy
from tests.simulation.year.books import books_of, differences
from tests.simulation.year.provider import SEGMENTS, at_day, people
from tests.simulation.year.year import FrailDatabase, Year, opened
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.simulation.year.books import Books
    from tests.simulation.year.provider import Person

pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def a_year(
    template: Path, folder: Path, everybody: list[Person], *, inline: bool = True, **how: Any
) -> AsyncIterator[Year]:
    """A year that is about to begin, on a SQLite file of its own."""
    _copy(template, folder)
    async with _on(
        sqlite_url(folder / "lango.db"), folder, everybody, inline=inline, **how
    ) as year:
        yield year


def _copy(template: Path, folder: Path) -> None:
    folder.mkdir()
    shutil.copy(template, folder / "lango.db")


@asynccontextmanager
async def _on(url: str, folder: Path, everybody: list[Person], **how: Any) -> AsyncIterator[Year]:
    year = await opened(url, folder, everybody, **how)
    try:
        yield year
    finally:
        year.sight.close()
        await year.deps.db.close()


async def lived(year: Year, days: int) -> Books:
    """The books after so many days."""
    await year.live(days)
    await year.close_books()
    return books_of(year.sight)


@pytest.mark.parametrize(("seed", "subscribers", "days"), [(1, 20, 366), (2, 40, 75)])
async def test_every_night_the_books_are_right(
    sqlite_template: Path, tmp_path: Path, seed: int, subscribers: int, days: int
) -> None:
    everybody = people(subscribers, seed, days)
    async with a_year(sqlite_template, tmp_path / "year", everybody) as year:
        await lived(year, days)

    counts = year.judge.papers.counts
    assert year.figures.nights == days + 1
    assert min(counts["invoice"], counts["receipt"], counts["credit_note"] * 9) > 80
    assert year.tally.did.keys() >= {"pause", "reverse", "change_now", "promise"}


async def test_years_with_crashes_and_with_two_schedulers_are_the_same_year(
    sqlite_template: Path, tmp_path: Path
) -> None:
    found: list[Books] = []
    async with a_year(sqlite_template, tmp_path / "plain", people(24, 3, 60)) as year:
        found.append(await lived(year, 60))
    how: dict[str, Any] = {"crashes": True, "batch_max": 3}
    async with a_year(sqlite_template, tmp_path / "torn", people(24, 3, 60), **how) as year:
        found.append(await lived(year, 60))
        assert isinstance(year.deps.db, FrailDatabase)
        deaths = year.deps.db.deaths
    async with a_year(
        sqlite_template, tmp_path / "two", people(24, 3, 60), inline=False, batch_max=3
    ) as year:
        other = Database(year.deps.db.url)
        year.twin = replace(year.deps, db=other)
        found.append(await lived(year, 60))
        await other.close()

    assert deaths > 20
    assert not differences(found[0], found[1])
    assert not differences(found[0], found[2])


async def test_a_year_in_one_go_is_the_year_day_by_day(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """Everybody joins in the first month and does nothing more; nobody is pressed to pay."""
    days = 366
    found: list[Books] = []
    for name, gaps in (("daily", [1] * days), ("one", [days]), ("some", _gaps(days))):
        async with a_year(sqlite_template, tmp_path / name, _quiet(18, 4)) as year:
            for segment in ("", *SEGMENTS[1:]):
                await set_policy(year.deps, segment, Policy(7, ()))
            await year.live(30)
            await year.stand_still()
            for gap in gaps:
                year.clock.to(at_day(year.day + gap))
                await year.work()
                if name == "daily":
                    year.react()
                    year.judge.night(year.now())
            found.append(books_of(year.sight, timed=False))

    assert len(found[0]["documents"]) > 120
    assert not differences(found[0], found[1])
    assert not differences(found[0], found[2])


def _quiet(count: int, seed: int) -> list[Person]:
    everybody = people(count, seed, 25)
    for person in everybody:
        person.lines = [line for line in person.lines if line.rhythm.by_days]
    return everybody


def _gaps(days: int) -> list[int]:
    chance = random.Random(1)
    gaps: list[int] = []
    while sum(gaps) < days:
        gaps.append(min(chance.choice((1, 2, 5, 40)), days - sum(gaps)))
    return gaps


async def test_days_on_which_the_scheduler_was_down_are_caught_up_with(
    sqlite_template: Path, tmp_path: Path
) -> None:
    everybody = people(40, 5, 75)
    async with a_year(sqlite_template, tmp_path / "down", everybody) as year:
        chance = random.Random(5)
        while year.day < 75:
            if chance.random() < 0.15:
                await year.down(chance.randrange(1, 6))
            else:
                await year.night()
                await year.daytime()
        await year.night()
        await year.close_books()

    assert len(year.judge.excused) > 10


@pytest.mark.postgres
async def test_two_schedulers_at_once_on_postgresql(postgres_db: Database, tmp_path: Path) -> None:
    everybody = people(16, 6, 40)
    async with _on(postgres_db.url, tmp_path, everybody, batch_max=2) as year:
        year.twin = replace(year.deps, db=postgres_db)
        await lived(year, 40)

    assert year.judge.papers.counts["invoice"] > 20
