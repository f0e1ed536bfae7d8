"""Runs, one after the other: what is dear (migrations, compiled statements) is made once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.simulation.roads.play import lived
from tests.simulation.roads.stage import Keys, Process, Template, a_stage, filled
from tests.simulation.roads.truth import Truth
from tests.simulation.virtual import VirtualLoop, seeded
from tests.support.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from controller.store.database import Database


@dataclass(frozen=True, slots=True)
class Story:
    """What happened, and how many payments the providers settled in it."""

    told: list[str]
    payments: int


class Runs:
    """Lives seeds, in virtual time, on one SQLite file that is put back before each."""

    def __init__(self) -> None:
        self._chance = random.Random(0)
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)

    def __enter__(self) -> Self:
        """Make what all runs share."""
        self._runner.__enter__()
        with seeded(0):
            self._template = Template(self._chance)
            self._runner.run(self._template.fill())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it all."""
        for db in self._template.databases:
            self._runner.run(db.close())
        self._runner.__exit__(kind, error, trace)

    def lived(self, seed: int) -> Story:
        """The story of a seed. Raises `judge.Broken`, with the story in its notes."""
        with seeded(seed) as chance:
            self._chance.seed(seed)
            return self._runner.run(self._live(chance))

    async def _live(self, chance: random.Random) -> Story:
        await self._template.fresh()
        return await played(self._template.keys, self._template.databases, chance)


async def played(keys: Keys, databases: tuple[Database, ...], chance: random.Random) -> Story:
    """Live one run on databases that are as `stage.filled` left them."""
    till, pull = chance.random() < 0.2, chance.random() < 0.7
    truth = Truth(Clock(), chance)
    look_up = chance.random() < 0.7
    stage = a_stage(keys, databases, truth, till=till, pull=pull, look_up=look_up)
    stage.tell(f"{'a Till' if till else 'a PayBill'}, {'with' if pull else 'without'} Pull")
    told = await lived(stage, chance, till=till, pull=pull)
    return Story(told, len(truth.paid))


async def lived_on(url: str, folder: Path, seed: int) -> Story:
    """The story of a seed on an empty database of whatever kind, as two processes see it."""
    with seeded(seed) as chance:
        keys, databases = Keys(folder), (Process(url), Process(url))
        stage = a_stage(keys, databases, Truth(Clock(), chance), till=False)
        keys.accounts = await filled(stage.deps)
        try:
            return await played(keys, databases, chance)
        finally:
            for db in databases:
                await db.close()
