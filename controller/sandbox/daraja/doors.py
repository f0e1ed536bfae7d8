"""Two doors of Daraja, M-PESA Express: push and query."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja import bodies
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped, silence
from controller.sandbox.daraja.network import Stage
from controller.sandbox.daraja.requests import (
    Refused,
    check_signature,
    invalid,
    read_push,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network, Prompt

HOLD_MAX_S = 25
"""How long the answer to a push is held back for its callback to overtake it."""
FORGED_AFTER_S = 1
_SPIKE = "Error Occurred: Spike Arrest Violation"
_QUOTA = "Error Occurred: Quota Violation"
_BUSY = "System is busy. Please try again in few minutes."
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"


class Doors:
    """M-PESA Express over one `Network`."""

    def __init__(self, network: Network, courier: Courier, gate: Gate) -> None:
        self._network = network
        self._courier = courier
        self._gate = gate
        self._pending_asked = 0
        self._queries = 0
        self._forgeries: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Where the doors are."""
        return [
            Route("/mpesa/stkpush/v1/processrequest", enveloped(self.push), methods=ANY_METHOD),
            Route("/mpesa/stkpushquery/v1/query", enveloped(self.query), methods=ANY_METHOD),
        ]

    async def push(self, request: Request) -> Response:
        """Ask the payer's phone."""
        faults = self._network.faults
        fields = await self._gate.admitted(request)
        if faults.push_refused:
            raise Refused(500, "500.001.1001", "Merchant does not exist")
        for on, code, text in (
            (faults.push_spike_arrest, "500.003.02", _SPIKE),
            (faults.push_quota, "500.003.03", _QUOTA),
            (faults.push_busy, "500.003.02", _BUSY),
        ):
            if on:
                raise Refused(500, code, text)
        asked = read_push(fields, self._network.settings)
        if faults.push_html_502:
            return HTMLResponse(_BAD_GATEWAY, status_code=502)
        prompt = self._network.push(asked)
        if faults.callback_forged:
            forgery = asyncio.create_task(self._forge(prompt))
            self._forgeries.add(forgery)
            forgery.add_done_callback(self._forgeries.discard)
        if faults.push_no_answer:
            await silence(request)
        if faults.push_slow_s:
            await asyncio.sleep(faults.push_slow_s)
        if faults.callback_before_answer:
            await _held_for(prompt)
        return JSONResponse(bodies.accepted(prompt))

    async def query(self, request: Request) -> Response:
        """What became of a push."""
        faults = self._network.faults
        fields = await self._gate.admitted(request)
        check_signature(fields, self._network.settings)
        checkout_id = fields.get("CheckoutRequestID")
        if not isinstance(checkout_id, str) or not checkout_id:
            raise invalid("CheckoutRequestID")
        prompt = self._network.by_checkout_id(checkout_id)
        if prompt is None:
            raise Refused(500, "500.001.1001", "The transaction does not Exist")
        self._queries += 1
        if faults.query_flaps and self._queries % 2:
            return _pending(prompt, 2)
        if faults.query_stays_open:
            return _pending(prompt, 1)
        if prompt.stage is not Stage.DONE or prompt.code is None:
            if faults.query_disagrees:
                return JSONResponse(bodies.query_answer(prompt, "1037"))
            self._pending_asked += 1
            return _pending(prompt, self._pending_asked % len(bodies.PENDING))
        return JSONResponse(bodies.query_answer(prompt, prompt.code))

    async def _forge(self, prompt: Prompt) -> None:
        # A stranger learns an address after it was used, not before.
        await asyncio.sleep(FORGED_AFTER_S)
        await self._courier.forge(prompt)


def _pending(prompt: Prompt, shape: int) -> Response:
    status, body = bodies.PENDING[shape]
    if status == 200:  # noqa: PLR2004 - HTTP's own
        return JSONResponse({**bodies.query_answer(prompt, body["ResultCode"]), **body})
    return JSONResponse({"requestId": secrets.token_hex(8), **body}, status_code=status)


async def _held_for(prompt: Prompt) -> None:
    try:
        async with asyncio.timeout(HOLD_MAX_S):
            await prompt.told.wait()
    except TimeoutError:
        return
