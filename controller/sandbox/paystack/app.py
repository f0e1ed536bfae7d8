"""Puts the simulated Paystack together as one ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from starlette.applications import Starlette

from controller.sandbox.panel import PlainPages, panel_routes
from controller.sandbox.paystack.bank import Bank
from controller.sandbox.paystack.control import Control
from controller.sandbox.paystack.courier import Courier
from controller.sandbox.paystack.doors import Doors
from controller.sandbox.paystack.faults import SWITCHES, Faults
from controller.sandbox.paystack.pages import Pages
from controller.sandbox.posting import Postman
from controller.sandbox.remote import Chores, Setting, setting_routes
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from controller.sandbox.paystack.settings import PaystackSimSettings

HERE = Path(__file__).parent


def build_app(settings: PaystackSimSettings, *, now: Callable[[], datetime]) -> Starlette:
    """The application; ``now`` is its clock."""
    http = httpx2.AsyncClient(trust_env=False, verify=trusted())
    chores = Chores()
    setting = Setting(Faults(), settings.callback_url)
    postman = Postman(http=http, now=now)
    courier = Courier(settings, setting, postman)
    pages = PlainPages("A simulated Paystack", HERE / "templates")
    bank = Bank(settings, setting, now=now, tell=courier.tell, chores=chores)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await chores.stop()
        await http.aclose()

    return Starlette(
        routes=[
            *Control(bank).routes(),
            *setting_routes(setting, postman, SWITCHES),
            *Pages(bank, pages).routes(),
            *panel_routes(pages, setting, postman, SWITCHES),
            *Doors(bank, setting).routes(),
        ],
        lifespan=life,
    )
