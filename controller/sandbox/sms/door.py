"""The door of the simulated Africa's Talking, and beside it that of the other platform."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.sandbox.sms.isms import IsmsDoor
from controller.sandbox.sms.reporter import Reporter
from controller.sandbox.sms.requests import (
    BadRequest,
    bad_sender,
    is_phone,
    read_form,
    refused,
    taken,
)

if TYPE_CHECKING:
    import httpx2
    from starlette.requests import Request

    from controller.sandbox.daraja.network import Network
    from controller.sandbox.sms.requests import Asked

SILENCE_MAX_S = 120
CREATED = 201


class SmsDoor:
    """Messages onto the lines of one `Network`; ``http`` carries the reports about them."""

    def __init__(self, network: Network, *, http: httpx2.AsyncClient) -> None:
        self._network = network
        self._reporter = Reporter(network, http=http)

    def routes(self) -> list[Route]:
        """Where the doors are."""
        other = IsmsDoor(self._network, silence=_silence, told=self._reporter.json)
        return [Route("/version1/messaging", self.send, methods=["POST"]), *other.routes()]

    async def stop(self) -> None:
        """End all that is under way."""
        await self._reporter.stop()

    async def send(self, request: Request) -> Response:
        """Take one message."""
        try:
            asked = await self._admitted(request)
        except BadRequest as bad:
            return PlainTextResponse(str(bad), bad.status)
        if request.headers.get("accept", "") != "application/json":
            return Response("<AfricasTalkingResponse/>", CREATED, media_type="text/xml")
        answer = self._refusal(asked)
        if answer is None:
            self._network.text(asked.phone.removeprefix("+"), asked.text, sender=asked.sender)
            name = f"ATXid_{secrets.token_hex(10)}"
            answer = taken(asked, name=name)
            self._reporter.form(name, asked.phone)
            if self._network.faults.sms_no_answer:
                await _silence(request)
        return JSONResponse(answer, CREATED)

    async def _admitted(self, request: Request) -> Asked:
        """The request of somebody with the right name and key. Raises `BadRequest`."""
        settings = self._network.settings
        if self._network.faults.sms_down:
            raise BadRequest("The service is unavailable", status=503)
        key = request.headers.get("apikey", "").encode()
        if not secrets.compare_digest(key, settings.sms_api_key.encode()):
            raise BadRequest("The supplied authentication is invalid", status=401)
        asked = read_form(await request.body())
        if asked.username != settings.sms_username:
            raise BadRequest("The supplied authentication is invalid", status=401)
        return asked

    def _refusal(self, asked: Asked) -> dict[str, Any] | None:
        faults = self._network.faults
        if faults.sms_bad_sender:
            return bad_sender()
        if faults.sms_no_credit:
            return refused(asked, code=405, status="InsufficientBalance")
        if not is_phone(asked.phone):
            return refused(asked, code=403, status="InvalidPhoneNumber")
        return None


async def _silence(request: Request) -> None:
    """Say nothing until the other side has hung up."""
    try:
        async with asyncio.timeout(SILENCE_MAX_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
