"""Airtel's doors: access token, push, enquiry, refund, signing key."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.airtel.network import EAT, Stage
from controller.sandbox.airtel.requests import (
    Refused,
    check_headers,
    field_wrong,
    read_push,
    read_refund,
)
from controller.sandbox.airtel.settings import TOKEN_LIFE_S
from controller.sandbox.airtel.signing import Seal
from controller.sandbox.remote import object_in, object_of, silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from controller.sandbox.airtel.faults import Faults
    from controller.sandbox.airtel.network import Network, Prompt
    from controller.sandbox.remote import Setting

    Door = Callable[[Request], Awaitable[Response]]

HOLD_MAX_S = 25
LAG_ENQUIRIES = 2
LONG_LIFE_S = 7_200
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"


class Doors:
    """The HTTP interface over one `Network`."""

    def __init__(self, network: Network, setting: Setting[Faults]) -> None:
        self._network = network
        self._setting = setting
        self._seal = Seal()
        self._tokens: dict[str, datetime] = {}
        self._turned = False
        self.tokens_issued = 0

    def routes(self) -> list[Route]:
        """Where the doors are."""
        refund = self._enveloped(self.refund)
        return [
            Route("/auth/oauth2/token", self.token, methods=["POST"]),
            Route("/merchant/v1/payments/", self._enveloped(self.push), methods=["POST"]),
            Route("/merchant/v2/payments/", self._enveloped(self.push), methods=["POST"]),
            Route("/standard/v1/payments/refund", refund, methods=["POST"]),
            Route("/standard/v2/payments/refund", refund, methods=["POST"]),
            Route("/standard/v1/payments/{name}", self._enveloped(self.enquiry)),
            Route("/v1/rsa/encryption-keys", self._enveloped(self.key)),
        ]

    def kill_tokens(self) -> None:
        """No token that was issued is taken any more."""
        self._tokens.clear()

    async def token(self, request: Request) -> Response:
        """A token for the right id and secret."""
        faults, settings = self._setting.faults, self._network.settings
        if faults.token_fails:
            return JSONResponse({"error": "internal"}, 500)
        told = await object_of(request) or {}
        wanted = (settings.client_id, settings.client_secret, "client_credentials")
        if (told.get("client_id"), told.get("client_secret"), told.get("grant_type")) != wanted:
            return JSONResponse({"error": "invalid_client"}, 401)
        self.tokens_issued += 1
        text = secrets.token_urlsafe(24)
        life_s = LONG_LIFE_S if faults.token_as_number else TOKEN_LIFE_S
        dies_in = timedelta(seconds=faults.token_life_s or life_s)
        self._tokens[text] = self._network.now() + dies_in
        told_life: object = life_s if faults.token_as_number else str(life_s)
        return JSONResponse({"token_type": "bearer", "access_token": text, "expires_in": told_life})

    async def push(self, request: Request) -> Response:
        """Ask the payer's phone."""
        faults = self._setting.faults
        fields = await self._signed_fields(request)
        if faults.push_too_many:
            return JSONResponse({"error": "too many requests"}, 429)
        if faults.push_refused:
            raise Refused("DP00800001010", "ESB000011", "Payee is not permitted")
        asked = read_push(fields, self._network.settings)
        if faults.push_html_502:
            return HTMLResponse(_BAD_GATEWAY, status_code=502)
        prompt = self._network.push(asked)
        if faults.push_no_answer:
            await silence(request)
        if faults.callback_before_answer:
            await _held_for(prompt)
        if faults.push_duplicate:
            raise Refused("", "ESB000041", "Duplicate external transaction id")
        told = {"id": prompt.transaction_id, "status": "SUCCESS"}
        return _fine({"transaction": told}, "DP00800001006", result_code="ESB000010")

    async def enquiry(self, request: Request) -> Response:
        """What became of a push, by the merchant's name for it."""
        faults = self._setting.faults
        self._admit(request)
        if faults.enquiry_fails:
            return JSONResponse({"error": "internal"}, 500)
        prompt = self._network.by_transaction(request.path_params["name"])
        if prompt is None:
            raise Refused("DP00800001025", "ESB000045", "Transaction not found")
        told: dict[str, object] = {"id": prompt.transaction_id, "message": prompt.code}
        status, code = self._seen(prompt)
        told["status"] = status
        if status == "TS":
            told |= {"message": "success", "airtel_money_id": prompt.receipt}
        return _fine({"transaction": told}, code, result_code="ESB000010")

    async def refund(self, request: Request) -> Response:
        """Give a payment back. Airtel's own sample of a success says ``success: false``."""
        faults = self._setting.faults
        number = read_refund(await self._signed_fields(request))
        if faults.refund_refused:
            raise Refused("DP00800001007", "ESB000011", "Insufficient funds")
        back = self._network.refund(number)
        if faults.refund_no_answer:
            await silence(request)
        told = {"airtel_money_id": back.receipt, "status": "SUCCESS"}
        status = {"code": "200", "message": "SUCCESS", "result_code": "ESB000010", "success": False}
        return JSONResponse({"data": {"transaction": told}, "status": status})

    async def key(self, request: Request) -> Response:
        """The public key of version 2."""
        self._admit(request)
        until = (self._network.now() + timedelta(days=30)).astimezone(EAT)
        told = {
            "key_id": self._seal.key_id,
            "key": self._seal.public(),
            "valid_upto": until.strftime("%d-%m-%Y %H:%M:%S"),
        }
        return _fine(told, "DP02010001001", result_code="ESB000010")

    def _seen(self, prompt: Prompt) -> tuple[str, str]:
        """The status and the code that an enquiry tells just now."""
        faults = self._setting.faults
        if faults.enquiry_ambiguous:
            return "TA", "DP00800001000"
        if prompt.stage is not Stage.DONE:
            return "TIP", "DP00800001006"
        prompt.asked_since_paid += 1
        if faults.enquiry_lags and prompt.asked_since_paid <= LAG_ENQUIRIES:
            return "TIP", "DP00800001006"
        return prompt.status, prompt.code

    async def _signed_fields(self, request: Request) -> dict[str, Any]:
        """The object of a request that may come in. Raises `Refused`."""
        self._admit(request)
        body = await request.body()
        is_v2 = "/v2/" in request.url.path
        if self._setting.faults.key_changes and not self._turned:
            self._turned = True
            self._seal.turn()
        if is_v2 != self._network.settings.signed or (
            is_v2 and not self._seal.is_signed(body, request.headers)
        ):
            raise Refused("DP00800001026", "", "Signature mismatch")
        check_headers(request.headers, self._network.settings)
        fields = object_in(body)
        if fields is None:
            raise field_wrong("body")
        return fields

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        dies_at = self._tokens.get(token.strip())
        alive = dies_at is not None and self._network.now() < dies_at
        if scheme.lower() != "bearer" or not alive or self._setting.faults.token_wrong:
            raise _Locked

    def _enveloped(self, door: Door) -> Door:
        """``door``, with what it refuses written as Airtel's envelope."""

        async def opened(request: Request) -> Response:
            try:
                return await door(request)
            except _Locked:
                return JSONResponse({"error": "invalid_token"}, 401)
            except Refused as refused:
                as_400 = self._setting.faults.refusals_as_400
                status: dict[str, object] = {
                    "code": "400",
                    "message": refused.message,
                    "result_code": refused.result_code,
                    "success": False,
                }
                if refused.response_code:
                    status["response_code"] = refused.response_code
                return JSONResponse({"data": {}, "status": status}, 400 if as_400 else 200)

        return opened


class _Locked(Exception):  # noqa: N818 - a refusal, see style
    """No living token."""


def _fine(told: dict[str, Any], response_code: str, *, result_code: str) -> Response:
    status = {
        "code": "200",
        "message": "SUCCESS",
        "result_code": result_code,
        "response_code": response_code,
        "success": True,
    }
    return JSONResponse({"data": told, "status": status})


async def _held_for(prompt: Prompt) -> None:
    try:
        async with asyncio.timeout(HOLD_MAX_S):
            await prompt.told.wait()
    except TimeoutError:
        return
