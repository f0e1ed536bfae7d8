"""Standing orders: asked for by the merchant, agreed to by PIN, run when a test says so.

Money of an order that came due is confirmed as any payment to the PayBill is; when it fails for
want of money, only the payer hears of it.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja import order_bodies
from controller.sandbox.daraja.book import EAT, Kind, TooLittle
from controller.sandbox.daraja.control import wrong
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped
from controller.sandbox.daraja.order_bodies import OrderAsked, read_standing_order
from controller.sandbox.daraja.requests import Asked, invalid

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network, Prompt
    from controller.sandbox.daraja.paybill import PayBill

ORDER = "standing order"
ORDERS_MAX = 10_000


class State(StrEnum):
    """Where a standing order is."""

    ASKED = "asked"  # on the payer's phone
    AGREED = "agreed"
    REFUSED = "refused"
    CANCELLED = "cancelled"  # by the payer, later


@dataclass(slots=True)
class StandingOrder:
    """What a payer agreed to, or was asked to."""

    id: str
    asked: OrderAsked
    state: State = State.ASKED
    runs: int = 0


class StandingOrders:
    """The door and the JSON control over one `Network`."""

    def __init__(self, network: Network, courier: Courier, gate: Gate, paybill: PayBill) -> None:
        self._network = network
        self._courier = courier
        self._gate = gate
        self._paybill = paybill
        self._orders: dict[str, StandingOrder] = {}
        self._by_prompt: dict[str, StandingOrder] = {}

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route(
                "/standingorder/v1/createStandingOrderExternal",
                enveloped(self.create),
                methods=ANY_METHOD,
            ),
            Route("/sim/orders", self.listed),
            Route("/sim/orders/{order}/run", self.run, methods=["POST"]),
            Route("/sim/orders/{order}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Ask the payer to agree."""
        fields = await self._gate.admitted(request)
        settings = self._network.settings
        today = self._network.now().astimezone(EAT).date()
        asked = read_standing_order(fields, settings, today=today)
        if len(self._orders) >= ORDERS_MAX or self._has(asked):
            raise invalid("StandingOrderName")
        prompt = self._network.push(
            Asked(
                msisdn=asked.msisdn,
                shillings=asked.shillings,
                account=asked.account,
                description=asked.description,
                callback_url=asked.callback_url,
                wrong_receiver=False,
                words=asked.words(settings.business),
            )
        )
        order = StandingOrder(str(uuid.uuid4()), asked)
        self._orders[order.id] = self._by_prompt[prompt.id] = order
        return JSONResponse(order_bodies.accepted(order.id))

    async def told(self, prompt: Prompt) -> None:
        """The payer has decided, or never did: tell the merchant."""
        order, faults = self._by_prompt[prompt.id], self._network.faults
        assert prompt.code is not None, "only a decided prompt has something to tell"
        order.state = State.AGREED if prompt.code == "0" else State.REFUSED
        if faults.callback_late_s:
            await asyncio.sleep(faults.callback_late_s)
        body = order_bodies.callback(
            order.id,
            code=prompt.code,
            receipt=self._network.book.new_receipt(),
            msisdn=prompt.msisdn,
            other_case=faults.order_other_case,
        )
        if faults.order_lost:
            self._courier.lose(ORDER, order.id, prompt.callback_url, body)
        else:
            await self._courier.post(ORDER, order.id, prompt.callback_url, body)

    async def listed(self, _request: Request) -> Response:
        """Every order, oldest first."""
        return JSONResponse([_shown(order) for order in self._orders.values()])

    async def run(self, request: Request) -> Response:
        """The order comes due now: the receipt, or a 409 with M-PESA's code."""
        order = self._orders.get(request.path_params["order"])
        if order is None or order.state is not State.AGREED:
            return _not_agreed()
        asked, book = order.asked, self._network.book
        line = book.line(asked.msisdn)
        if self._network.faults.order_no_funds:
            book.text(line, f"Standing order {asked.name} failed: not enough money.")
            self._network.changed()
            return JSONResponse({"receipt": None, "code": "1"}, 409)
        try:
            settled = book.collect(
                Kind.ORDER,
                line,
                asked.shillings,
                account=asked.account,
                place=asked.place,
            )
        except TooLittle:
            return JSONResponse({"receipt": None, "code": "1"}, 409)
        finally:
            self._network.changed()
        order.runs += 1
        self._paybill.confirm_soon(settled)
        return JSONResponse({"receipt": settled.receipt})

    async def cancel(self, request: Request) -> Response:
        """The payer ends it on his phone; the merchant is not told."""
        order = self._orders.get(request.path_params["order"])
        if order is None or order.state is not State.AGREED:
            return _not_agreed()
        order.state = State.CANCELLED
        return JSONResponse(_shown(order))

    def _has(self, asked: OrderAsked) -> bool:
        """Whether this payer has, or is just asked for, an order of this name."""
        return any(
            order.asked.name == asked.name
            and order.asked.msisdn == asked.msisdn
            and order.state in (State.ASKED, State.AGREED)
            for order in self._orders.values()
        )


def _not_agreed() -> Response:
    answer = wrong({"order": "is not one that the payer agreed to"})
    answer.status_code = 404
    return answer


def _shown(order: StandingOrder) -> dict[str, object]:
    asked = order.asked
    return {
        "id": order.id,
        "name": asked.name,
        "msisdn": asked.msisdn,
        "shillings": asked.shillings,
        "account": asked.account,
        "frequency": asked.frequency,
        "state": order.state.value,
        "runs": order.runs,
    }
