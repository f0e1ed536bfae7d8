"""How much of an outage no maintenance covers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.alerts.windows import Window, outside_s
from tests.support.clock import MORNING


def window(start: int, end: int) -> Window:
    return Window(MORNING + timedelta(seconds=start), MORNING + timedelta(seconds=end))


@pytest.mark.parametrize(
    ("windows", "left"),
    [
        ([], 100),
        ([(0, 100)], 0),
        ([(-50, 10)], 90),
        ([(90, 500)], 90),
        ([(40, 60)], 80),
        ([(40, 60), (50, 70)], 70),
        ([(50, 70), (40, 60)], 70),
        ([(40, 60), (60, 80)], 60),
        ([(10, 90), (20, 30)], 20),
        ([(-50, -10), (110, 150)], 100),
        ([(-50, 0), (100, 150)], 100),
    ],
)
def test_what_is_left_of_an_outage_of_a_hundred_seconds(
    windows: list[tuple[int, int]], left: int
) -> None:
    assert outside_s(window(0, 100), [window(*one) for one in windows]) == left
