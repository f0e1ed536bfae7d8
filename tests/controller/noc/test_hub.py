"""One look for everybody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.noc import hub as hub_module
from controller.noc.hub import Hub, TooManyViewers
from controller.noc.page import PANELS, rendered
from tests.support.office import Office, a_day, a_payment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def hub(office: Office) -> AsyncIterator[Hub]:
    deps = office.deps
    made = Hub(db=deps.db, signals=deps.signals, now=deps.now, render=rendered)
    yield made
    await made.close()


async def test_a_viewer_is_sent_everything_first(hub: Hub, office: Office) -> None:
    await office.keep(*a_day())

    async with hub.watch() as changes:
        first = await anext(changes)

    assert set(first) == set(PANELS)


async def test_then_only_what_changed(hub: Hub, office: Office) -> None:
    await office.keep(*a_day())

    async with hub.watch() as changes:
        await anext(changes)
        await office.keep(a_payment("b" * 32))
        second = await anext(changes)

    assert set(second) == {"payments"}


async def test_many_viewers_cost_one_look(hub: Hub, office: Office) -> None:
    async with hub.watch() as one, hub.watch() as two, hub.watch() as three:
        await asyncio.gather(anext(one), anext(two), anext(three))

        assert hub.looks == 1


async def test_a_burst_of_news_is_two_looks_a_second_at_most(hub: Hub, office: Office) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async with hub.watch() as changes:
        await anext(changes)
        for n in range(20):
            await office.keep(*(a_day() if n == 0 else [a_payment(f"{n:032x}")]))
            await asyncio.sleep(0.05)
        looks, took_s = hub.looks, loop.time() - begun

    assert looks <= took_s / hub_module.GAP_S + 1


async def test_nobody_watching_costs_nothing(hub: Hub, office: Office) -> None:
    async with hub.watch() as changes:
        await anext(changes)
    looks = hub.looks
    await office.keep(*a_day())
    await asyncio.sleep(hub_module.GAP_S * 1.5)

    assert hub.looks == looks


async def test_a_slow_viewer_skips_what_he_missed(hub: Hub, office: Office) -> None:
    await office.keep(*a_day())

    async with hub.watch() as slow, hub.watch() as quick:
        await anext(slow)
        await anext(quick)
        for n in range(2):
            await office.keep(a_payment(f"{n:032x}"))
            await anext(quick)
        late = await anext(slow)

    assert late["payments"].count("<li") == 3


async def test_a_crowd_is_refused(hub: Hub) -> None:
    watching = [hub.watch() for _ in range(hub_module.VIEWERS_MAX)]
    for viewer in watching:
        await viewer.__aenter__()

    with pytest.raises(TooManyViewers, match="200"):
        hub.refuse_crowd()
    for viewer in watching:
        await viewer.__aexit__(None, None, None)


async def test_when_a_look_fails_streams_end_and_the_next_viewer_starts_anew(
    office: Office,
) -> None:
    faults = [ValueError("the first rendering fails")]

    def failing(_board: object) -> dict[str, str]:
        if faults:
            raise faults.pop()
        return {"clock": "later"}

    deps = office.deps
    hub = Hub(db=deps.db, signals=deps.signals, now=deps.now, render=failing)
    async with hub.watch() as changes:
        ended = [panels async for panels in changes]
    async with hub.watch() as changes:
        again = await anext(changes)

    assert (ended, again) == ([], {"clock": "later"})


async def test_pages_asked_for_at_once_share_a_look(hub: Hub) -> None:
    await asyncio.gather(*(hub.panels() for _ in range(20)))

    assert hub.looks == 1
