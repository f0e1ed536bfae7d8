"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.noc import text

NOON = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bps", "shown"),
    [
        (0, "0"),
        (999, "999 b/s"),
        (64_000, "64 kb/s"),
        (66_450, "66.4 kb/s"),
        (2_560_000, "2.5 Mb/s"),
        (10**10, "10 Gb/s"),
    ],
)
def test_a_rate_is_said_as_plans_say_it(bps: int, shown: str) -> None:
    assert text.rate(bps) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 B"),
        (512_000_000, "512 MB"),
        (1_250_000_000, "1.2 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_a_volume_is_decimal(amount: int, shown: str) -> None:
    assert text.volume(amount) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-4, "0 s"),
        (9, "9 s"),
        (250, "4 m 10 s"),
        (3_900, "1 h 05 m"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_span_has_its_two_largest_parts(seconds: int, shown: str) -> None:
    assert text.span(seconds) == shown


@pytest.mark.parametrize(
    ("gone", "shown"),
    [
        (timedelta(seconds=-1), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=14), "14 min ago"),
        (timedelta(days=3), "3 d ago"),
    ],
)
def test_how_long_ago_has_one_part(gone: timedelta, shown: str) -> None:
    assert text.ago(NOON - gone, NOON) == shown


def test_todays_times_go_without_a_date() -> None:
    assert text.clock(NOON, NOON) == "12:00:00"


def test_other_days_times_say_which_day() -> None:
    assert text.clock(NOON - timedelta(days=1), NOON) == "22 Nov 12:00"


def test_the_business_day_begins_at_midnight_in_nairobi() -> None:
    assert text.midnight(NOON) == datetime(2026, 11, 22, 21, tzinfo=UTC)


def test_one_is_singular() -> None:
    assert (text.count(1, "site", "sites"), text.count(1_204, "site", "sites")) == (
        "1 site",
        "1,204 sites",
    )
