"""A plan's burst, fair-use steps and hours, as a tired person types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from billing.plan import Burst, Step, Window
from controller.cli import units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.controller.cli.lango import Ran

    Command = Callable[..., Awaitable[Ran]]

DAY = (
    *("plan", "add", "day", "--name", "Day", "--price", "50"),
    *("--down", "5M", "--up", "2M", "--validity", "1d"),
)


async def test_a_plan_is_sold_with_burst_steps_and_hours(run: Command) -> None:
    added = await run(
        *DAY,
        *("--burst", "8M/4M:20MB", "--window", "22:00-06:00:10M/5M"),
        *("--step", "5GB:1M/512k", "--step", "8GB:256k/128k", "--json"),
    )

    assert added.code == 0, added.err
    assert added.json["burst"] == {
        "down_bps": 8_000_000,
        "up_bps": 4_000_000,
        "burst_bytes": 20_000_000,
    }
    assert [step["after_bytes"] for step in added.json["steps"]] == [5 * 10**9, 8 * 10**9]
    assert added.json["windows"] == [
        {"from_minute": 1_320, "until_minute": 360, "down_bps": 10**7, "up_bps": 5_000_000}
    ]


async def test_a_plan_is_shown_with_its_speeds_in_words(run: Command) -> None:
    await run(*DAY, "--burst", "8M/4M:20MB", "--step", "5GB:1M/512k", "--window", "8:30-9:00:1M/1M")
    shown = await run("plan", "show", "day")

    assert "8 Mb/s / 4 Mb/s for 20 MB" in shown.out
    assert "after 5 GB 1 Mb/s / 512 kb/s" in shown.out
    assert "08:30-09:00 1 Mb/s / 1 Mb/s" in shown.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--burst", "1M/1M:20MB"), "--burst, down, in bits per second: want 5,000,000"),
        (("--step", "5GB:1M/1k"), "--step 1, up, in bits per second: want 8,000"),
        (("--step", "5GB:1M/1M", "--step", "2GB:1M/1M"), "--step: want each step after more"),
        (("--window", "06:00-06:00:1M/1M"), "--window 1, its end, in minutes: want another"),
        (("--burst", "8M:20MB"), "'8m' is not like 8M/2M"),
        (("--step", "5GB"), "'5GB' is not like 5GB:1M/512k"),
        (("--window", "25:00-06:00:1M/1M"), "'25:00' is no time of the day"),
    ],
)
async def test_speeds_that_cannot_be_name_the_option(
    run: Command, words: tuple[str, ...], named: str
) -> None:
    ran = await run(*DAY, *words)

    assert ran.code == 2
    assert named in " ".join(ran.err.split())


def test_speeds_are_read_as_people_type_them() -> None:
    assert units.burst("8M / 2M : 20MB") == Burst(8_000_000, 2_000_000, 20_000_000)
    assert units.step("1.5GB:1M/512k") == Step(1_500_000_000, 1_000_000, 512_000)
    assert units.window("22:00-24:00:10M/5M") == Window(1_320, 1_440, 10_000_000, 5_000_000)


@pytest.mark.parametrize("typed", ["", "22:00", "22:00-6:00", "22-6:1M/1M", "22:00-24:01:1M/1M"])
def test_what_is_no_window_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField):
        units.window(typed)
