"""What tests and scripts use instead of fingers: JSON under ``/sim``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.paystack.bank import ACCEPTED, DONE
from controller.sandbox.paystack.bodies import dispute as dispute_body
from controller.sandbox.paystack.bodies import refund as refund_body
from controller.sandbox.paystack.cards import PAYS, BadCard, read_card
from controller.sandbox.paystack.requests import Refused
from controller.sandbox.remote import object_of, wrong

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.paystack.bank import Bank, Payment

EXPIRY = "12/30"
CVV = "408"


class Control:
    """The JSON doors over one `Bank`."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sim/prompts", self.prompts),
            Route("/sim/prompts/{access_code}/pin", self.pin, methods=["POST"]),
            Route("/sim/prompts/{access_code}/holder", self.holder, methods=["POST"]),
            Route("/sim/refunds", self.refunds),
            Route("/sim/refunds/{number}/finish", self.finish, methods=["POST"]),
            Route("/sim/payments/{reference}/dispute", self.dispute, methods=["POST"]),
            Route("/sim/disputes/{number}/resolve", self.resolve, methods=["POST"]),
            Route("/sim/settled", self.settled),
        ]

    async def prompts(self, request: Request) -> Response:
        """Every payment, oldest first; ``on_screen`` while its page waits for somebody."""
        at = str(request.base_url).rstrip("/")
        return JSONResponse([_shown(p, at) for p in self._bank.payments.values()])

    async def pin(self, request: Request) -> Response:
        """Type a card into a page: ``{"card": "4084…"}``; without one, a card that pays."""
        payment = self._waiting(request)
        if payment is None:
            return _gone()
        number = (await object_of(request) or {}).get("card", PAYS)
        try:
            typed = read_card(str(number), EXPIRY, CVV)
        except BadCard as bad:
            return wrong({"card": str(bad)})
        self._bank.type_card(payment, typed)
        return JSONResponse(_shown(payment, ""))

    async def holder(self, request: Request) -> Response:
        """Answer the bank's question: ``{"agreed": true}``."""
        payment = self._waiting(request)
        agreed = (await object_of(request) or {}).get("agreed")
        if payment is None or not payment.waits_for_holder:
            return _gone()
        if not isinstance(agreed, bool):
            return wrong({"agreed": "want true or false"})
        self._bank.confirm(payment, agreed=agreed)
        return JSONResponse(_shown(payment, ""))

    async def refunds(self, _request: Request) -> Response:
        """Every refund, oldest first."""
        return JSONResponse([refund_body(refund) for refund in self._bank.refunds.values()])

    async def finish(self, request: Request) -> Response:
        """End a refund that is on its way: ``{"status": "processed"}`` or ``"failed"``."""
        number = request.path_params["number"]
        refund = self._bank.refunds.get(int(number)) if number.isdigit() else None
        status = (await object_of(request) or {}).get("status")
        if refund is None or refund.status != "pending":
            return _gone()
        if status not in ("processed", "failed"):
            return wrong({"status": "want processed or failed"})
        self._bank.finish(refund, status)
        return JSONResponse(refund_body(refund))

    async def dispute(self, request: Request) -> Response:
        """The holder's bank wants a payment back: ``{"cents": 5000}``; without, all of it."""
        payment = self._bank.payments.get(request.path_params["reference"])
        if payment is None:
            return _gone()
        cents = (await object_of(request) or {}).get("cents", payment.asked.amount)
        if not isinstance(cents, int):
            return wrong({"cents": "want a whole number"})
        try:
            return JSONResponse(dispute_body(self._bank.dispute(payment, cents)))
        except Refused as refused:
            return wrong({"cents": refused.message})

    async def resolve(self, request: Request) -> Response:
        """End a dispute: ``{"resolution": "merchant-accepted"}`` or ``"declined"``."""
        number = request.path_params["number"]
        found = self._bank.disputes.get(int(number)) if number.isdigit() else None
        resolution = (await object_of(request) or {}).get("resolution")
        if found is None or found.resolution is not None:
            return _gone()
        if resolution not in (ACCEPTED, "declined"):
            return wrong({"resolution": f"want {ACCEPTED} or declined"})
        self._bank.resolve(found, resolution)
        return JSONResponse(dispute_body(found))

    async def settled(self, _request: Request) -> Response:
        """All money that moved, in cents, and what the merchant holds of it."""
        rows = [{**asdict(s), "at": s.at.isoformat()} for s in self._bank.settled]
        total = sum(
            -s.cents if s.kind in {"refund", "dispute"} else s.cents for s in self._bank.settled
        )
        return JSONResponse({"settled": rows, "cents_total": total})

    def _waiting(self, request: Request) -> Payment | None:
        payment = self._bank.by_access_code(request.path_params["access_code"])
        return payment if payment is not None and payment.status != "success" else None


def _gone() -> Response:
    return JSONResponse({"faults": {"prompt": "waits for nobody, or not any more"}}, 404)


def _shown(payment: Payment, at: str) -> dict[str, object]:
    page = "confirm" if payment.waits_for_holder else "pay"
    return {
        "id": payment.access_code,
        "reference": payment.asked.reference,
        "cents": payment.asked.amount,
        "email": payment.asked.email,
        "pay_at": f"{at}/{page}/{payment.access_code}",
        "on_screen": payment.status not in DONE,
        "waits_for_holder": payment.waits_for_holder,
        "status": payment.status,
        "receipt": str(payment.id) if payment.status == "success" else None,
    }
