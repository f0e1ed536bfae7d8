"""The JSON doors under ``/sim`` of a simulated provider, from a test's side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2


@dataclass(slots=True)
class Remote:
    """A simulated provider at ``url``."""

    url: str
    http: httpx2.AsyncClient

    async def told(self, what: str, body: object) -> Any:
        """Post to ``/sim/<what>``; what it answers."""
        answer = await self.http.post(f"{self.url}/sim/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def set_faults(self, **faults: object) -> None:
        """Turn faults on."""
        await self.told("faults", faults)

    async def look(self, what: str) -> Any:
        """What ``/sim/<what>`` says."""
        return (await self.http.get(f"{self.url}/sim/{what}")).json()

    async def seen(self, what: str, enough: Callable[[Any], object]) -> Any:
        """What ``/sim/<what>`` says, as soon as it is ``enough``."""
        async with asyncio.timeout(10):
            while True:
                told = await self.look(what)
                if enough(told):
                    return told
                await asyncio.sleep(0.01)

    async def prompt_on_screen(self) -> Any:
        """The prompt that waits for a payer, as soon as there is one."""
        prompts = await self.seen("prompts", lambda told: any(p["on_screen"] for p in told))
        return next(p for p in prompts if p["on_screen"])
