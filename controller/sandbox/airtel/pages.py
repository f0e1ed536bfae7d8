"""The payer's phone, for people: requests to pay, a PIN, and what was paid."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from controller.sandbox.airtel.network import NotOnScreen, Stage
from controller.sandbox.panel import form_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.airtel.network import Network
    from controller.sandbox.panel import PlainPages

PIN_DIGITS = 4
SHOWN_MAX = 10


class Handset:
    """The page over one `Network`."""

    def __init__(self, network: Network, pages: PlainPages) -> None:
        self._network = network
        self._pages = pages

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route("/", self.phone), Route("/prompts/{prompt}", self.answer, methods=["POST"])]

    async def phone(self, _request: Request) -> Response:
        """What waits for a PIN, newest first."""
        return self._shown()

    async def answer(self, request: Request) -> Response:
        """A PIN, or Cancel."""
        form, prompt_id = await form_of(request), request.path_params["prompt"]
        pin = form.get("pin", "")
        try:
            if "cancel" in form:
                self._network.cancel(prompt_id)
            elif len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit():
                self._network.enter_pin(prompt_id, pin)
            else:
                return self._shown(status=422, wrong="Four digits, please.")
        except NotOnScreen:
            return self._shown(status=404, wrong="That request is gone.")
        return RedirectResponse("/", 303)

    def _shown(self, *, status: int = 200, wrong: str = "") -> Response:
        newest = reversed(self._network.prompts.values())
        waiting = (prompt for prompt in newest if prompt.stage is Stage.OPEN)
        return self._pages.page(
            "handset.html",
            status=status,
            wrong=wrong,
            prompts=list(islice(waiting, SHOWN_MAX)),
            settled=list(islice(reversed(self._network.settled), SHOWN_MAX)),
        )
