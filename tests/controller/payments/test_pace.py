"""How fast a provider may be asked, and what happens to those who would wait too long."""

from __future__ import annotations

import asyncio

from controller.payments.bucket import WAIT_MAX_S, MemoryBucket, PaceError
from controller.payments.pace import Pace
from tests.support.daraja import NOON


def a_pace(per_s: int) -> Pace:
    return Pace(MemoryBucket(per_s), "mpesa:600111")


async def asked(pace: Pace, count: int) -> list[asyncio.Task[None]]:
    """``count`` requests for a turn, as they stand a moment later."""
    turns = [asyncio.create_task(pace.turn(NOON)) for _ in range(count)]
    await asyncio.sleep(0)
    return turns


async def test_a_second_worth_of_requests_goes_at_once() -> None:
    turns = await asked(a_pace(5), 6)
    at_once = [turn.done() for turn in turns]
    turns[-1].cancel()

    assert at_once == [True] * 5 + [False]


async def test_who_would_wait_too_long_is_told_at_once() -> None:
    turns = await asked(a_pace(1), 20)
    told = [turn for turn in turns if turn.done() and isinstance(turn.exception(), PaceError)]
    for turn in turns:
        turn.cancel()

    assert len(told) == 20 - 1 - int(WAIT_MAX_S)


async def test_a_turn_that_was_waited_for_comes() -> None:
    pace = a_pace(100)
    turns = await asked(pace, 103)
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*turns)

    assert asyncio.get_running_loop().time() - begun > 0.02


async def test_who_says_the_same_time_for_long_is_served_as_fast_as_others() -> None:
    pace = a_pace(200)
    begun = asyncio.get_running_loop().time()
    for _ in range(300):
        await pace.turn(NOON)

    assert 0.4 < asyncio.get_running_loop().time() - begun < 5
