"""Carries out the controller's orders, one at a time, each once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agent import log
from agent.loop import NotKept
from agent.model import ProbeBegun, ProbeEnded
from agent.probes import asked, runner, told, turns
from agent.probes.asked import ProbeRefused
from agent.probes.runner import ProbeBusy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from agent.config import Config
    from agent.loop import Loop
    from agent.model import Fact, ProbeOrder
    from agent.probes.asked import Wiring, Wish

    Look = Callable[[Wish, Wiring, Path], Awaitable[dict[str, Any]]]

AGAIN_MS = 30_000
"""How long an order waits when the disk takes nothing."""


class Prober:
    """The part of a running agent that looks at the network when it is told to."""

    def __init__(self, loop: Loop, config: Config, *, look: Look = runner.run) -> None:
        self._loop = loop
        self._config = config
        self._look = look
        self._news = asyncio.Event()
        loop.listen(self._told)

    async def run(self) -> None:
        """Carry out orders until cancelled; then the program that looks is ended too."""
        while True:
            self._news.clear()
            order = turns.waiting(self._loop.state)
            if order is None:
                await self._news.wait()
                continue
            try:
                await self._carried_out(order)
            except NotKept:
                log.warning("probe", id=order.id, error="the disk takes nothing")
                await self._loop.wait(asyncio.Event().wait(), at_most_ms=AGAIN_MS)

    def _told(self, _facts: tuple[Fact, ...], _resync: bool) -> None:  # noqa: FBT001 - a callback
        if self._loop.state.probes:
            self._news.set()

    async def _carried_out(self, order: ProbeOrder) -> None:
        state = self._loop.state
        why_not = turns.objection(order, state.probed, self._loop.now().wall)
        if why_not is not None:
            result = told.failed(order.kind, order.target, why_not, refused=True)
        else:
            # Written down first: an order that brings this agent down does so once.
            await self._loop.kept(ProbeBegun(order.id))
            result = await self._looked(order)
        log.info("probe", id=order.id, kind=order.kind, outcome=result["outcome"])
        await self._loop.kept(ProbeEnded(order.id, told.bounded(result)))

    async def _looked(self, order: ProbeOrder) -> dict[str, Any]:
        try:
            wish = asked.wish(order.kind, order.target)
            return await self._look(wish, runner.wiring(self._config), self._config.state_dir)
        except (ProbeRefused, ProbeBusy) as refusal:
            return told.failed(order.kind, order.target, str(refusal), refused=True)
        except OSError as error:
            return told.failed(order.kind, order.target, str(error))
