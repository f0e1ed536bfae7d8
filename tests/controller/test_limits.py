"""A plan's limits come back from its row as they went in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.plan import Burst, Limits, Step, Window
from controller.limits import limits_of, speeds_text
from tests.support import office
from tests.support.builders import limits

PLAIN = limits()
BURSTY = replace(PLAIN, burst=Burst(8_000_000, 4_000_000, 20_000_000))
FAIR = replace(PLAIN, steps=(Step(10**9, 10**6, 10**6), Step(2 * 10**9, 10**5, 10**5)))
NIGHTLY = replace(PLAIN, windows=(Window(1_320, 360, 10**7, 10**7),))
ALL = replace(BURSTY, steps=FAIR.steps, windows=NIGHTLY.windows)


@pytest.mark.parametrize("allows", [PLAIN, BURSTY, FAIR, NIGHTLY, ALL])
def test_limits_come_back_from_the_row_as_they_went_in(allows: Limits) -> None:
    row = office.a_plan(
        down_bps=allows.down_bps,
        up_bps=allows.up_bps,
        validity_s=allows.validity_s,
        speeds=speeds_text(allows),
    )

    assert limits_of(row) == allows


def test_a_plan_of_one_speed_keeps_no_text() -> None:
    assert speeds_text(PLAIN) is None
