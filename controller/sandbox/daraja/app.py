"""Puts the simulated M-PESA together as one ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from starlette.applications import Starlette
from starlette.routing import Route

from controller.sandbox.daraja.book import Kind
from controller.sandbox.daraja.c2b_doors import C2bDoors
from controller.sandbox.daraja.control import Control
from controller.sandbox.daraja.courier import Courier
from controller.sandbox.daraja.doors import Doors
from controller.sandbox.daraja.gate import ANY_METHOD, Gate, enveloped, nowhere
from controller.sandbox.daraja.handset import Handset
from controller.sandbox.daraja.initiator import Initiator
from controller.sandbox.daraja.money_control import MoneyControl
from controller.sandbox.daraja.network import Network
from controller.sandbox.daraja.orders import StandingOrders
from controller.sandbox.daraja.pages import Pages
from controller.sandbox.daraja.paybill import PayBill
from controller.sandbox.daraja.pull import PullDoors
from controller.sandbox.daraja.qr import QrDoor
from controller.sandbox.sms.door import SmsDoor
from controller.signals import Signals
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from controller.sandbox.daraja.network import Prompt
    from controller.sandbox.daraja.settings import SimSettings


def build_app(settings: SimSettings, *, now: Callable[[], datetime]) -> Starlette:
    """The application; ``now`` is its clock."""
    signals = Signals()
    http = httpx2.AsyncClient(trust_env=False, verify=trusted())

    def changed() -> None:
        signals.wake("live")

    courier = Courier(settings, http=http, now=now, changed=changed)

    async def tell(prompt: Prompt) -> None:
        if prompt.kind is Kind.ORDER:
            await orders.told(prompt)
            return
        if prompt.settled is not None and network.faults.confirm_before_callback:
            await paybill.confirm(prompt.settled)
        elif prompt.settled is not None:
            paybill.confirm_soon(prompt.settled)
        await courier.deliver(prompt, network.faults)

    network = Network(settings, now=now, tell=tell, changed=changed)
    paybill = PayBill(network, courier)
    gate = Gate(network)
    orders = StandingOrders(network, courier, gate, paybill)
    initiator = Initiator(network, courier, gate)
    sms = SmsDoor(network, http=http)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await network.stop()
        await paybill.stop()
        await initiator.stop()
        await sms.stop()
        await http.aclose()

    return Starlette(
        routes=[
            *Pages(network, courier, signals).routes(),
            *Handset(network, paybill).routes(),
            *Control(network, courier, gate).routes(),
            *MoneyControl(network, paybill).routes(),
            *sms.routes(),
            *gate.routes(),
            *Doors(network, courier, gate).routes(),
            *C2bDoors(network, gate, paybill).routes(),
            *PullDoors(network, gate, paybill).routes(),
            *initiator.routes(),
            *orders.routes(),
            *QrDoor(network, gate, paybill).routes(),
            Route("/{other:path}", enveloped(nowhere), methods=ANY_METHOD),
        ],
        lifespan=life,
    )
