"""Wake-ups inside one process."""

from __future__ import annotations

import asyncio

from controller.signals import Signals


async def test_a_wake_up_reaches_every_listener_of_its_topic() -> None:
    signals = Signals()
    with signals.listen("live") as one, signals.listen("live") as two:
        signals.wake("live")

        assert one.is_set()
        assert two.is_set()


async def test_a_wake_up_of_another_topic_is_not_heard() -> None:
    signals = Signals()
    with signals.listen("site:a") as news:
        signals.wake("site:b")

        assert not news.is_set()


async def test_a_wake_up_while_nobody_waits_is_kept_for_who_listens() -> None:
    signals = Signals()
    with signals.listen("live") as news:
        signals.wake("live")
        async with asyncio.timeout(1):
            await news.wait()

        assert news.is_set()


def test_a_wake_up_that_nobody_listens_to_is_no_trouble() -> None:
    signals = Signals()
    signals.wake("live")

    assert signals.topics() == ()


def test_a_topic_is_forgotten_with_its_last_listener() -> None:
    signals = Signals()
    with signals.listen("live"):
        pass

    assert signals.topics() == ()
