"""The year's own notes of who agreed to which plan: where an invoice comes long after the change.

In arrears a plan that was to follow is there from the renewal on, and on an invoice when its first
period is over. Whatever is agreed on meanwhile, the judge has to know that it was there.
"""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.simulation.year import people
from tests.simulation.year.naive import Rhythm
from tests.simulation.year.provider import Line, Person, an_id
from tests.simulation.year.year import opened
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PLANS = "SELECT DISTINCT plan_id FROM document_line WHERE kind = 'plan' ORDER BY plan_id"
DAYS = 24


class Decided(random.Random):
    """Somebody who knows which plan it is to be."""

    plan_id = ""

    def choice(self, seq: Any) -> Any:
        """That plan."""
        assert self.plan_id in seq
        return self.plan_id

    def random(self) -> float:
        """Nothing out of the ordinary."""
        return 0.5


@pytest.mark.parametrize("mode", ["arrears", "advance"])
@pytest.mark.parametrize(
    ("then", "plan_id"), [("change_later", "home-fast"), ("change_now", "blocks")]
)
async def test_a_plan_that_followed_is_known_when_the_next_one_is_agreed_on(
    sqlite_template: Path, tmp_path: Path, mode: str, then: str, plan_id: str
) -> None:
    shutil.copy(sqlite_template, tmp_path / "lango.db")
    who, chance = an_id("changes", 1), Decided()
    line = Line(an_id(who, "line"), "home-fast", mode, Rhythm("week"))
    person = Person(1, who, "254700000001", "residential", "main", "never", -1, chance, [line])
    year = await opened(sqlite_url(tmp_path / "lango.db"), tmp_path, [person], inline=True)
    year.joined.append(person)
    await year.begin(person)
    for day in range(DAYS):
        await year.night()
        year.clock.to(year.now() + timedelta(hours=9))
        for on, what, chance.plan_id in ((2, "change_later", "home"), (10, then, plan_id)):
            if on == day:
                await people.act(year, person, what, line)
        await people.act(year, person, "settle")
        year.witness.look(year.sight, year.now())
        await year.daytime()
    await year.night()

    assert [name for (name,) in year.sight.tuples(PLANS)] == sorted({"home", "home-fast", plan_id})
    year.sight.close()
    await year.deps.db.close()
