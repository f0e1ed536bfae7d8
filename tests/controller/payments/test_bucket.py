"""The token bucket: its arithmetic, in one process and between two."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.payments.bucket import Level, MemoryBucket, PaceError, drawn
from tests.support.daraja import NOON

SECOND = timedelta(seconds=1)


def waits(per_s: int, moments: list[datetime]) -> list[float]:
    """What each of them waits who takes at these moments."""
    level, told = None, list[float]()
    for now in moments:
        level, wait_s = drawn(level, now, per_s=per_s)
        told.append(wait_s)
    return told


def test_a_full_bucket_holds_a_second_worth() -> None:
    assert waits(5, [NOON] * 8) == [0, 0, 0, 0, 0, 0.2, 0.4, 0.6]


def test_it_fills_with_time() -> None:
    assert waits(5, [*[NOON] * 5, NOON + SECOND / 5, NOON + SECOND / 5]) == [0] * 6 + [0.2]


def test_not_the_least_moment_is_lost() -> None:
    often = [NOON + timedelta(microseconds=500 * i) for i in range(4_001)]

    assert waits(1_000, often)[-1] == 1.001


def test_it_never_holds_more_than_it_can() -> None:
    later = NOON + timedelta(days=1)

    assert waits(2, [NOON, later, later, later]) == [0, 0, 0, 0.5]


def test_a_slower_clock_fills_nothing_and_takes_its_turn() -> None:
    assert waits(1, [NOON, NOON - SECOND, NOON - SECOND]) == [0, 1, 2]


def test_a_clock_that_was_a_year_ahead_holds_nobody_up() -> None:
    ahead = Level(0, NOON + timedelta(days=365))
    level, _ = drawn(ahead, NOON, per_s=5)

    assert drawn(level, NOON + SECOND, per_s=5)[1] == 0


def test_who_is_turned_away_takes_no_turn() -> None:
    level = Level(-10_000, NOON)
    with pytest.raises(PaceError):
        drawn(level, NOON, per_s=1)

    assert drawn(level, NOON + SECOND, per_s=1)[1] == 10


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=60), st.integers(1, 20))
def test_never_more_than_the_rate_and_one_burst(gaps_ms: list[int], per_s: int) -> None:
    level, now, starts = None, NOON, list[datetime]()
    for gap in gaps_ms:
        now += timedelta(milliseconds=gap)
        try:
            level, wait_s = drawn(level, now, per_s=per_s)
        except PaceError:
            continue
        starts.append(now + timedelta(seconds=wait_s))
    rest = timedelta(milliseconds=1)  # a wait is a whole number of microseconds

    for i, first in enumerate(starts):
        for j in range(i, len(starts)):
            assert j - i + 1 <= per_s + ((starts[j] - first + rest) / SECOND) * per_s


async def test_each_name_has_its_own() -> None:
    bucket = MemoryBucket(1)
    got = await asyncio.gather(*(bucket.take(f"mpesa:{i}", NOON) for i in range(3)))

    assert got == [0, 0, 0]
