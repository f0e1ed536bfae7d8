"""Clocks that lie: no expiry storm, no free time, no lost paid time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import daytime, grants
from agent.clock import SystemClock
from agent.model import Instant
from billing.ids import GrantId
from shaping.plane import MonotonicMs
from tests.support.site import Story
from tests.support.steered import NOON

STORIES = {
    "a jump of 56 years ends nothing and gives nothing away": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        10   | clock years=56                       |
        10   | show a                               | open 10.0.0.5 until 1000
        20   | clock years=-56                      |
        999  | count a 9/9                          | read a 9/9 v999 u999
        1000 | tick                                 |
        1000 | show a                               | closed 10.0.0.5 until 1000
    """,
    "a clock that goes back by two hours ends nothing and gives nothing away": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        10   | clock hours=-2                       |
        999  | count a 9/9                          | read a 9/9 v999 u999
        1000 | tick                                 |
        1000 | show a                               | closed 10.0.0.5 until 1000
    """,
    "a power cut under a clock that ran ahead by 56 years charges nothing to anybody": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        10   | clock years=56                       |
        20   | tick                                 |
        20   | boot off=30                          |
        0    | show a                               | open 10.0.0.5 until 980
        50   | clock years=-56                      |
        50   | show a                               | open 10.0.0.5 until 980
    """,
    "a machine that never knew the time charges nothing when it hears of it": """
        0    | clock years=-56                      |
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        100  | tick                                 |
        100  | boot off=300                         |
        0    | show a                               | open 10.0.0.5 until 900
        50   | clock years=56                       |
        50   | show a                               | open 10.0.0.5 until 900
        60   | boot off=300                         |
        0    | show a                               | open 10.0.0.5 until 540
    """,
    "two power cuts without the time are charged together once it is known": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=9000         | open a g1 10.0.0.5
        100  | tick                                 |
        100  | boot off=300 years=-56               |
        50   | tick                                 |
        50   | boot off=200                         |
        0    | show a                               | open 10.0.0.5 until 8850
        20   | clock years=56                       |
        20   | show a                               | open 10.0.0.5 until 8350
    """,
    "a clock that starts at the last time it knew charges the time off once it is set right": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=2000         | open a g1 10.0.0.5
        100  | tick                                 |
        100  | boot off=1                           |
        0    | show a                               | open 10.0.0.5 until 1899
        50   | clock seconds=300                    |
        50   | show a                               | open 10.0.0.5 until 1599
        51   | clock seconds=9                      |
        52   | clock seconds=-60                    |
        52   | show a                               | open 10.0.0.5 until 1599
        500  | count a 9/9                          | read a 9/9 v901 u500
        900  | tick                                 |
        901  | clock seconds=300                    |
        901  | show a                               | open 10.0.0.5 until 1599
    """,
    "paid time that began after the boot owes nothing for it": """
        0    | tick                                 |
        1    | boot off=1                           |
        5    | seen a 10.0.0.5                      |
        5    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        50   | clock seconds=300                    |
        50   | show a                               | open 10.0.0.5 until 1005
    """,
    "a voucher that is good is taken in 1970": """
        0    | chunk c1 codes=x until=100000        |
        9    | boot off=300 years=-56               |
        5    | take r1 a x                          | redeemed a r1
    """,
    "a voucher that lapsed before the clock was lost is not taken in 1970": """
        0    | chunk c1 codes=x until=100           |
        200  | tick                                 |
        200  | boot off=300 years=-56               |
        5    | take r1 a x                          |
    """,
    "one that lapses while the box runs in 1970 is not taken for ever": """
        0    | chunk c1 codes=x,y until=1000        |
        100  | tick                                 |
        100  | boot off=9 years=-56                 |
        899  | take r1 a x                          | redeemed a r1
        900  | take r2 a y                          |
    """,
    "a voucher that is good is taken while the clock is 56 years ahead": """
        0    | chunk c1 codes=x,y until=1000        |
        5    | clock years=56                       |
        5    | take r1 a x                          | redeemed a r1
        1000 | take r2 a y                          |
    """,
    "tries of an earlier boot count from the first moment of this one": """
        0    | wrong a x5                           |
        1    | may a                                | no
        899  | tick                                 |
        899  | boot off=86400                       |
        0    | may a                                | no
        899  | may a                                | no
        900  | may a                                | yes
    """,
    "tries that were over before the boot stay over": """
        0    | wrong a x5                           |
        900  | tick                                 |
        900  | boot off=1                           |
        0    | may a                                | yes
    """,
    "a clock that jumps gives a guesser no new tries": """
        0    | wrong a x5                           |
        1    | clock years=56                       |
        2    | may a                                | no
        3    | clock years=-56                      |
        4    | may a                                | no
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_clocks(story: str) -> None:
    Story().tell(STORIES[story])


WALLS = st.sampled_from(
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
        NOON - timedelta(hours=2),
        NOON + timedelta(hours=1),
        NOON + timedelta(days=300),
        datetime(2082, 1, 1, tzinfo=UTC),
    ]
)


@settings(deadline=None)
@given(
    jumps=st.lists(
        st.tuples(st.integers(1, 400_000), st.none() | WALLS, st.booleans()), max_size=12
    )
)
def test_while_the_machine_runs_paid_time_passes_as_it_does_for_everybody(
    jumps: list[tuple[int, datetime | None, bool]],
) -> None:
    story = Story()
    story.tell("0 | seen a 10.0.0.5 |\n0 | grant g1 for=a validity=31622400 | open a g1 10.0.0.5")
    awake_ms, off_ms, cuts = 0, timedelta(0), 0
    for ms, wall, boots in jumps:
        story._go_to(story.mono + ms)  # noqa: SLF001 - the story's own clock
        awake_ms += ms
        list(story.happen("tick"))
        if wall is not None:
            off_ms += abs(wall - story.wall)
            story.wall = wall
        cuts += boots
        list(story.happen("boot off=0" if boots else "tick"))
        use = story.state.grants[GrantId("g1")]
        spent = grants.certain(use, (), MonotonicMs(story.mono))

        assert spent.validity_s >= awake_ms // 1000
        assert spent.validity_s <= (awake_ms + off_ms // timedelta(milliseconds=1)) // 1000
        assert spent.validity_s <= awake_ms // 1000 + cuts * 400 * 86_400


def test_what_is_certain_of_the_time_never_runs_ahead_of_it() -> None:
    lost = Instant(datetime(1970, 1, 1, 1, tzinfo=UTC), MonotonicMs(60_000), "boot-2")

    assert daytime.no_earlier_than(lost, NOON, MonotonicMs(5_000)) == NOON + timedelta(seconds=55)
    assert daytime.no_earlier_than(lost, None, MonotonicMs(0)) is None
    assert not daytime.lapsed(NOON, lost, asleep_since=None, woke_at=MonotonicMs(0))


async def test_who_is_told_to_stop_while_something_happens_does_stop() -> None:
    clock, happens = SystemClock(), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(happens.wait(), at_most_ms=60_000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    happens.set()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
