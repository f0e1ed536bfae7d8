"""The handset: a pretend phone that is asked to pay, and that pays from its own menu."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.book import EAT
from controller.sandbox.daraja.c2b_bodies import REFERENCE_CHARS_MAX
from controller.sandbox.daraja.control import TOP_UP_MAX, is_pin
from controller.sandbox.daraja.forms import BadForm, read_form
from controller.sandbox.daraja.network import NotOnScreen, Stage
from controller.sandbox.daraja.paybill import Declined, Wanted
from controller.sandbox.daraja.render import Renderer
from controller.sandbox.daraja.requests import AMOUNT_MAX, Refused, is_msisdn

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.book import Line
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.paybill import PayBill

LINES_SHOWN_MAX = 6
_NOT_DIGITS = re.compile(r"[^0-9]")
_KEPT = ("number", "business", "account", "amount")
"""What the menu shows again after a mistake; never the PIN."""


class Handset:
    """The phone's pages over one `Network` and its `PayBill`."""

    def __init__(self, network: Network, paybill: PayBill) -> None:
        self._network = network
        self._paybill = paybill
        self._renderer = Renderer(network)

    def routes(self) -> list[Route]:
        """Where the phone is."""
        return [
            Route("/", self.handset),
            Route("/menu", self.pay, methods=["POST"]),
            Route("/prompts/{prompt}/pin", self.pin, methods=["POST"]),
            Route("/prompts/{prompt}/cancel", self.cancel, methods=["POST"]),
            Route("/lines/{msisdn}/top-up", self.top_up, methods=["POST"]),
        ]

    async def handset(self, request: Request) -> Response:
        """The phone of ``?line=``, or of whoever was asked last; ``?menu=1`` opens its menu."""
        asked = request.query_params
        book = self._network.book
        msisdn = asked.get("line") or book.latest
        line = book.lines.get(msisdn) if msisdn else None
        return self._renderer.page(
            "handset.html",
            line=line,
            prompt=self._screen(line),
            lines=list(reversed(book.lines.values()))[:LINES_SHOWN_MAX],
            working=line is not None and self._is_working(line),
            chosen="line" in asked,
            framed="framed" in asked,
            wrong=asked.get("wrong", ""),
            menu={name: asked.get(name, "") for name in _KEPT} if "menu" in asked else None,
            life_s=self._network.settings.prompt_life_s,
            clock=self._network.now().astimezone(EAT),
        )

    async def pay(self, request: Request) -> Response:
        """The menu's OK."""
        form = await _form(request)
        wanted, wrong = self._wanted(form)
        if wanted is None or not is_pin(form.get("pin")):
            return _back(form, wrong=wrong or "Four digits, please.", menu=True)
        form["line"] = wanted.msisdn
        try:
            await self._paybill.pay(wanted, pin=form["pin"])
        except Declined as declined:
            return _back(form, wrong=str(declined))
        except Refused as refused:
            return _back(form, wrong=refused.message, menu=True)
        return _back(form)

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
        shillings = _whole(form.get("shillings", ""), TOP_UP_MAX)
        if shillings is None:
            return _back(form, wrong=f"Top up by 1 to {TOP_UP_MAX:,} shillings.")
        msisdn = request.path_params["msisdn"]
        if msisdn in self._network.book.lines:
            self._network.top_up(msisdn, shillings)
        return _back(form)

    def _wanted(self, form: dict[str, str]) -> tuple[Wanted | None, str]:
        """What the menu's fields ask for, or what is wrong with the first wrong one."""
        msisdn = _msisdn(form.get("number", ""))
        business, account = form.get("business", "").strip(), form.get("account", "")
        shillings = _whole(form.get("amount", ""), AMOUNT_MAX)
        is_till = business == self._network.settings.till
        if not is_msisdn(msisdn):
            return None, "A number like 0712 345 678, please."
        if business not in self._paybill.places():
            return None, f"Nobody has the business number {business[:7]}."
        if not is_till and not 1 <= len(account) <= REFERENCE_CHARS_MAX:
            return None, f"An account number of 1 to {REFERENCE_CHARS_MAX} characters, please."
        if shillings is None:
            return None, f"An amount of 1 to {AMOUNT_MAX:,} shillings, please."
        return Wanted(msisdn, shillings, "" if is_till else account, business), ""

    def _screen(self, line: Line | None) -> dict[str, object] | None:
        """What the prompt on this phone says, or None."""
        prompt = self._network.open_prompt(line.msisdn) if line else None
        if prompt is None:
            return None
        left = prompt.expires_at - self._network.now()
        return {
            "id": prompt.id,
            "text": prompt.text,
            "left_s": max(0, int(left.total_seconds())),
        }

    def _is_working(self, line: Line) -> bool:
        busy = self._network.busy_with(line.msisdn)
        pushed = busy is not None and busy.stage is Stage.WORKING
        return pushed or line.msisdn in self._paybill.busy


def _whole(text: str, most: int) -> int | None:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return int(text) if digits and 1 <= int(text) <= most else None


def _msisdn(text: str) -> str:
    """A number as people write it, with 254 before it; garbage stays garbage."""
    digits = _NOT_DIGITS.sub("", text) if text.isascii() else ""
    return f"254{digits[1:]}" if digits.startswith("0") else digits


async def _form(request: Request) -> dict[str, str]:
    try:
        return read_form(await request.body())
    except BadForm:
        return {}


def _back(form: dict[str, str], *, wrong: str = "", menu: bool = False) -> Response:
    """To the phone that the form stood on."""
    told: dict[str, str] = {}
    line = form.get("line", "")
    if line.isascii() and line.isdigit():
        told["line"] = line
    if form.get("framed"):
        told["framed"] = "1"
    if wrong:
        told["wrong"] = wrong
    if menu:
        told["menu"] = "1"
        told.update((name, form[name]) for name in _KEPT if form.get(name))
    return RedirectResponse("/?" + urlencode(told), 303)
