"""What a stranger sees beside the handset: the panel of faults, and the trial's front door.

Every page works without JavaScript; with it, the pages follow the network live and nothing has to
be reloaded. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import (
    FileResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from controller.sandbox.daraja.book import EAT
from controller.sandbox.daraja.faults import SWITCHES, BadFaults, Faults, switched
from controller.sandbox.daraja.forms import BadForm, read_form
from controller.sandbox.daraja.render import HERE, Renderer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.network import Network
    from controller.signals import Signals

HEARTBEAT_S = 15
DELIVERIES_SHOWN_MAX = 12
_STATIC = {"sim.css": "text/css", "sim.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Pages:
    """The HTML over one `Network`."""

    def __init__(self, network: Network, courier: Courier, signals: Signals) -> None:
        self._network = network
        self._courier = courier
        self._signals = signals
        self._renderer = Renderer(network)

    def routes(self) -> list[Route]:
        """Where the pages are."""
        return [
            Route("/trial", self.trial),
            Route("/faults", self.panel, methods=["GET", "POST"]),
            Route("/forge", self.forge, methods=["POST"]),
            Route("/live", self.live),
            Route("/static/{name}", self.static),
        ]

    async def trial(self, _request: Request) -> Response:
        """Where a stranger begins."""
        settings = self._network.settings
        elsewhere = (
            ("Airtel Money", settings.airtel_url, "a handset that is asked to pay."),
            ("Cards", settings.card_url, "the page on which a card is typed."),
            ("A bank", settings.bank_url, "a counter; the bank signs what it tells."),
            ("Letters", settings.mail_url, "every e-mail that was sent."),
        )
        told = [one for one in elsewhere if one[1]]
        return self._renderer.page("trial.html", elsewhere=told)

    async def panel(self, request: Request) -> Response:
        """The faults; a posted form sets all of them."""
        wrong: dict[str, str] = {}
        if request.method == "POST":
            try:
                form = read_form(await request.body())
                self._network.set_faults(_faults_in(form))
                return RedirectResponse("/faults", 303)
            except BadForm as bad:
                wrong = {"form": str(bad)}
            except BadFaults as bad:
                wrong = bad.faults
        deliveries = list(reversed(self._courier.deliveries))[:DELIVERIES_SHOWN_MAX]
        return self._renderer.page(
            "faults.html",
            status=422 if wrong else 200,
            groups=SWITCHES,
            on=asdict(self._network.faults),
            wrong=wrong,
            deliveries=deliveries,
            eat=EAT,
            can_forge=self._network.newest() is not None,
        )

    async def forge(self, _request: Request) -> Response:
        """Post a made-up success to the address of the last push."""
        prompt = self._network.newest()
        if prompt is not None:
            await self._courier.forge(prompt)
        return RedirectResponse("/faults#callbacks", 303)

    async def live(self, _request: Request) -> Response:
        """Server-sent events: one ``change`` whenever a page would look different."""
        return StreamingResponse(
            self._changes(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def static(self, request: Request) -> Response:
        """Style, script, icon."""
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(
            HERE / "static" / name, media_type=_STATIC[name], headers={"Cache-Control": "no-cache"}
        )

    async def _changes(self) -> AsyncIterator[str]:
        with self._signals.listen("live") as news:
            yield "retry: 1000\n\n"
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                news.clear()
                yield "event: change\ndata: {}\n\n"


def _faults_in(form: dict[str, str]) -> Faults:
    """The faults that a form's fields stand for: an absent switch is off. Raises `BadFaults`."""
    if "clear" in form:
        return Faults()
    wanted: dict[str, object] = {}
    for switches in SWITCHES.values():
        for switch in switches:
            told = form.get(switch.name, "")
            if switch.seconds:
                digits = told.isascii() and told.isdigit() and len(told) < 9  # noqa: PLR2004
                wanted[switch.name] = int(told) if digits else (told or 0)
            else:
                wanted[switch.name] = told == "on"
    return switched(Faults(), wanted)
