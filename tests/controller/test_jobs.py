"""Work that falls due by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from structlog.testing import capture_logs

from controller.jobs import Job, repeat, run_jobs

if TYPE_CHECKING:
    from controller.deps import Deps


class Alone:
    """All that a job's rounds themselves want: a clock, and where they tell how it went."""

    def __init__(self) -> None:
        self.rounds: dict[str, object] = {}

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)


DEPS = cast("Deps", Alone())


class Rounds:
    """Work that follows a script: numbers are done, exceptions are raised; then it rests."""

    def __init__(self, *script: int | Exception) -> None:
        self._script = list(script)
        self.over = asyncio.Event()

    async def __call__(self, _deps: Deps) -> int:
        if not self._script:
            self.over.set()
            return 0
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


async def lines_of(*script: int | Exception) -> list[str]:
    """What is logged while a job goes through a script."""
    rounds = Rounds(*script)
    with capture_logs() as lines:
        task = asyncio.create_task(repeat(Job("work", 0.0, rounds), DEPS))
        async with asyncio.timeout(5):
            await rounds.over.wait()
        task.cancel()
    return [str(line["event"]) for line in lines]


async def test_a_round_that_did_something_says_so() -> None:
    assert await lines_of(0, 3, 0) == ["job_done"]


async def test_a_failing_round_is_tried_again() -> None:
    assert await lines_of(ValueError(), 1) == ["job_failed", "job_recovered", "job_done"]


async def test_a_trouble_that_lasts_is_logged_once() -> None:
    assert await lines_of(*[ValueError("same")] * 5) == ["job_failed", "job_recovered"]


async def test_a_trouble_that_changes_its_face_is_logged_again() -> None:
    assert await lines_of(ValueError(), OSError()) == ["job_failed", "job_failed", "job_recovered"]


async def test_a_round_that_hangs_is_given_up() -> None:
    began = asyncio.Event()
    again = asyncio.Event()

    async def hang(_deps: Deps) -> int:
        (again if began.is_set() else began).set()
        await asyncio.Event().wait()
        return 0

    task = asyncio.create_task(repeat(Job("work", 0.0, hang, round_max_s=0.02), DEPS))
    async with asyncio.timeout(5):
        await again.wait()
    task.cancel()

    assert began.is_set()


async def test_one_failing_job_does_not_stop_another() -> None:
    good = Rounds(1)

    async def bad(_deps: Deps) -> int:
        raise ValueError

    jobs: list[Job] = [Job("bad", 0.01, bad), Job("good", 0.01, good)]
    task = asyncio.create_task(run_jobs(jobs, DEPS))
    async with asyncio.timeout(5):
        await good.over.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_not_worth_telling_is_not_logged() -> None:
    rounds = Rounds(5)
    with capture_logs() as lines:
        task = asyncio.create_task(repeat(Job("w", 0.0, rounds, worth_telling=False), DEPS))
        async with asyncio.timeout(5):
            await rounds.over.wait()
        task.cancel()

    assert lines == []
