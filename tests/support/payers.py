"""Providers that misbehave in one way each; all else is the gateway that ships."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from billing.money import Money
from controller.payments.memory import MemoryGateway
from tests.support.builders import World

if TYPE_CHECKING:
    from datetime import datetime

    from controller.payments.gateway import Outcome, Push, PushAnswer


class SlowToAnswer(MemoryGateway):
    """The answer to a push comes only when the test says so, after the payer has been asked."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.answering = asyncio.Event(), asyncio.Event()

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Take the push, then wait for ``answering``."""
        answer = await super().push(push, now)
        self.taken.set()
        await self.answering.wait()
        return answer


class Dear(MemoryGateway):
    """Says another amount than was asked for when it is queried."""

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """The truth, but for the amount."""
        return replace(await super().query(provider_id, now), amount=Money(1))


def with_gateway(world: World, gateway: MemoryGateway) -> World:
    """The same controller with another provider."""
    return World(replace(world.deps, gateway=gateway), gateway, world.clock)
