"""What holds for every request: its id, its size, and the headers of its answer."""

from __future__ import annotations

import asyncio
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from controller.acting import asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 64 * 1024
LONGER_BODY_BYTES_MAX = {
    "/api/v1/operator/logo": 288 * 1024,
    "/noc/setup/business/logo": 216 * 1024,
    "/noc/brand/logo": 208 * 1024,
    "/api/v1/vouchers/sheet": 256 * 1024,
    "/api/v1/statements": 14 * 1024 * 1024,
}
"""Where more is sent: a picture of 200,000 bytes, in base64; the ten thousand codes of a batch;
a statement of ten million bytes, in base64."""

BODY_S_MAX = 60.0
"""From a request's head to the end of its body: 14 MB take so long at 2 Mb/s."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
"""What a page may load: nothing inline, nothing from another host."""

USUAL = {
    "Content-Security-Policy": "; ".join(DIRECTIVES),
    "Referrer-Policy": "no-referrer",
}
"""What an answer gets that says nothing of its own. The page for customers does: all that it loads
stands in it, named by its hash."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

FRAMED = frozenset({"/noc/brand/portal", "/noc/brand/paper"})
"""Pages that one of ours shows within it: how portal and papers will look. They do nothing."""

_Raw = tuple[bytes, bytes]
_REQUEST_ID_NAME = b"x-request-id"


def _raw(headers: Mapping[str, str]) -> tuple[_Raw, ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_UNLESS_SAID = _raw({"Cache-Control": "no-store", **USUAL})
_ALWAYS_RAW = _raw(ALWAYS)
_FRAMED_RAW = _raw({**ALWAYS, "X-Frame-Options": "SAMEORIGIN"})
_OURS = {_REQUEST_ID_NAME, *(name for name, _ in _ALWAYS_RAW)}


class Door:
    """ASGI middleware around everything.

    A body that is too long, or takes too long to come, is refused while it is read.
    """

    def __init__(self, app: ASGIApp, *, body_s_max: float = BODY_S_MAX) -> None:
        self._app = app
        self._body_s_max = body_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(dict(scope["headers"]).get(_REQUEST_ID_NAME, b""))
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                always = _FRAMED_RAW if scope["path"] in FRAMED else _ALWAYS_RAW
                headers = _marked(message.get("headers", ()), request_id, always)
                message = {**message, "headers": headers}
            await send(message)

        most = LONGER_BODY_BYTES_MAX.get(scope["path"], BODY_BYTES_MAX)
        with asking(scope):
            await self._app(scope, _limited(receive, most, self._body_s_max), send_marked)


def _marked(said: Iterable[_Raw], request_id: str, always: tuple[_Raw, ...]) -> list[_Raw]:
    """The headers of an answer: what it says itself, what it leaves unsaid, and what is ours."""
    kept = [(name.lower(), value) for name, value in said]
    names = {name for name, _ in kept}
    return [
        *(one for one in kept if one[0] not in _OURS),
        *(one for one in _UNLESS_SAID if one[0] not in names),
        (_REQUEST_ID_NAME, request_id.encode()),
        *always,
    ]


def _limited(receive: Receive, bytes_max: int, s_max: float) -> Receive:
    taken, until, is_whole = 0, asyncio.get_running_loop().time() + s_max, False

    async def receive_counted() -> Message:
        nonlocal taken, is_whole
        if is_whole:  # what comes then is only that the browser went away
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as slow:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body took too long") from slow
        is_whole = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > bytes_max:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is longer than {bytes_max:,} bytes",
            )
        return message

    return receive_counted


def _request_id(offered: bytes) -> str:
    return offered.decode() if _REQUEST_ID.fullmatch(offered) else secrets.token_hex(8)
