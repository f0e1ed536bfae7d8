"""The simulated mail server and its pages as one ASGI application."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.mail.box import Box
from controller.sandbox.mail.faults import SWITCHES, BadFaults, switched
from controller.sandbox.mail.server import MailServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request

    from controller.sandbox.mail.settings import MailSettings

BODY_BYTES_MAX = 8_192
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class MailPages:
    """What people and scripts see of one `Box`. Letters' HTML is shown in a locked frame."""

    def __init__(self, box: Box, server: MailServer) -> None:
        self._box = box
        self._server = server
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/mail", self.page),
            Route("/sim/mail", self.letters),
            Route("/sim/mail/door", self.door),
            Route("/sim/mail/faults", self.faults, methods=["GET", "POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """The letters, newest first; of one address with ``?to=``."""
        to = request.query_params.get("to", "")
        shown = [one for one in self._box.letters if not to or one.to == to]
        page = self._templates.get_template("mail.html").render(letters=shown, to=to)
        return HTMLResponse(page, headers=_HEADERS)

    async def letters(self, _request: Request) -> Response:
        """The letters, newest first."""
        told = [
            {
                "at": one.at.isoformat(),
                "sender": one.sender,
                "to": one.to,
                "subject": one.subject,
                "text": one.text,
                "html": one.html,
                "message_id": one.message_id,
                "raw": one.raw.decode(errors="replace"),
            }
            for one in self._box.letters
        ]
        return JSONResponse(told)

    async def door(self, _request: Request) -> Response:
        """Where letters are taken, and how many connections there were."""
        told = {"smtp_port": self._server.port, "talks_total": self._server.talks_total}
        return JSONResponse(told)

    async def faults(self, request: Request) -> Response:
        """Which faults are on, and what they are; POST an object with the switches to change."""
        if request.method == "POST":
            try:
                told = json.loads((await request.body())[:BODY_BYTES_MAX])
                wanted = told if isinstance(told, dict) else {"body": told}
                self._server.faults = switched(self._server.faults, wanted)
            except (ValueError, RecursionError):
                return JSONResponse({"faults": {"body": "want a JSON object"}}, 422)
            except BadFaults as bad:
                return JSONResponse({"faults": bad.faults}, 422)
        return JSONResponse({**asdict(self._server.faults), "about": dict(SWITCHES)})


def build_app(
    settings: MailSettings,
    *,
    now: Callable[[], datetime],
    smtp_host: str = "127.0.0.1",
    smtp_port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Starlette:
    """The application; while it lives, a door for letters is open. ``now`` is its clock."""
    box = Box(now)
    server = MailServer(settings, box, tls=tls)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        await server.start(host=smtp_host, port=smtp_port)
        yield
        await server.stop()

    return Starlette(routes=MailPages(box, server).routes(), lifespan=life)
