"""What tests and scripts use instead of fingers: JSON under ``/sim``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.courier import CALLBACK
from controller.sandbox.daraja.faults import BadFaults, Faults, switched
from controller.sandbox.daraja.network import NotOnScreen, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier, Delivery
    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network, Prompt

PIN_DIGITS = 4
CONTROL_BYTES_MAX = 8_192
TOP_UP_MAX = 100_000


class Control:
    """The JSON doors over one `Network`."""

    def __init__(self, network: Network, courier: Courier, gate: Gate) -> None:
        self._network = network
        self._courier = courier
        self._gate = gate

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sim/prompts", self.prompts),
            Route("/sim/prompts/{prompt}/pin", self.pin, methods=["POST"]),
            Route("/sim/prompts/{prompt}/cancel", self.cancel, methods=["POST"]),
            Route("/sim/lines", self.lines),
            Route("/sim/lines/{msisdn}/top-up", self.top_up, methods=["POST"]),
            Route("/sim/lines/{msisdn}/messages", self.messages),
            Route("/sim/faults", self.faults, methods=["GET", "POST"]),
            Route("/sim/faults/clear", self.clear, methods=["POST"]),
            Route("/sim/forge", self.forge, methods=["POST"]),
            Route("/sim/callbacks", self.callbacks),
            Route("/sim/deliveries", self.deliveries),
            Route("/sim/tokens", self.tokens),
        ]

    async def prompts(self, _request: Request) -> Response:
        """Every prompt, oldest first; those with ``stage`` "open" are on a phone now."""
        return JSONResponse([_shown(p) for p in self._network.prompts.values()])

    async def pin(self, request: Request) -> Response:
        """Type a PIN: ``{"pin": "1234"}``."""
        told = await read_object(request)
        pin = told.get("pin") if told is not None else None
        if not is_pin(pin):
            return wrong({"pin": f"want {PIN_DIGITS} digits as text"})
        try:
            prompt = self._network.enter_pin(request.path_params["prompt"], str(pin))
        except NotOnScreen:
            return _gone()
        return JSONResponse(_shown(prompt))

    async def cancel(self, request: Request) -> Response:
        """Press Cancel."""
        try:
            prompt = self._network.cancel(request.path_params["prompt"])
        except NotOnScreen:
            return _gone()
        return JSONResponse(_shown(prompt))

    async def lines(self, _request: Request) -> Response:
        """Every line: its money now, at first, and what was put on it in between."""
        return JSONResponse(
            [
                {
                    "msisdn": line.msisdn,
                    "shillings": line.shillings,
                    "opening": line.opening,
                    "topped_up": line.topped_up,
                }
                for line in self._network.book.lines.values()
            ]
        )

    async def top_up(self, request: Request) -> Response:
        """Put money on a line: ``{"shillings": 500}``."""
        msisdn = request.path_params["msisdn"]
        told = await read_object(request)
        shillings = told.get("shillings") if told is not None else None
        whole = isinstance(shillings, int) and not isinstance(shillings, bool)
        if not whole or not 1 <= int(str(shillings)) <= TOP_UP_MAX:
            return wrong({"shillings": f"want 1 to {TOP_UP_MAX:,}"})
        if msisdn not in self._network.book.lines:
            return wrong({"msisdn": "no prompt has ever reached this number"})
        line = self._network.top_up(msisdn, int(str(shillings)))
        return JSONResponse({"msisdn": line.msisdn, "shillings": line.shillings})

    async def messages(self, request: Request) -> Response:
        """The inbox of a line, newest first; empty for a line that nobody has reached."""
        line = self._network.book.lines.get(request.path_params["msisdn"])
        told = [] if line is None else line.messages
        return JSONResponse(
            [{"at": m.at.isoformat(), "sender": m.sender, "text": m.text} for m in told]
        )

    async def faults(self, request: Request) -> Response:
        """Which faults are on; POST an object with the switches to change."""
        if request.method == "POST":
            told = await read_object(request)
            if told is None:
                return wrong({"body": "want a JSON object"})
            try:
                self._network.set_faults(switched(self._network.faults, told))
            except BadFaults as bad:
                return wrong(bad.faults)
        return JSONResponse(asdict(self._network.faults))

    async def clear(self, _request: Request) -> Response:
        """Turn every fault off."""
        self._network.set_faults(Faults())
        return JSONResponse(asdict(self._network.faults))

    async def forge(self, _request: Request) -> Response:
        """Post a made-up success to the address of the last push."""
        prompt = self._network.newest()
        if prompt is None:
            return wrong({"body": "there was no push yet, so no address is known"})
        await self._courier.forge(prompt)
        return JSONResponse(_delivery(self._courier.deliveries[-1]))

    async def callbacks(self, _request: Request) -> Response:
        """Every callback of a push that was posted, or lost on purpose, and what was answered."""
        return JSONResponse([_delivery(d) for d in self._courier.deliveries if d.road == CALLBACK])

    async def deliveries(self, _request: Request) -> Response:
        """Everything that was posted, or lost on purpose, on any road, and what was answered."""
        return JSONResponse([_delivery(d) for d in self._courier.deliveries])

    async def tokens(self, _request: Request) -> Response:
        """How many access tokens were issued."""
        return JSONResponse({"issued": self._gate.tokens_issued})


def is_pin(value: object) -> bool:
    """Whether this is what a PIN pad can send."""
    text = value if isinstance(value, str) else ""
    return len(text) == PIN_DIGITS and text.isascii() and text.isdigit()


async def read_object(request: Request) -> dict[str, Any] | None:
    """What was posted, or None if it is no JSON object."""
    body = await request.body()
    try:
        parsed = json.loads(body[: CONTROL_BYTES_MAX + 1])
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and len(body) <= CONTROL_BYTES_MAX else None


def wrong(faults: Mapping[str, str]) -> Response:
    """The answer that names each wrong field."""
    return JSONResponse({"faults": dict(faults)}, status_code=422)


def _gone() -> Response:
    return JSONResponse({"faults": {"prompt": "is not on a phone, or not any more"}}, 404)


def _shown(prompt: Prompt) -> dict[str, object]:
    return {
        "id": prompt.id,
        "kind": prompt.kind.value,
        "checkout_id": prompt.checkout_id,
        "msisdn": prompt.msisdn,
        "shillings": prompt.shillings,
        "account": prompt.account,
        "description": prompt.description,
        "stage": prompt.stage.value,
        "on_screen": prompt.stage is Stage.OPEN,
        "code": prompt.code,
        "receipt": prompt.receipt or None,
        "asked_at": prompt.asked_at.isoformat(),
        "expires_at": prompt.expires_at.isoformat(),
    }


def _delivery(delivery: Delivery) -> dict[str, object]:
    return {**asdict(delivery), "at": delivery.at.isoformat()}
