"""What a stranger sees: the handset, the panel of faults, and the trial's front door.

Every page works without JavaScript; with it, the pages follow the network live and nothing has to
be reloaded. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from controller.sandbox.daraja.control import TOP_UP_MAX, is_pin
from controller.sandbox.daraja.faults import SWITCHES, BadFaults, Faults, switched
from controller.sandbox.daraja.forms import BadForm, read_form
from controller.sandbox.daraja.network import EAT, NotOnScreen, Stage, prompt_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.network import Line, Network
    from controller.signals import Signals

HERE = Path(__file__).parent
HEARTBEAT_S = 15
LINES_SHOWN_MAX = 6
DELIVERIES_SHOWN_MAX = 12
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"sim.css": "text/css", "sim.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Pages:
    """The HTML over one `Network`."""

    def __init__(self, network: Network, courier: Courier, signals: Signals) -> None:
        self._network = network
        self._courier = courier
        self._signals = signals
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route]:
        """Where the pages are."""
        return [
            Route("/", self.handset),
            Route("/trial", self.trial),
            Route("/faults", self.panel, methods=["GET", "POST"]),
            Route("/forge", self.forge, methods=["POST"]),
            Route("/prompts/{prompt}/pin", self.pin, methods=["POST"]),
            Route("/prompts/{prompt}/cancel", self.cancel, methods=["POST"]),
            Route("/lines/{msisdn}/top-up", self.top_up, methods=["POST"]),
            Route("/live", self.live),
            Route("/static/{name}", self.static),
        ]

    async def handset(self, request: Request) -> Response:
        """The phone of ``?line=``, or of whoever was asked last."""
        msisdn = request.query_params.get("line") or self._network.latest
        line = self._network.lines.get(msisdn) if msisdn else None
        return self._page(
            "handset.html",
            line=line,
            prompt=self._screen(line),
            lines=list(reversed(self._network.lines.values()))[:LINES_SHOWN_MAX],
            working=line is not None and self._is_working(line),
            chosen="line" in request.query_params,
            framed="framed" in request.query_params,
            wrong=request.query_params.get("wrong", ""),
            life_s=self._network.settings.prompt_life_s,
            clock=self._network.now().astimezone(EAT),
        )

    async def trial(self, _request: Request) -> Response:
        """Where a stranger begins."""
        return self._page("trial.html")

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
        return self._page(
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

    async def pin(self, request: Request) -> Response:
        """The PIN pad's OK."""
        form, prompt_id = await _form(request), request.path_params["prompt"]
        if not is_pin(form.get("pin")):
            return _back(form, wrong="Four digits, please.")
        try:
            self._network.enter_pin(prompt_id, form["pin"])
        except NotOnScreen:
            return _back(form, wrong="That request is gone.")
        return _back(form)

    async def cancel(self, request: Request) -> Response:
        """The PIN pad's Cancel."""
        form = await _form(request)
        try:
            self._network.cancel(request.path_params["prompt"])
        except NotOnScreen:
            return _back(form, wrong="That request is gone.")
        return _back(form)

    async def top_up(self, request: Request) -> Response:
        """More money for a line."""
        form = await _form(request)
        shillings = form.get("shillings", "")
        whole = (
            shillings.isascii() and shillings.isdigit() and len(shillings) <= len(str(TOP_UP_MAX))
        )
        if not whole or not 1 <= int(shillings) <= TOP_UP_MAX:
            return _back(form, wrong=f"Top up by 1 to {TOP_UP_MAX:,} shillings.")
        msisdn = request.path_params["msisdn"]
        if msisdn in self._network.lines:
            self._network.top_up(msisdn, int(shillings))
        return _back(form)

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

    def _screen(self, line: Line | None) -> dict[str, object] | None:
        """What the prompt on this phone says, or None."""
        prompt = self._network.open_prompt(line.msisdn) if line else None
        if prompt is None:
            return None
        left = prompt.expires_at - self._network.now()
        return {
            "id": prompt.id,
            "text": prompt_text(self._network.settings.business, prompt.shillings, prompt.account),
            "left_s": max(0, int(left.total_seconds())),
        }

    def _is_working(self, line: Line) -> bool:
        busy = self._network.busy_with(line.msisdn)
        return busy is not None and busy.stage is Stage.WORKING

    def _page(self, template: str, *, status: int = 200, **values: object) -> Response:
        html = self._templates.get_template(template).render(
            settings=self._network.settings, shown=_shown, **values
        )
        return HTMLResponse(html, status_code=status, headers=_HEADERS)


def _shown(msisdn: str) -> str:
    """A number as people say it: ``0712 345 678``."""
    return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"


async def _form(request: Request) -> dict[str, str]:
    try:
        return read_form(await request.body())
    except BadForm:
        return {}


def _back(form: dict[str, str], *, wrong: str = "") -> Response:
    """To the phone that the form stood on."""
    parts = []
    line = form.get("line", "")
    if line.isascii() and line.isdigit():
        parts.append(f"line={line}")
    if form.get("framed"):
        parts.append("framed=1")
    if wrong:
        parts.append("wrong=" + wrong.replace(" ", "+"))
    return RedirectResponse("/?" + "&".join(parts), 303)


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
