"""One look for everybody who wants the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from controller.noc import hub as hub_module
from controller.noc.hub import Hub, Style, Subject, TooManyViewers
from controller.signals import Signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PLAIN = Style()


@dataclass(slots=True)
class House:
    """Something to look at, and how often it was looked at and painted."""

    signals: Signals = field(default_factory=Signals)
    shown: dict[str, str] = field(default_factory=lambda: {"clock": "1", "lines": "a"})
    looks: int = 0
    painted: list[Style] = field(default_factory=list)
    befores: list[object] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def subject(self, key: str = "front", *, every_s: float = 60) -> Subject:
        """The same house, by a name."""
        return Subject(key=key, look=self.look, paint=self.paint, every_s=every_s)

    async def look(self, before: object) -> object:
        """Count, and say what is shown."""
        if self.faults:
            raise self.faults.pop()
        self.looks += 1
        self.befores.append(before)
        await asyncio.sleep(0)
        return dict(self.shown)

    def paint(self, board: object, style: Style) -> Mapping[str, str]:
        """Each line, with the language before it."""
        assert isinstance(board, dict)
        self.painted.append(style)
        return {name: f"{style.language}:{line}" for name, line in board.items()}

    def news(self, **lines: str) -> None:
        """Something else is shown from now on."""
        self.shown.update(lines)
        self.signals.wake("live")


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def hub(house: House) -> AsyncIterator[Hub]:
    made = Hub(signals=house.signals)
    yield made
    await made.close()


async def test_a_viewer_is_sent_everything_first(hub: Hub, house: House) -> None:
    async with hub.watch(house.subject(), PLAIN) as changes:
        first = await anext(changes)

    assert first == {"clock": "en:1", "lines": "en:a"}


async def test_then_only_what_changed(hub: Hub, house: House) -> None:
    async with hub.watch(house.subject(), PLAIN) as changes:
        await anext(changes)
        house.news(lines="b")
        second = await anext(changes)

    assert second == {"lines": "en:b"}


async def test_fifty_tabs_cost_one_look_and_one_painting(hub: Hub, house: House) -> None:
    async with AsyncExitStack() as tabs:
        watching = [
            await tabs.enter_async_context(hub.watch(house.subject(), PLAIN)) for _ in range(50)
        ]
        await asyncio.gather(*(anext(changes) for changes in watching))

    assert (house.looks, house.painted) == (1, [PLAIN])


async def test_each_language_is_painted_once_of_the_same_look(hub: Hub, house: House) -> None:
    swahili = Style("sw", redacted=True)
    async with (
        hub.watch(house.subject(), PLAIN) as one,
        hub.watch(house.subject(), swahili) as two,
        hub.watch(house.subject(), swahili) as three,
    ):
        seen = await asyncio.gather(anext(one), anext(two), anext(three))

    assert house.looks == 1
    assert [lines["lines"] for lines in seen] == ["en:a", "sw:a", "sw:a"]
    assert sorted(style.language for style in house.painted) == ["en", "sw"]


async def test_another_page_is_another_look(hub: Hub, house: House) -> None:
    async with (
        hub.watch(house.subject("front"), PLAIN) as one,
        hub.watch(house.subject("map"), PLAIN) as two,
    ):
        await asyncio.gather(anext(one), anext(two))

    assert house.looks == 2


async def test_a_look_is_given_what_the_look_before_gave(hub: Hub, house: House) -> None:
    async with hub.watch(house.subject(), PLAIN) as changes:
        await anext(changes)
        house.news(lines="b")
        await anext(changes)

    assert house.befores == [None, {"clock": "1", "lines": "a"}]


async def test_a_burst_of_news_is_two_looks_a_second_at_most(hub: Hub, house: House) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async with hub.watch(house.subject(), PLAIN) as changes:
        await anext(changes)
        for n in range(20):
            house.news(lines=str(n))
            await asyncio.sleep(0.05)
        looks, took_s = hub.looks, loop.time() - begun

    assert looks <= took_s / hub_module.GAP_S + 1


async def test_a_look_that_takes_long_is_followed_by_a_long_rest(hub: Hub, house: House) -> None:
    began: list[float] = []
    loop = asyncio.get_running_loop()

    async def slow(_before: object) -> object:
        began.append(loop.time())
        await asyncio.sleep(0.3)
        return dict(house.shown)

    subject = Subject(key="slow", look=slow, paint=house.paint, every_s=0.01)
    async with hub.watch(subject, PLAIN) as changes:
        await anext(changes)
        house.news(lines="b")
        await anext(changes)

    assert began[1] - began[0] >= 0.3 * hub_module.REST_PER_LOOK


async def test_nobody_watching_costs_nothing(hub: Hub, house: House) -> None:
    async with hub.watch(house.subject(every_s=0.01), PLAIN) as changes:
        await anext(changes)
    looks = house.looks
    house.news(lines="b")
    await asyncio.sleep(hub_module.GAP_S * 1.5)

    assert house.looks == looks


async def test_a_slow_viewer_skips_what_he_missed(hub: Hub, house: House) -> None:
    async with (
        hub.watch(house.subject(), PLAIN) as slow,
        hub.watch(house.subject(), PLAIN) as quick,
    ):
        await anext(slow)
        await anext(quick)
        for line in ("b", "c"):
            house.news(lines=line)
            await anext(quick)
        late = await anext(slow)

    assert late == {"lines": "en:c"}


async def test_a_crowd_is_refused(hub: Hub, house: House) -> None:
    async with AsyncExitStack() as tabs:
        for _ in range(hub_module.VIEWERS_MAX):
            await tabs.enter_async_context(hub.watch(house.subject(), PLAIN))

        with pytest.raises(TooManyViewers, match="200 tabs"):
            hub.refuse_crowd(house.subject())


async def test_too_many_different_pages_are_refused_and_shown_without_a_stream(
    hub: Hub, house: House
) -> None:
    async with AsyncExitStack() as tabs:
        for n in range(hub_module.LOOKS_MAX):
            await tabs.enter_async_context(hub.watch(house.subject(str(n)), PLAIN))
        with pytest.raises(TooManyViewers, match="100 different"):
            hub.refuse_crowd(house.subject("one more"))
        hub.refuse_crowd(house.subject("0"))
        seen = await hub.seen(house.subject("one more"), PLAIN)

    assert seen.panels["lines"] == "en:a"


async def test_pages_that_nobody_watches_any_more_make_room(hub: Hub, house: House) -> None:
    for n in range(hub_module.LOOKS_MAX + 5):
        await hub.seen(house.subject(str(n)), PLAIN)

    assert hub.looks == hub_module.LOOKS_MAX


async def test_when_a_look_fails_streams_end_and_the_next_viewer_starts_anew(
    hub: Hub, house: House
) -> None:
    house.faults.append(ValueError("the first look fails"))

    async with hub.watch(house.subject(), PLAIN) as changes:
        ended = [panels async for panels in changes]
    async with hub.watch(house.subject(), PLAIN) as changes:
        again = await anext(changes)

    assert (ended, again["lines"]) == ([], "en:a")


async def test_pages_asked_for_at_once_share_a_look(hub: Hub, house: House) -> None:
    await asyncio.gather(*(hub.seen(house.subject(), PLAIN) for _ in range(20)))

    assert house.looks == 1


async def test_who_changed_something_is_shown_a_look_of_after_that(hub: Hub, house: House) -> None:
    for _ in range(2):
        await hub.seen(house.subject(), PLAIN)
    shared = house.looks
    await hub.seen(house.subject(), PLAIN, anew=True)

    assert (shared, house.looks) == (1, 2)
