"""Readings may be lost, doubled or out of order: usage is the same."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.metering import Meter, Volume, metered

volumes = st.builds(Volume, st.integers(0, 10**15), st.integers(0, 10**15))
readings = st.lists(st.tuples(st.sampled_from("abc"), volumes), max_size=30)


def after(seen: list[tuple[str, Volume]], meter: Meter | None = None) -> Meter:
    return reduce(lambda m, r: metered(m, r[0], r[1]), seen, meter or Meter())


@given(readings, st.randoms())
def test_order_does_not_matter(seen: list[tuple[str, Volume]], shuffled: object) -> None:
    mixed = list(seen)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined] # hypothesis gives a random.Random

    assert after(mixed).usage == after(seen).usage


@given(readings)
def test_a_doubled_delivery_changes_nothing(seen: list[tuple[str, Volume]]) -> None:
    assert after(seen + seen) == after(seen)


@given(readings, st.sampled_from("abc"), volumes)
def test_usage_never_falls(seen: list[tuple[str, Volume]], epoch: str, reading: Volume) -> None:
    before, then = after(seen).usage, after([*seen, (epoch, reading)]).usage

    assert then.down_bytes >= before.down_bytes
    assert then.up_bytes >= before.up_bytes


@given(st.lists(volumes, min_size=1, max_size=20))
def test_a_lost_reading_is_made_good_by_the_next(growth: list[Volume]) -> None:
    totals = [reduce(Volume.__add__, growth[: i + 1]) for i in range(len(growth))]

    assert after([("a", totals[-1])]).usage == after([("a", t) for t in totals]).usage


def test_a_restarted_counter_starts_from_zero_again() -> None:
    meter = after([("a", Volume(100, 10)), ("b", Volume(0, 0)), ("b", Volume(30, 3))])

    assert meter.usage == Volume(130, 13)


def test_a_late_reading_of_an_ended_epoch_is_not_counted_twice() -> None:
    meter = after([("a", Volume(100, 10)), ("b", Volume(5, 5)), ("a", Volume(90, 9))])

    assert meter.usage == Volume(105, 15)


def test_each_direction_keeps_its_own_maximum() -> None:
    assert after([("a", Volume(10, 1)), ("a", Volume(1, 10))]).usage == Volume(10, 10)


def test_a_reading_of_nothing_still_opens_its_epoch() -> None:
    assert "a" in metered(Meter(), "a", Volume()).epochs


def test_a_repeat_is_the_same_meter() -> None:
    meter = after([("a", Volume(1, 1))])

    assert metered(meter, "a", Volume(1, 1)) is meter


def test_both_directions_together() -> None:
    assert Volume(2, 3).total_bytes == 5


@pytest.mark.parametrize(("down", "up"), [(-1, 0), (0, -1)])
def test_no_counter_is_negative(down: int, up: int) -> None:
    with pytest.raises(AssertionError):
        Volume(down, up)
