"""Money for tests and scripts: pay from the menu, see all that moved. JSON under ``/sim``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.book import EAT, Kind
from controller.sandbox.daraja.c2b_bodies import REFERENCE_CHARS_MAX
from controller.sandbox.daraja.control import read_object, wrong
from controller.sandbox.daraja.paybill import Declined, Wanted
from controller.sandbox.daraja.requests import AMOUNT_MAX, is_msisdn
from controller.sandbox.daraja.statement import day_of, statement

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.book import Settled
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.paybill import PayBill


class MoneyControl:
    """The JSON doors over one `PayBill` and its book."""

    def __init__(self, network: Network, paybill: PayBill) -> None:
        self._network = network
        self._paybill = paybill

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sim/pay", self.pay, methods=["POST"]),
            Route("/sim/urls", self.urls, methods=["GET", "DELETE"]),
            Route("/sim/settled", self.settled),
            Route("/sim/statement.csv", self.statement),
        ]

    async def pay(self, request: Request) -> Response:
        """Pay from the menu: ``{"msisdn": …, "shillings": 1500, "account": "ISP10023"}``.

        ``"till": true`` pays the till, which takes no account. The answer names the receipt, before
        the confirmation is posted; a payment that did not happen is a 409 with M-PESA's code.
        """
        told = await read_object(request) or {}
        wanted, faults = self._wanted(told)
        if wanted is None:
            return wrong(faults)
        try:
            settled = await self._paybill.pay(wanted)
        except Declined as declined:
            return JSONResponse(
                {"receipt": None, "code": declined.code, "words": str(declined)}, 409
            )
        return JSONResponse({"receipt": settled.receipt})

    async def urls(self, request: Request) -> Response:
        """The addresses that were registered; DELETE is what operators do in the portal."""
        if request.method == "DELETE":
            self._paybill.forget()
        return JSONResponse([asdict(urls) for urls in self._paybill.urls.values()])

    async def settled(self, _request: Request) -> Response:
        """All money that moved; what the merchant's ledger must agree with.

        ``shillings_total`` is what left the lines; ``balance`` what the merchant has of it after
        M-PESA's charges.
        """
        rows = self._network.book.settled
        total = sum(s.shillings for s in rows if s.kind is not Kind.CHARGE)
        return JSONResponse(
            {
                "settled": [_shown(s) for s in rows],
                "shillings_total": total,
                "balance": self._network.book.balance,
            }
        )

    async def statement(self, request: Request) -> Response:
        """The portal's file of ``?day=2026-07-14``, a day in Nairobi; else of today."""
        now = self._network.now()
        told = request.query_params.get("day")
        try:
            day = date.fromisoformat(told) if told else now.astimezone(EAT).date()
        except ValueError:
            return wrong({"day": "want a day like 2026-07-14"})
        settings, book = self._network.settings, self._network.book
        rows = day_of(book.settled, day, merchant_shillings=settings.merchant_shillings)
        return Response(
            statement(rows, settings, self._network.faults, now=now),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="statement-{day}.csv"'},
        )

    def _wanted(self, told: dict[str, Any]) -> tuple[Wanted | None, dict[str, str]]:
        settings, faults = self._network.settings, dict[str, str]()
        msisdn, shillings = told.get("msisdn"), told.get("shillings")
        account, is_till = told.get("account", ""), told.get("till", False)
        if not isinstance(msisdn, str) or not is_msisdn(msisdn):
            faults["msisdn"] = "want 2547… or 2541…, twelve digits as text"
        whole = isinstance(shillings, int) and not isinstance(shillings, bool)
        if not whole or not 1 <= int(str(shillings)) <= AMOUNT_MAX:
            faults["shillings"] = f"want 1 to {AMOUNT_MAX:,}"
        if not isinstance(is_till, bool) or (is_till and settings.till is None):
            faults["till"] = "want true or false, and true only where there is a till"
        fits = isinstance(account, str) and len(account) <= REFERENCE_CHARS_MAX
        if not fits or not (account or is_till):
            faults["account"] = f"want 1 to {REFERENCE_CHARS_MAX} characters"
        if faults:
            return None, faults
        place = settings.till if is_till and settings.till is not None else settings.shortcode
        return Wanted(str(msisdn), int(str(shillings)), str(account), place), faults


def _shown(settled: Settled) -> dict[str, object]:
    return {**asdict(settled), "at": settled.at.isoformat()}
