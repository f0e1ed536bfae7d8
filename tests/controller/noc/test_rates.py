"""Rates from successive readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.noc.rates import POINTS_MAX, QUIET_AFTER_S, Counted, Rate, followed, is_quiet

NOON = datetime(2026, 11, 23, 9, tzinfo=UTC)


def a_reading(after_s: int = 0, down: int = 0, up: int = 0, session_id: str = "s") -> Counted:
    return Counted(session_id, NOON + timedelta(seconds=after_s), down, up)


def rates_of(*readings: Counted) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for reading in readings:
        rates = followed(rates, [reading])
    return rates


def test_one_reading_is_no_rate() -> None:
    assert rates_of(a_reading(down=5))["s"].down_bps is None


def test_a_rate_is_the_bits_between_two_readings_by_the_time_between_them() -> None:
    rate = rates_of(a_reading(0, down=1_000), a_reading(5, down=626_000, up=250))["s"]

    assert (rate.down_bps, rate.up_bps) == (1_000_000, 400)


def test_the_same_reading_seen_again_keeps_the_rate() -> None:
    rate = rates_of(a_reading(0), a_reading(5, down=625_000), a_reading(5, down=625_000))["s"]

    assert rate.down_bps == 1_000_000


def test_an_older_reading_changes_nothing() -> None:
    before = rates_of(a_reading(0), a_reading(5, down=625_000))

    assert followed(before, [a_reading(3, down=10)]) == before


def test_a_session_that_is_no_longer_read_is_forgotten() -> None:
    rates = followed(rates_of(a_reading()), [a_reading(session_id="other")])

    assert list(rates) == ["other"]


def test_a_silent_session_has_no_rate_to_show() -> None:
    rate = rates_of(a_reading(0), a_reading(5))["s"]

    assert is_quiet(rate, NOON + timedelta(seconds=5 + QUIET_AFTER_S + 1))


def test_the_past_of_a_rate_is_bounded_and_keeps_the_newest() -> None:
    rate = rates_of(*(a_reading(n, down=n * n) for n in range(3 * POINTS_MAX)))["s"]

    assert len(rate.points) == POINTS_MAX
    assert rate.points[-1] == rate.down_bps


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_rates_are_never_negative(counts: list[int]) -> None:
    rate = rates_of(*(a_reading(n, down=count) for n, count in enumerate(counts)))["s"]

    assert all(point >= 0 for point in rate.points)
