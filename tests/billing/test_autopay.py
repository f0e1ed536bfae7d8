"""When cards are charged, day by day in Nairobi, and how much."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.autopay import (
    CHARGE_LEAST_MINOR,
    CHARGE_MOST_MINOR,
    MORNING_HOUR,
    RETRY_AFTER_DAYS,
    next_morning,
    next_try,
    to_charge,
)
from billing.period import NAIROBI

# A no, which one of a row it is, when it was learnt, and when the card is tried again.
CALENDAR = """
tries  learnt            again
1      2026-11-23T08:03  2026-11-24T08:00
1      2026-11-23T23:59  2026-11-24T08:00
1      2026-11-24T00:00  2026-11-25T08:00
1      2026-12-31T08:03  2027-01-01T08:00
2      2026-11-24T08:03  2026-11-26T08:00
2      2028-02-28T08:03  2028-03-01T08:00
3      2026-11-26T08:03  2026-11-29T08:00
3      2026-11-26T02:00  2026-11-29T08:00
4      2026-11-29T08:03  never
9      2026-11-29T08:03  never
0      2026-11-29T08:03  never
"""

MORNINGS = """
now               next
2026-11-23T00:00  2026-11-23T08:00
2026-11-23T07:59  2026-11-23T08:00
2026-11-23T08:00  2026-11-24T08:00
2026-11-23T23:59  2026-11-24T08:00
2026-12-31T09:00  2027-01-01T08:00
"""

MOMENTS = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2040, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.just(NAIROBI),
)


def at(text: str) -> datetime | None:
    """A moment in Nairobi."""
    return None if text == "never" else datetime.fromisoformat(text).replace(tzinfo=NAIROBI)


def rows(table: str) -> list[list[str]]:
    """A table's lines below its headings."""
    return [line.split() for line in table.strip().splitlines()[1:]]


@pytest.mark.parametrize(("tries", "learnt", "again"), rows(CALENDAR))
def test_a_card_that_said_no_is_tried_again_as_the_calendar_says(
    tries: str, learnt: str, again: str
) -> None:
    moment = at(learnt)
    assert moment is not None

    assert next_try(int(tries), moment) == at(again)


@pytest.mark.parametrize(("now", "following"), rows(MORNINGS))
def test_the_next_morning_is_the_next_eight_o_clock_of_nairobi(now: str, following: str) -> None:
    moment = at(now)
    assert moment is not None

    assert next_morning(moment) == at(following)


@given(MOMENTS)
def test_the_next_morning_is_within_a_day_and_never_now(now: datetime) -> None:
    found = next_morning(now)

    assert timedelta(0) < found - now <= timedelta(days=1)
    assert found.astimezone(NAIROBI).hour == MORNING_HOUR


@given(MOMENTS)
def test_every_try_is_on_a_later_day_and_tries_come_to_an_end(now: datetime) -> None:
    days, tries = [now.date()], 1
    while (again := next_try(tries, now)) is not None:
        days.append(again.astimezone(NAIROBI).date())
        now, tries = again, tries + 1

    assert days == sorted(set(days))
    assert tries == len(RETRY_AFTER_DAYS) + 1


@pytest.mark.parametrize(
    ("owed", "most", "charged"),
    [
        (300_000, None, 300_000),
        (300_000, 300_000, 300_000),
        (300_000, 100_000, 100_000),
        (100, None, 100),
        (99, None, 0),
        (0, None, 0),
        (-5_000, None, 0),
        (-5_000, 100_000, 0),
        (CHARGE_MOST_MINOR + 1, None, CHARGE_MOST_MINOR),
    ],
)
def test_what_is_owed_is_charged_up_to_what_was_agreed_to(
    owed: int, most: int | None, charged: int
) -> None:
    assert to_charge(owed, most) == charged


@given(st.integers(-(10**9), 10**9), st.none() | st.integers(CHARGE_LEAST_MINOR, CHARGE_MOST_MINOR))
def test_a_charge_is_never_more_than_is_owed_or_agreed_to(owed: int, most: int | None) -> None:
    charged = to_charge(owed, most)

    assert 0 <= charged <= max(0, owed)
    assert most is None or charged <= most
    assert charged == 0 or CHARGE_LEAST_MINOR <= charged <= CHARGE_MOST_MINOR
