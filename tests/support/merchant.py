"""A merchant with addresses at a simulated M-PESA: what came to each, and what he answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.daraja import PAYER, a_world, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    import httpx2
    from starlette.requests import Request

    from controller.sandbox.daraja.settings import SimSettings
    from tests.support.daraja import World


@dataclass(slots=True)
class Merchant:
    """His doors ``/callbacks/<door>/1``; each keeps what came, in order of arrival."""

    world: World
    url: str = ""
    verdict: object = field(default_factory=lambda: {"ResultCode": "0", "ResultDesc": "Accepted"})
    silent: bool = False
    came: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    token: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        """The doors."""
        return Starlette(routes=[Route("/callbacks/{door}/1", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        """Keep what came and answer."""
        door = request.path_params["door"]
        self.came.append((door, json.loads(await request.body())))
        self._news.set()
        if door == "validate":
            if self.silent:
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            return JSONResponse(self.verdict)
        return JSONResponse({"ResultCode": 0, "ResultDesc": "Success"})

    def door(self, name: str) -> str:
        """The address of a door."""
        return f"{self.url}/callbacks/{name}/1"

    async def at(self, door: str, count: int = 1) -> list[dict[str, Any]]:
        """The first ``count`` bodies that came to this door, as soon as they are there."""
        async with asyncio.timeout(10):
            while len(found := [body for name, body in self.came if name == door]) < count:
                self._news.clear()
                await self._news.wait()
        return found[:count]

    async def ask(
        self, path: str, body: object, *, method: str = "POST", token: str | None = None
    ) -> tuple[int, Any]:
        """Status and body of what Daraja answers."""
        if token is None and not self.token:
            self.token = await self.world.token()
        answer = await self.world.http.request(
            method,
            self.world.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.token if token is None else token}"},
        )
        return answer.status_code, answer.json()

    async def register(self, *, version: str = "v2", **changes: object) -> tuple[int, Any]:
        """Register both addresses."""
        body = {
            "ShortCode": "600111",
            "ResponseType": "Completed",
            "ConfirmationURL": self.door("confirm"),
            "ValidationURL": self.door("validate"),
        }
        return await self.ask(f"/mpesa/c2b/{version}/registerurl", {**body, **changes})

    async def pays(self, **changes: object) -> httpx2.Response:
        """A payer pays KES 50 for account ISP10023 from the menu."""
        body = {"msisdn": str(PAYER), "shillings": 50, "account": "ISP10023"}
        return await self.world.http.post(
            f"{self.world.url}/sim/pay", json={**body, **changes}, timeout=20
        )

    async def paid(self, **changes: object) -> str:
        """The receipt of such a payment."""
        answer = await self.pays(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["receipt"])


@asynccontextmanager
async def a_merchant(
    settings: SimSettings | None = None, *, now: Callable[[], datetime] | None = None
) -> AsyncIterator[Merchant]:
    """A simulated network and a merchant of it, on loopback."""
    async with a_world(settings, now=now) as world:
        merchant = Merchant(world)
        async with served(merchant.app()) as merchant.url:
            yield merchant


async def invariant(world: World) -> None:
    """What left the lines is what stands in settled; the balance is that, less the charges."""
    told, lines = await world.look("settled"), await world.look("lines")
    left = sum(line["opening"] + line["topped_up"] - line["shillings"] for line in lines)
    charges = sum(s["shillings"] for s in told["settled"] if s["kind"] == "charge")

    assert left == told["shillings_total"]
    assert told["balance"] == world.settings.merchant_shillings + told["shillings_total"] + charges
