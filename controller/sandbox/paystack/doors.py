"""Paystack's doors: initialize, verify, charge_authorization, refund."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.paystack import bodies
from controller.sandbox.paystack.requests import Refused, invalid, read_amount, read_payment
from controller.sandbox.remote import object_of, silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from controller.sandbox.paystack.bank import Bank, Payment
    from controller.sandbox.paystack.faults import Faults
    from controller.sandbox.remote import Setting

    Door = Callable[[Request], Awaitable[Response]]

LAG_QUERIES = 2
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"


class Doors:
    """The HTTP interface over one `Bank`."""

    def __init__(self, bank: Bank, setting: Setting[Faults]) -> None:
        self._bank = bank
        self._setting = setting

    def routes(self) -> list[Route]:
        """Where the doors are."""
        wrap = self._enveloped
        return [
            Route("/transaction/initialize", wrap(self.initialize), methods=["POST"]),
            Route("/transaction/verify/{reference}", wrap(self.verify)),
            Route("/transaction/charge_authorization", wrap(self.charge), methods=["POST"]),
            Route("/refund", wrap(self.refund), methods=["POST"]),
            Route("/refund", wrap(self.refunds)),
            Route("/refund/{number}", wrap(self.one_refund)),
        ]

    async def initialize(self, request: Request) -> Response:
        """Open a page."""
        faults = self._setting.faults
        fields = await self._admitted(request)
        if faults.push_too_many:
            raise Refused(429, "rate_limited", "Too many requests")
        asked = read_payment(fields, currency=self._bank.settings.currency)
        if faults.push_html_502:
            return HTMLResponse(_BAD_GATEWAY, status_code=502)
        payment = self._bank.open(asked)
        if faults.push_no_answer:
            await silence(request)
        told = {
            "authorization_url": f"{str(request.base_url).rstrip('/')}/pay/{payment.access_code}",
            "access_code": payment.access_code,
            "reference": asked.reference,
        }
        return JSONResponse(bodies.fine("Authorization URL created", told))

    async def verify(self, request: Request) -> Response:
        """What became of a payment."""
        faults = self._setting.faults
        self._admit(request)
        if faults.query_fails:
            return JSONResponse({"status": False, "message": "Internal error"}, 500)
        payment = self._bank.payments.get(request.path_params["reference"])
        if payment is None:
            raise Refused(404, "transaction_not_found", "Transaction reference not found")
        payment.asked_since_paid += payment.status == "success"
        lags = faults.query_lags and 0 < payment.asked_since_paid <= LAG_QUERIES
        told = bodies.transaction(payment, status="ongoing" if lags else None)
        return JSONResponse(bodies.fine("Verification successful", told))

    async def charge(self, request: Request) -> Response:
        """Charge a stored card."""
        fields = await self._admitted(request)
        code = fields.get("authorization_code")
        if not isinstance(code, str):
            raise invalid("authorization_code is required")
        asked = read_payment(fields, currency=self._bank.settings.currency)
        payment = self._bank.charge(asked, code)
        if self._setting.faults.charge_no_answer:
            await silence(request)
        if payment.waits_for_holder:
            page = f"{str(request.base_url).rstrip('/')}/confirm/{payment.access_code}"
            told: dict[str, Any] = {
                "authorization_url": page,
                "reference": asked.reference,
                "access_code": payment.access_code,
                "paused": True,
            }
            return JSONResponse(bodies.fine("Please, redirect your customer", told))
        return JSONResponse(bodies.fine("Charge attempted", bodies.transaction(payment)))

    async def refund(self, request: Request) -> Response:
        """Give back the whole or a part of a payment."""
        fields = await self._admitted(request)
        if self._setting.faults.refund_refused:
            raise Refused(400, "insufficient_balance", "Your balance is too small for this refund")
        payment = self._payment(fields.get("transaction"))
        amount = read_amount(fields) if "amount" in fields else payment.asked.amount
        taken = self._bank.refund(
            payment,
            amount,
            merchant=str(fields.get("merchant_note") or ""),
            customer=str(fields.get("customer_note") or ""),
        )
        if self._setting.faults.refund_no_answer:
            await silence(request)
        message = "Refund has been queued for processing"
        return JSONResponse(bodies.fine(message, bodies.created_refund(taken)))

    async def refunds(self, request: Request) -> Response:
        """All refunds, or those of one payment."""
        self._admit(request)
        wanted = request.query_params.get("transaction")
        told = [
            bodies.refund(refund)
            for refund in reversed(self._bank.refunds.values())
            if wanted in (None, str(refund.payment.id))
        ]
        return JSONResponse(bodies.fine("Refunds retrieved", told))

    async def one_refund(self, request: Request) -> Response:
        """One refund by its number."""
        self._admit(request)
        number = request.path_params["number"]
        found = self._bank.refunds.get(int(number)) if number.isdigit() else None
        if found is None:
            raise Refused(404, "refund_not_found", "Refund not found")
        return JSONResponse(bodies.fine("Refund retrieved", bodies.refund(found)))

    def _payment(self, named: object) -> Payment:
        """The payment by its number or its reference. Raises `Refused`."""
        found = (
            p for p in self._bank.payments.values() if str(named) in (str(p.id), p.asked.reference)
        )
        payment = next(found, None)
        if payment is None:
            raise Refused(404, "transaction_not_found", "Transaction not found")
        return payment

    async def _admitted(self, request: Request) -> dict[str, Any]:
        self._admit(request)
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise invalid("Content-Type must be application/json")
        fields = await object_of(request)
        if fields is None:
            raise invalid("Invalid JSON")
        return fields

    def _admit(self, request: Request) -> None:
        right = f"Bearer {self._bank.settings.secret_key}".encode()
        told = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(told, right) or self._setting.faults.push_refused:
            raise Refused(401, "invalid_Key", "Invalid key")

    def _enveloped(self, door: Door) -> Door:
        """``door``, with what it refuses written as Paystack's envelope."""

        async def opened(request: Request) -> Response:
            try:
                return await door(request)
            except Refused as refused:
                told = {"status": False, "message": refused.message, "code": refused.code}
                return JSONResponse({**told, "type": "validation_error"}, refused.status)

        return opened
