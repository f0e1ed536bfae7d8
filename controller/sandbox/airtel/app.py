"""Puts the simulated Airtel Money together as one ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from starlette.applications import Starlette

from controller.sandbox.airtel.control import Control
from controller.sandbox.airtel.courier import Courier
from controller.sandbox.airtel.doors import Doors
from controller.sandbox.airtel.faults import SWITCHES, Faults
from controller.sandbox.airtel.network import Network
from controller.sandbox.airtel.pages import Handset
from controller.sandbox.panel import PlainPages, panel_routes
from controller.sandbox.posting import Postman
from controller.sandbox.remote import Chores, Setting, setting_routes
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from controller.sandbox.airtel.settings import AirtelSimSettings

HERE = Path(__file__).parent


def build_app(settings: AirtelSimSettings, *, now: Callable[[], datetime]) -> Starlette:
    """The application; ``now`` is its clock."""
    http = httpx2.AsyncClient(trust_env=False, verify=trusted())
    chores = Chores()
    setting = Setting(Faults(), settings.callback_url)
    postman = Postman(http=http, now=now)
    courier = Courier(settings, setting, postman)
    network = Network(settings, now=now, tell=courier.deliver, chores=chores)
    doors = Doors(network, setting)
    pages = PlainPages("A simulated Airtel Money", HERE / "templates")

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await chores.stop()
        await http.aclose()

    return Starlette(
        routes=[
            *Handset(network, pages).routes(),
            *panel_routes(pages, setting, postman, SWITCHES),
            *Control(network, doors).routes(),
            *setting_routes(setting, postman, SWITCHES),
            *doors.routes(),
        ],
        lifespan=life,
    )
