"""The other platform: that of Celcom, Advanta and TextSMS, with the word that it cannot spell.

Source: their SMS pages. Every answer is an HTTP 200; the code in it says what happened.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.sandbox.sms.requests import is_phone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from controller.sandbox.daraja.network import Network

BODY_BYTES_MAX = 16_384
PATH = "/api/services/sendsms/"
WORDS = {
    200: "Success",
    1001: "Invalid sender id",
    1003: "Invalid mobile number",
    1004: "Low bulk credits",
    1005: "Failed. System error",
    1006: "Invalid credentials",
    4092: "Missing API Key",
}


class IsmsDoor:
    """Messages onto the lines of one `Network`; ``told`` is called for each that was taken."""

    def __init__(
        self,
        network: Network,
        *,
        silence: Callable[[Request], Awaitable[None]],
        told: Callable[[str, str], None],
    ) -> None:
        self._network = network
        self._silence = silence
        self._told = told
        self._names: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """Where the door is."""
        return [Route(PATH, self.send, methods=["POST"])]

    async def send(self, request: Request) -> Response:
        """Take one message; one with a ``clientsmsid`` that was seen before is not sent again."""
        faults = self._network.faults
        if faults.sms_down:
            return PlainTextResponse("<html>502 Bad Gateway</html>", 502)
        asked = _read((await request.body())[: BODY_BYTES_MAX + 1])
        code = self._code(asked)
        mobile, ours = str(asked.get("mobile", "")), str(asked.get("clientsmsid", ""))
        name = self._names.get(ours, "")
        if code == 200 and not name:  # noqa: PLR2004 - their figure
            name = self._names[ours] = str(secrets.randbelow(9 * 10**6) + 10**6)
            self._network.text(mobile, str(asked["message"]), sender=str(asked["shortcode"]))
            self._told(name, mobile)
            if faults.sms_no_answer:
                await self._silence(request)
        key = "response-code" if faults.sms_code_spelt_right else "respose-code"
        said = {key: code, "response-description": WORDS[code], "mobile": mobile}
        more = {"messageid": int(name), "networkid": "1"} if name else {}
        return JSONResponse({"responses": [{**said, **more}]})

    def _code(self, asked: dict[str, Any]) -> int:
        settings, faults = self._network.settings, self._network.faults
        if not asked.get("apikey"):
            return 4092
        if asked["apikey"] != settings.sms_api_key or asked.get("partnerID") != "123":
            return 1006
        if faults.sms_bad_sender:
            return 1001
        if faults.sms_no_credit:
            return 1004
        if not is_phone(f"+{asked.get('mobile', '')}"):
            return 1003
        return 200 if asked.get("message") and asked.get("shortcode") else 1005


def _read(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body) if len(body) <= BODY_BYTES_MAX else None
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
