"""When a backup is due, and which stay."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from controller.backup.calendar import is_due, kept, made_at, name_of
from tests.support.office import NOON

TWO = time(2)
NIGHT = datetime(2026, 11, 22, 23, tzinfo=UTC)
"""Two o'clock in Nairobi, before `NOON`."""


@pytest.mark.parametrize(
    ("done_at", "failed_at", "due"),
    [
        (None, None, True),
        (NIGHT - timedelta(seconds=1), None, True),
        (NIGHT, None, False),
        (NOON - timedelta(days=9), None, True),
        (None, NOON - timedelta(minutes=29), False),
        (None, NOON - timedelta(minutes=30), True),
        (NIGHT, NOON - timedelta(hours=3), False),
    ],
)
def test_one_is_due_once_a_night_and_again_after_it_failed(
    done_at: datetime | None, failed_at: datetime | None, *, due: bool
) -> None:
    assert is_due(NOON, at=TWO, done_at=done_at, failed_at=failed_at) == due


def test_names_tell_when_they_were_made() -> None:
    assert made_at(name_of(NOON)) == NOON


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lango.db",
        "lango-20261323T090000Z.lango",
        "../lango-20261123T090000Z.lango",
        "lango-20261123T090000Z.lango.part",
        "lango-20261123T090000Z.lango\n",
    ],
)
def test_other_names_are_no_backups(name: str) -> None:
    assert made_at(name) is None


def test_of_two_years_of_nights_seven_days_four_weeks_and_twelve_months_stay() -> None:
    nights = [NIGHT - timedelta(days=n) for n in range(730)]
    stay = sorted(made_at(name) for name in kept(map(name_of, nights)))  # type: ignore[type-var]

    assert stay[-7:] == sorted(nights[:7])
    assert len(stay) == 7 + 2 + 11, "two of the weeks and one of the months end within the days"
    assert stay[0] is not None
    assert stay[0] > NIGHT - timedelta(days=366)


def test_of_several_in_a_day_the_last_stays() -> None:
    names = [name_of(NIGHT + timedelta(hours=n)) for n in range(3)]

    assert kept(names) == {names[2]}


def test_what_is_no_backup_is_never_among_those_that_go() -> None:
    assert kept(["notes.txt"]) == set()
