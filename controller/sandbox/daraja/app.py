"""Puts the simulated M-PESA together as one ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from starlette.applications import Starlette

from controller.sandbox.daraja.control import Control
from controller.sandbox.daraja.courier import Courier
from controller.sandbox.daraja.doors import Doors
from controller.sandbox.daraja.network import Network
from controller.sandbox.daraja.pages import Pages
from controller.sandbox.sms.door import SmsDoor
from controller.signals import Signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from controller.sandbox.daraja.network import Prompt
    from controller.sandbox.daraja.settings import SimSettings


def build_app(settings: SimSettings, *, now: Callable[[], datetime]) -> Starlette:
    """The application; ``now`` is its clock."""
    signals = Signals()
    http = httpx2.AsyncClient(trust_env=False)

    def changed() -> None:
        signals.wake("live")

    courier = Courier(settings, http=http, now=now, changed=changed)

    async def tell(prompt: Prompt) -> None:
        await courier.deliver(prompt, network.faults)

    network = Network(settings, now=now, tell=tell, changed=changed)
    doors = Doors(network, courier)
    sms = SmsDoor(network, http=http)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await network.stop()
        await sms.stop()
        await http.aclose()

    return Starlette(
        routes=[
            *Pages(network, courier, signals).routes(),
            *Control(network, courier, doors).routes(),
            *sms.routes(),
            *doors.routes(),
        ],
        lifespan=life,
    )
