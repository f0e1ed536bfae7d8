"""Work that falls due by itself: each job looks for what is due, again and again.

Nothing is remembered between rounds: what is due is in the database, so a controller that was down
for three days catches up once. A round that fails is tried again at the next tick; a trouble that
lasts is logged when it begins, when it changes its face, and when it is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from controller.deps import Deps

ROUND_MAX_S = 60.0
"""A round that takes longer is given up; its transaction is undone, and the next one starts."""

log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of due work. ``work`` does what is due and says how much that was."""

    name: str
    every_s: float
    work: Callable[[Deps], Awaitable[int]]
    round_max_s: float = ROUND_MAX_S
    worth_telling: bool = True


@dataclass(slots=True)
class Rounds:
    """How the rounds of one job went, in this process, as staff see it."""

    every_s: float
    began_at: datetime
    last_at: datetime | None = None
    """When a round was done last."""
    failures: int = 0
    """Rounds that failed since."""
    face: str = ""


async def run_jobs(jobs: Sequence[Job], deps: Deps) -> None:
    """Run every job for ever; ends only by being cancelled."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(repeat(job, deps), name=f"job {job.name}")


async def repeat(job: Job, deps: Deps) -> NoReturn:
    """Do rounds of one job for ever, `Job.every_s` apart."""
    failures, face = 0, ""
    rounds = deps.rounds.setdefault(job.name, Rounds(job.every_s, deps.now()))
    while True:
        try:
            async with asyncio.timeout(job.round_max_s):
                done = await job.work(deps)
        except Exception as error:  # the loop: whatever it was, try again
            failures += 1
            rounds.failures, rounds.face = failures, type(error).__name__
            if face != type(error).__name__:
                face = type(error).__name__
                log.exception("job_failed", job=job.name)
        else:
            if failures:
                log.info("job_recovered", job=job.name, failures=failures)
            if done and job.worth_telling:
                log.info("job_done", job=job.name, count=done)
            failures, face = 0, ""
            rounds.last_at, rounds.failures, rounds.face = deps.now(), 0, ""
        await asyncio.sleep(job.every_s)
