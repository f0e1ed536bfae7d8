"""The three doors of Daraja: access token, push, query."""

from __future__ import annotations

import asyncio
import base64
import secrets
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja import bodies
from controller.sandbox.daraja.network import Stage
from controller.sandbox.daraja.requests import (
    Refused,
    check_signature,
    invalid,
    invalid_token,
    read_body,
    read_push,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.network import Network, Prompt

    Door = Callable[[Request], Awaitable[Response]]

TOKEN_CHARS = 28
TOKEN_LIFE_S = 3_599
HOLD_MAX_S = 25
"""How long the answer to a push is held back for its callback to overtake it."""
SILENCE_MAX_S = 120
FORGED_AFTER_S = 1
_ALPHABET = string.ascii_letters + string.digits
_SPIKE = "Error Occurred: Spike Arrest Violation"
_QUOTA = "Error Occurred: Quota Violation"
_BUSY = "System is busy. Please try again in few minutes."
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"


class Doors:
    """Daraja's HTTP interface over one `Network`. Issuing a token kills the one before."""

    def __init__(self, network: Network, courier: Courier) -> None:
        self._network = network
        self._courier = courier
        self._token = ""
        self._token_dies_at: datetime | None = None
        self._pending_asked = 0
        self._queries = 0
        self._forgeries: set[asyncio.Task[None]] = set()
        self.tokens_issued = 0

    def routes(self) -> list[Route]:
        """Where the doors are."""
        methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        return [
            Route("/oauth/v1/generate", _enveloped(self.token), methods=methods),
            Route("/mpesa/stkpush/v1/processrequest", _enveloped(self.push), methods=methods),
            Route("/mpesa/stkpushquery/v1/query", _enveloped(self.query), methods=methods),
            Route("/{other:path}", _enveloped(_nowhere), methods=methods),
        ]

    async def token(self, request: Request) -> Response:
        """A fresh token for the right key and secret; an empty 400 for wrong ones."""
        faults = self._network.faults
        if request.method != "GET":
            raise Refused(405, "405.001", "Method Not Allowed")
        if faults.token_fails:
            raise Refused(500, "500.003.1001", "Internal Server Error")
        if request.query_params.get("grant_type") != "client_credentials":
            raise Refused(400, "400.008.02", "Invalid grant type passed")
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise Refused(400, "400.008.01", "Invalid Authentication passed")
        settings = self._network.settings
        right = f"{settings.consumer_key}:{settings.consumer_secret}".encode()
        if pair.strip() != base64.b64encode(right).decode():
            return Response(status_code=400)
        self.tokens_issued += 1
        self._token = "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_CHARS))
        life_s = faults.token_life_s or TOKEN_LIFE_S
        self._token_dies_at = self._network.now() + timedelta(seconds=life_s)
        told: object = TOKEN_LIFE_S if faults.token_as_number else str(TOKEN_LIFE_S)
        return JSONResponse({"access_token": self._token, "expires_in": told})

    async def push(self, request: Request) -> Response:
        """Ask the payer's phone."""
        faults = self._network.faults
        fields = await self._admitted(request)
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
            await _silence(request)
        if faults.push_slow_s:
            await asyncio.sleep(faults.push_slow_s)
        if faults.callback_before_answer:
            await _held_for(prompt)
        return JSONResponse(bodies.accepted(prompt))

    async def query(self, request: Request) -> Response:
        """What became of a push."""
        faults = self._network.faults
        fields = await self._admitted(request)
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

    async def _admitted(self, request: Request) -> dict[str, Any]:
        """The body of a request that may come in. Raises `Refused`."""
        if request.method != "POST":
            raise Refused(404, "404.001.04", "Invalid Authentication Header")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(404, "404.001.04", "Invalid Authentication Header")
        if not self._is_alive(token.strip()) or self._network.faults.token_wrong:
            raise invalid_token()
        return read_body(request.headers.get("content-type", ""), await request.body())

    def _is_alive(self, token: str) -> bool:
        dies_at = self._token_dies_at
        current = bool(self._token) and secrets.compare_digest(token.encode(), self._token.encode())
        return current and dies_at is not None and self._network.now() < dies_at


async def _nowhere(_request: Request) -> Response:
    raise Refused(404, "404.001.01", "Resource not found")


def _enveloped(door: Door) -> Door:
    """``door``, with what it refuses written as Daraja's envelope."""

    async def opened(request: Request) -> Response:
        try:
            return await door(request)
        except Refused as refused:
            return JSONResponse(
                {
                    "requestId": f"{secrets.token_hex(2)}-{secrets.token_hex(6)}",
                    "errorCode": refused.code,
                    "errorMessage": refused.message,
                },
                status_code=refused.status,
            )

    return opened


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


async def _silence(request: Request) -> None:
    """Say nothing until the other side has hung up."""
    try:
        async with asyncio.timeout(SILENCE_MAX_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
