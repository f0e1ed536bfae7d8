"""What tests and scripts use instead of fingers: JSON under ``/sim``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.airtel.network import NotOnScreen, Stage
from controller.sandbox.remote import TOP_UP_MAX, object_of, whole, wrong

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.airtel.doors import Doors
    from controller.sandbox.airtel.network import Network, Prompt

PIN_DIGITS = 4


class Control:
    """The JSON doors over one `Network`."""

    def __init__(self, network: Network, doors: Doors) -> None:
        self._network = network
        self._doors = doors

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sim/prompts", self.prompts),
            Route("/sim/prompts/{prompt}/pin", self.pin, methods=["POST"]),
            Route("/sim/prompts/{prompt}/cancel", self.cancel, methods=["POST"]),
            Route("/sim/lines/{msisdn}/top-up", self.top_up, methods=["POST"]),
            Route("/sim/settled", self.settled),
            Route("/sim/tokens", self.tokens),
            Route("/sim/tokens/kill", self.kill, methods=["POST"]),
        ]

    async def prompts(self, _request: Request) -> Response:
        """Every prompt, oldest first."""
        return JSONResponse([_shown(p) for p in self._network.prompts.values()])

    async def pin(self, request: Request) -> Response:
        """Type a PIN: ``{"pin": "1234"}``."""
        pin = (await object_of(request) or {}).get("pin")
        if not isinstance(pin, str) or len(pin) != PIN_DIGITS or not pin.isdigit():
            return wrong({"pin": f"want {PIN_DIGITS} digits as text"})
        try:
            return JSONResponse(_shown(self._network.enter_pin(request.path_params["prompt"], pin)))
        except NotOnScreen:
            return _gone()

    async def cancel(self, request: Request) -> Response:
        """Say no."""
        try:
            return JSONResponse(_shown(self._network.cancel(request.path_params["prompt"])))
        except NotOnScreen:
            return _gone()

    async def top_up(self, request: Request) -> Response:
        """Put money on a line of nine digits: ``{"shillings": 500}``."""
        shillings = whole((await object_of(request) or {}).get("shillings"), most=TOP_UP_MAX)
        if shillings is None:
            return wrong({"shillings": f"want 1 to {TOP_UP_MAX:,}"})
        msisdn = request.path_params["msisdn"]
        return JSONResponse(
            {"msisdn": msisdn, "shillings": self._network.top_up(msisdn, shillings)}
        )

    async def settled(self, _request: Request) -> Response:
        """All money that moved, and what the merchant holds of it."""
        rows = [{**asdict(s), "at": s.at.isoformat()} for s in self._network.settled]
        total = sum(
            s.shillings if s.kind == "push" else -s.shillings for s in self._network.settled
        )
        return JSONResponse({"settled": rows, "shillings_total": total})

    async def tokens(self, _request: Request) -> Response:
        """How many access tokens were issued."""
        return JSONResponse({"issued": self._doors.tokens_issued})

    async def kill(self, _request: Request) -> Response:
        """All tokens die before their time."""
        self._doors.kill_tokens()
        return JSONResponse({"issued": self._doors.tokens_issued})


def _gone() -> Response:
    return JSONResponse({"faults": {"prompt": "is not on a phone, or not any more"}}, 404)


def _shown(prompt: Prompt) -> dict[str, object]:
    return {
        "id": prompt.id,
        "transaction_id": prompt.transaction_id,
        "msisdn": prompt.msisdn,
        "shillings": prompt.shillings,
        "reference": prompt.reference,
        "stage": prompt.stage.value,
        "on_screen": prompt.stage is Stage.OPEN,
        "status": prompt.status,
        "code": prompt.code,
        "receipt": prompt.receipt or None,
        "asked_at": prompt.asked_at.isoformat(),
    }
