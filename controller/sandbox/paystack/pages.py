"""Where a payer types a card, and where a bank asks its holder. Works without JavaScript."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from controller.sandbox.panel import form_of
from controller.sandbox.paystack.cards import CARDS, BadCard, read_card
from controller.sandbox.posting import is_loopback

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.panel import PlainPages
    from controller.sandbox.paystack.bank import Bank, Payment

PAYMENTS_SHOWN_MAX = 10


class Pages:
    """The HTML over one `Bank`."""

    def __init__(self, bank: Bank, pages: PlainPages) -> None:
        self._bank = bank
        self._pages = pages

    def routes(self) -> list[Route]:
        """Where the pages are."""
        return [
            Route("/", self.waiting),
            Route("/pay/{access_code}", self.pay, methods=["GET", "POST"]),
            Route("/confirm/{access_code}", self.confirm, methods=["GET", "POST"]),
        ]

    async def waiting(self, _request: Request) -> Response:
        """Where a person without a link finds the payments, newest first."""
        newest = reversed(self._bank.payments.values())
        return self._pages.page(
            "waiting.html",
            payments=list(islice(newest, PAYMENTS_SHOWN_MAX)),
            cards=list(CARDS.values()),
            price=_price,
        )

    async def pay(self, request: Request) -> Response:
        """The card page. A declined card may be followed by another."""
        payment = self._bank.by_access_code(request.path_params["access_code"])
        if payment is None:
            return PlainTextResponse("There is no such page.", 404)
        if payment.waits_for_holder:
            return RedirectResponse(f"/confirm/{payment.access_code}", 303)
        if payment.status == "success":
            return self._after(payment)
        if request.method == "GET":
            return self._page("pay.html", payment, wrong="", cards=list(CARDS.values()))
        form = await form_of(request)
        try:
            typed = read_card(form.get("number", ""), form.get("expiry", ""), form.get("cvv", ""))
        except BadCard as bad:
            return self._page(
                "pay.html", payment, status=422, wrong=str(bad), cards=list(CARDS.values())
            )
        self._bank.type_card(payment, typed)
        return RedirectResponse(f"/pay/{payment.access_code}?tried=1", 303)

    async def confirm(self, request: Request) -> Response:
        """The bank's question."""
        payment = self._bank.by_access_code(request.path_params["access_code"])
        if payment is None:
            return PlainTextResponse("There is no such page.", 404)
        if not payment.waits_for_holder:
            return self._after(payment)
        if request.method == "GET":
            return self._page("confirm.html", payment)
        form = await form_of(request)
        self._bank.confirm(payment, agreed=form.get("answer") == "yes")
        return RedirectResponse(f"/confirm/{payment.access_code}", 303)

    def _after(self, payment: Payment) -> Response:
        """Back to the merchant, with the reference, as Paystack does; else a page that says so."""
        url = payment.asked.return_url
        if url and is_loopback(url):
            parts = urlsplit(url)
            reference = payment.asked.reference
            query = [*parse_qsl(parts.query), ("trxref", reference), ("reference", reference)]
            return RedirectResponse(parts._replace(query=urlencode(query)).geturl(), 303)
        return self._page("done.html", payment)

    def _page(
        self, template: str, payment: Payment, *, status: int = 200, **values: object
    ) -> Response:
        return self._pages.page(
            template,
            status=status,
            payment=payment,
            business=self._bank.settings.business,
            price=_price(payment),
            **values,
        )


def _price(payment: Payment) -> str:
    shillings, cents = divmod(payment.asked.amount, 100)
    return f"{payment.asked.currency} {shillings:,}.{cents:02d}"
