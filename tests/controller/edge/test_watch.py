"""News that another process made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from billing.ids import PlanId
from controller.edge.watch import Watch
from controller.signals import Signals
from controller.usecases.plans import add_plan
from tests.controller.edge.doors import SITE, Doors, an_hour

if TYPE_CHECKING:
    from controller.deps import Deps


@pytest.fixture
def elsewhere(doors: Doors) -> Deps:
    """Another controller on the same database."""
    return dataclasses.replace(doors.deps, signals=Signals())


async def test_a_change_made_elsewhere_wakes_the_followers_here(
    doors: Doors, elsewhere: Deps
) -> None:
    watch = Watch()
    await watch.look(doors.deps)
    with doors.deps.signals.listen(f"site:{SITE}") as news:
        await add_plan(elsewhere, dataclasses.replace(an_hour(), id=PlanId("day")))
        await watch.look(doors.deps)

        assert news.is_set()


async def test_the_first_look_wakes_nobody(doors: Doors) -> None:
    assert await Watch().look(doors.deps) == 0


async def test_a_look_without_news_wakes_nobody(doors: Doors) -> None:
    watch = Watch()
    await watch.look(doors.deps)

    assert await watch.look(doors.deps) == 0
