"""Who may come in: the access token, and what each API says to a dead one."""

from __future__ import annotations

import asyncio
import base64
import secrets
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.requests import Refused, invalid_token, read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from controller.sandbox.daraja.network import Network

    Door = Callable[[Request], Awaitable[Response]]

ANY_METHOD = ["GET", "POST", "PUT", "DELETE", "PATCH"]
TOKEN_CHARS = 28
TOKEN_LIFE_S = 3_599
SILENCE_MAX_S = 120
_ALPHABET = string.ascii_letters + string.digits


class Gate:
    """Issues tokens, each of which kills the one before, and looks at them."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._token = ""
        self._token_dies_at: datetime | None = None
        self.tokens_issued = 0

    def routes(self) -> list[Route]:
        """Where a token is had."""
        return [Route("/oauth/v1/generate", enveloped(self.token), methods=ANY_METHOD)]

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

    async def admitted(
        self,
        request: Request,
        *,
        dead: Callable[[str], Refused] = lambda _token: invalid_token(),
        methods: tuple[str, ...] = ("POST",),
    ) -> dict[str, Any]:
        """The body of a request that may come in. Raises `Refused`, ``dead`` for a dead token."""
        if request.method not in methods:
            raise Refused(404, "404.001.04", "Invalid Authentication Header")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(404, "404.001.04", "Invalid Authentication Header")
        if not self._is_alive(token.strip()) or self._network.faults.token_wrong:
            raise dead(token.strip())
        return read_body(request.headers.get("content-type", ""), await request.body())

    def _is_alive(self, token: str) -> bool:
        dies_at = self._token_dies_at
        current = bool(self._token) and secrets.compare_digest(token.encode(), self._token.encode())
        return current and dies_at is not None and self._network.now() < dies_at


def enveloped(door: Door) -> Door:
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


async def nowhere(_request: Request) -> Response:
    """Any path that is none of the doors."""
    raise Refused(404, "404.001.01", "Resource not found")


async def silence(request: Request) -> None:
    """Say nothing until the other side has hung up."""
    try:
        async with asyncio.timeout(SILENCE_MAX_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
