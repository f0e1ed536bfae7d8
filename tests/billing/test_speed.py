"""How fast a grant is: by use, and by the hour in Nairobi."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.plan import DAY_MINUTES, Limits, Step, Window
from billing.speed import Speed, next_step_bytes, next_turn_minutes, speed

NIGHT = Window(22 * 60, 6 * 60, 20_000_000, 20_000_000)
HAPPY = Window(14 * 60, 15 * 60, 9_000_000, 9_000_000)


def limits(*, steps: tuple[Step, ...] = (), windows: tuple[Window, ...] = ()) -> Limits:
    return Limits(4_000_000, 2_000_000, 86_400, None, None, 1, steps=steps, windows=windows)


FAIR_USE = limits(steps=(Step(1_000, 1_000_000, 500_000), Step(5_000, 256_000, 128_000)))
HOURS = limits(steps=FAIR_USE.steps, windows=(NIGHT, HAPPY))

SPEEDS = """
    used  | down      up
    0     | 4000000   2000000
    999   | 4000000   2000000
    1000  | 1000000   500000
    4999  | 1000000   500000
    5000  | 256000    128000
    99999 | 256000    128000
"""


@pytest.mark.parametrize("row", SPEEDS.strip().splitlines()[1:])
def test_a_step_holds_from_its_byte_on(row: str) -> None:
    used, down, up = map(int, row.replace("|", " ").split())

    assert speed(FAIR_USE, used_bytes=used, minute=720) == Speed(down, up)


TURNS = """
    minute | down     next
    0      | 20000000 360
    359    | 20000000 1
    360    | 256000   480
    839    | 256000   1
    840    | 9000000  60
    899    | 9000000  1
    900    | 256000   420
    1319   | 256000   1
    1320   | 20000000 480
    1439   | 20000000 361
"""


@pytest.mark.parametrize("row", TURNS.strip().splitlines()[1:])
def test_an_hour_goes_before_a_step_and_turns_on_its_minute(row: str) -> None:
    minute, down, turn = map(int, row.replace("|", " ").split())

    assert speed(HOURS, used_bytes=9_999, minute=minute).down_bps == down
    assert next_turn_minutes(HOURS, minute) == turn


def test_no_window_holds_while_nobody_knows_the_time() -> None:
    assert speed(HOURS, used_bytes=0, minute=None) == Speed(4_000_000, 2_000_000)


@given(st.integers(0, DAY_MINUTES - 1))
def test_nothing_turns_before_the_next_turn(minute: int) -> None:
    turn = next_turn_minutes(HOURS, minute)
    assert turn is not None
    speeds = {
        speed(HOURS, used_bytes=0, minute=(minute + wait) % DAY_MINUTES) for wait in range(turn)
    }

    assert len(speeds) == 1


@given(st.integers(0, 10_000))
def test_nothing_changes_before_the_next_step(used: int) -> None:
    more = next_step_bytes(FAIR_USE, used)
    before = speed(FAIR_USE, used_bytes=used + (more or 1_000) - 1, minute=None)

    assert before == speed(FAIR_USE, used_bytes=used, minute=None)
    assert more is None or speed(FAIR_USE, used_bytes=used + more, minute=None) != before


def test_a_plan_without_windows_never_turns() -> None:
    assert next_turn_minutes(FAIR_USE, 0) is None
    assert next_step_bytes(limits(), 0) is None
