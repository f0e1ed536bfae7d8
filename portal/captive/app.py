"""The portal's routes and what each does.

Every answer is the present truth of the device at the asking address; nothing is kept between two
requests. Where things go: ``/`` what matters now · ``/packages`` choose and pay · ``/o/<order>``
how an order stands · ``/ok`` just connected · ``/status`` what is left · ``/voucher`` redeem ·
``/joined`` a voucher on its way · ``/help`` · ``/capport`` RFC 8908.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing.payment import OrderStage
from portal.captive import capport, forms, screens
from portal.captive.door import Door, client_address, refused
from portal.captive.forms import Unacceptable
from portal.captive.gate import Refusal
from portal.captive.pages import Pages
from portal.captive.text import Tongue, tongue

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from portal.captive.gate import DeviceView, Gate
    from portal.captive.screens import Screen

PLAN_LENGTH_MAX = 32
PHONE_LENGTH_MAX = 32
CODE_LENGTH_MAX = 400
ORDER_SHAPE = re.compile(r"[0-9a-f]{32}")

STATUSES = {
    Refusal.PHONE_INVALID: 422,
    Refusal.PLAN_UNKNOWN: 422,
    Refusal.VOUCHER_INVALID: 422,
    Refusal.VOUCHER_USED: 409,
    Refusal.TOO_MANY_TRIES: 429,
    Refusal.ORDER_OPEN: 409,
    Refusal.DEVICE_UNKNOWN: 409,
    Refusal.OFFLINE: 503,
    Refusal.DEVICES_FULL: 409,
    Refusal.NOT_NOW: 503,
}
"""The HTTP status under which each refusal is shown."""


def create_app(gate: Gate, *, host: str, portal_url: str | None = None) -> ASGIApp:
    """The portal over ``gate`` at ``http://<host>/``.

    ``portal_url`` is the site's https address for RFC 8908 clients, when it has one.
    """
    return Door(_Portal(gate, Pages(host), portal_url).routes(), gate, host=host)


class _Portal:
    """The routes, over one gate."""

    def __init__(self, gate: Gate, pages: Pages, portal_url: str | None) -> None:
        self._gate = gate
        self._pages = pages
        self._portal_url = portal_url
        policy = {"Content-Security-Policy": pages.policy}
        self._page_headers = Headers({**_PAGE, **policy}).raw
        self._zipped_headers = [*self._page_headers, (b"content-encoding", b"gzip")]

    def routes(self) -> Starlette:
        get, post = ["GET"], ["POST"]
        return Starlette(
            routes=[
                Route("/", self.home, methods=get),
                Route("/packages", self.packages, methods=get),
                Route("/order", self.place_order, methods=post),
                Route("/o/{order_id}", self.order, methods=get),
                Route("/ok", self.connected, methods=get),
                Route("/status", self.status, methods=get),
                Route("/voucher", self.voucher, methods=get),
                Route("/redeem", self.redeem, methods=post),
                Route("/joined", self.joined, methods=get),
                Route("/help", self.help, methods=get),
                Route("/capport", self.capport, methods=get),
            ],
            exception_handlers={Unacceptable: _unacceptable, HTTPException: _http_refusal},
        )

    async def home(self, request: Request) -> Response:
        """What matters to this device now."""
        view, opened = await self._arrived(request)
        if opened:
            return self._go(request, "/ok")
        if view.access is not None:
            return self._page(request, self._online(view, fresh=False))
        if view.order is not None and screens.first_look(view.order):
            return self._page(request, screens.order_screen(self._gate.face(), view.order))
        return self._page(request, self._shop(view, ended=_query(request).get("ended") == "1"))

    async def packages(self, request: Request) -> Response:
        """The packages, whatever else is going on."""
        return self._page(request, self._shop(self._view(request)))

    async def place_order(self, request: Request) -> Response:
        """Order a plan; the order's page follows."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        plan_id = forms.text(form, "plan", length_max=PLAN_LENGTH_MAX)
        phone = forms.text(form, "phone", length_max=PHONE_LENGTH_MAX)
        adding = self._view(request).access is not None
        placed = await self._gate.order(client_address(request.scope), plan_id=plan_id, phone=phone)
        if not isinstance(placed, Refusal):
            return self._go(request, f"/o/{placed}", "add=1" if adding else "", status=303)
        view = self._view(request)
        if placed is Refusal.ORDER_OPEN and view.order is not None:
            screen: Screen = screens.order_screen(
                self._gate.face(), view.order, adding=adding, problem=placed
            )
        else:
            screen = self._shop(view, chosen=plan_id, typed=phone, problem=placed)
        return self._page(request, screen, STATUSES[placed])

    async def order(self, request: Request) -> Response:
        """How an order of this device stands. Of another device's order nothing is shown."""
        order_id = request.path_params["order_id"]
        if not ORDER_SHAPE.fullmatch(order_id):
            raise Unacceptable(404, "order", "no such order")
        adding = _query(request).get("add") == "1"
        view, opened = await self._arrived(request)
        mine = view.order if view.order and view.order.order_id == order_id else None
        online = opened or view.access is not None
        if mine is None:  # another's, or our own, which is forgotten once it has opened the gate
            return self._go(request, "/ok" if online else "/")
        done = mine.stage is OrderStage.PAID or (screens.under_way(mine) and not adding)
        if online and done:
            return self._go(request, "/ok")
        if not screens.first_look(mine):
            return self._go(request, "/packages")
        return self._page(request, screens.order_screen(self._gate.face(), mine, adding=adding))

    async def connected(self, request: Request) -> Response:
        """The big tick, once."""
        view = self._view(request)
        if view.access is None:
            return self._go(request, "/")
        return self._page(request, self._online(view, fresh=True))

    async def status(self, request: Request) -> Response:
        """What is left and what was used."""
        view = self._view(request)
        if view.access is None:
            ended = _query(request).get("was") == "online"
            return self._go(request, "/", "ended=1" if ended else "")
        return self._page(request, self._online(view, fresh=False))

    async def voucher(self, request: Request) -> Response:
        """The field for a voucher code."""
        return self._page(request, screens.Voucher(self._gate.face()))

    async def redeem(self, request: Request) -> Response:
        """Redeem a voucher for this device."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        code = forms.text(form, "code", length_max=CODE_LENGTH_MAX)
        refusal = await self._gate.redeem(client_address(request.scope), code=code)
        if refusal is None:
            return self._go(request, "/joined", status=303)
        screen = screens.Voucher(self._gate.face(), typed=code, problem=refusal)
        return self._page(request, screen, STATUSES[refusal])

    async def joined(self, request: Request) -> Response:
        """Wait for the access that an accepted voucher brings."""
        tries = _query(request).get("tries", "0")
        if not re.fullmatch(r"[0-9]{1,2}", tries, re.ASCII):
            raise Unacceptable(400, "tries", "want a small number")
        view, opened = await self._arrived(request)
        if opened or view.access is not None:
            return self._go(request, "/ok")
        if int(tries) >= screens.JOIN_TRIES_MAX:
            return self._go(request, "/help")
        return self._page(request, screens.Joined(self._gate.face(), int(tries)))

    async def help(self, request: Request) -> Response:
        """What to tell the help line."""
        view = self._view(request)
        screen = screens.Help(
            self._gate.face(), view.device_ref, view.order, online=view.access is not None
        )
        return self._page(request, screen)

    async def capport(self, request: Request) -> Response:
        """RFC 8908 for those who ask for it; the portal for everybody else."""
        if not capport.wanted(",".join(request.headers.getlist("accept"))):
            return RedirectResponse("/", 302, headers={"Vary": "Accept", **_PRIVATE})
        answer = capport.state(self._view(request).access, portal_url=self._portal_url)
        headers = {"Cache-Control": "private, no-store", "Vary": "Accept"}
        return Response(answer, media_type=capport.MEDIA_TYPE, headers=headers)

    async def _arrived(self, request: Request) -> tuple[DeviceView, bool]:
        """The device, and whether its gate was opened just now for a grant that it had."""
        view = self._view(request)
        if view.access is None and await self._gate.sign_in(client_address(request.scope)):
            return self._view(request), True
        return view, False

    def _view(self, request: Request) -> DeviceView:
        return self._gate.device(client_address(request.scope))

    def _online(self, view: DeviceView, *, fresh: bool) -> Screen:
        assert view.access is not None
        waiting = view.order if view.order and screens.under_way(view.order) else None
        open_order = waiting.order_id if waiting else ""
        return screens.Online(self._gate.face(), view.access, fresh, open_order)

    def _shop(
        self,
        view: DeviceView,
        *,
        chosen: str = "",
        typed: str = "",
        problem: Refusal | None = None,
        ended: bool = False,
    ) -> Screen:
        if problem is None and not view.device_known:
            problem = Refusal.DEVICE_UNKNOWN
        offers = tuple(self._gate.offers())
        return screens.shop(
            self._gate.face(),
            offers,
            view,
            chosen=chosen,
            typed=typed,
            problem=problem,
            ended=ended and problem is None,
        )

    def _tongue(self, request: Request) -> Tongue:
        return tongue(
            asked=_query(request).get("lang"),
            accepted=request.headers.get("accept-language", ""),
            default=self._gate.face().language,
        )

    def _go(self, request: Request, path: str, query: str = "", *, status: int = 302) -> Response:
        """Elsewhere in the portal, as a full navigation."""
        link = self._tongue(request).link(path, query)
        return RedirectResponse(link, status, headers=_PRIVATE)

    def _page(self, request: Request, screen: Screen, status: int = 200) -> Response:
        page = self._pages.page(screen, self._tongue(request))
        zipped = "gzip" in request.headers.get("accept-encoding", "").lower()
        answer = Response(page.zipped if zipped else page.plain, status)
        answer.raw_headers.extend(self._zipped_headers if zipped else self._page_headers)
        return answer


_PRIVATE = {"Cache-Control": "no-store"}
_PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    **_PRIVATE,
    "Vary": "Accept-Encoding, Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # stricter, and browsers hide the Origin of our own forms
}


def _query(request: Request) -> dict[str, str]:
    return forms.fields(request.scope["query_string"], "query")


async def _unacceptable(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Unacceptable)
    return refused(refusal.status, str(refusal))


async def _http_refusal(_request: Request, refusal: Exception) -> Response:
    """Unknown paths and wrong methods, as the router found them."""
    assert isinstance(refusal, HTTPException)
    field = "method" if refusal.status_code == 405 else "path"  # noqa: PLR2004 - HTTP's number
    answer = refused(refusal.status_code, f"{field}: {refusal.detail}")
    answer.headers.update(refusal.headers or {})
    return answer
