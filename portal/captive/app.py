"""The portal's routes and what each does.

Every answer is the present truth of the device at the asking address; nothing is kept between two
requests. Where things go: ``/`` what matters now · ``/packages`` choose and pay · ``/o/<order>``
how an order stands · ``/ok`` just connected · ``/status`` what is left · ``/voucher`` redeem a
code · ``/phone`` by the number that paid · ``/joined`` access on its way · ``/devices`` who uses
the package, move it here · ``/tv`` devices without a browser · ``/help`` · ``/capport`` RFC 8908.

A browser that is online keeps a badge in a cookie, so that it is known again under another network
address. Whoever has none loses nothing but that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn
from billing.payment import OrderStage
from portal.captive import capport, codes, forms, screens
from portal.captive.door import Door, client_address, refused
from portal.captive.forms import Unacceptable
from portal.captive.gate import Refusal, Welcome
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
REF_LENGTH_MAX = 12
BADGE_LENGTH_MAX = 128
BADGE = "lango"
"""The name of the one cookie."""

BADGE_KEPT_S = 365 * 86_400
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
    Refusal.TOKEN_INVALID: 422,
    Refusal.TOKEN_USED: 409,
    Refusal.CODE_WRONG: 422,
    Refusal.SUSPENDED: 409,
    Refusal.MOVED_OFTEN: 429,
    Refusal.DEVICE_GONE: 409,
    Refusal.NOT_PROVED: 403,
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
                Route("/phone", self.phone, methods=get),
                Route("/phone", self.send_code, methods=post),
                Route("/devices", self.devices, methods=get),
                Route("/move", self.move, methods=post),
                Route("/tv", self.screenless, methods=get),
                Route("/connect", self.connect, methods=post),
                Route("/release", self.release, methods=post),
                Route("/joined", self.joined, methods=get),
                Route("/help", self.help, methods=get),
                Route("/capport", self.capport, methods=get),
            ],
            exception_handlers={Unacceptable: _unacceptable, HTTPException: _http_refusal},
        )

    async def home(self, request: Request) -> Response:
        """What matters to this device now."""
        view, welcome = await self._arrived(request)
        if welcome is Welcome.IN and view.access is not None:
            return self._go(request, "/ok")
        if view.access is not None:
            return self._page(request, self._online(view, fresh=False))
        if welcome is Welcome.IN:
            return self._go(request, "/joined")
        return self._captive(request, view, full=welcome is Welcome.FULL)

    def _captive(self, request: Request, view: DeviceView, *, full: bool) -> Response:
        """What matters to a device that is not online."""
        if view.suspended:
            return self._page(request, screens.Suspended(self._gate.face(), view.device_ref))
        if view.order is not None and screens.first_look(view.order):
            return self._page(request, screens.order_screen(self._gate.face(), view.order))
        if full:
            return self._places(request, view)
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
        view, _ = await self._arrived(request)
        mine = view.order if view.order and view.order.order_id == order_id else None
        online = view.access is not None
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
        """The one field for every kind of code."""
        return self._page(request, screens.Voucher(self._gate.face()))

    async def redeem(self, request: Request) -> Response:
        """Redeem a code for this device; with a phone number, the code that was sent there."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        code = forms.text(form, "code", length_max=CODE_LENGTH_MAX)
        phone = form.get("phone", "")[:PHONE_LENGTH_MAX]
        if not phone and isinstance(codes.reading(code), codes.Fault):
            return self._page(request, screens.voucher(self._gate.face(), code), 422)
        address = client_address(request.scope)
        refusal = await self._gate.redeem(address, code=code, phone=phone)
        if refusal is None:
            return self._go(request, "/joined", status=303)
        if refusal is Refusal.DEVICES_FULL and self._gate.places(address) is not None:
            return self._go(request, "/devices", status=303)
        screen: Screen = screens.voucher(self._gate.face(), code, refusal)
        if phone:
            screen = self._sent(phone, refusal)
        return self._page(request, screen, STATUSES[refusal])

    async def phone(self, request: Request) -> Response:
        """The field for the number that paid."""
        return self._page(request, screens.PhoneNumber(self._gate.face(), self._gate.link_up()))

    async def send_code(self, request: Request) -> Response:
        """Send a short code to the number that paid; the field for it follows."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        phone = forms.text(form, "phone", length_max=PHONE_LENGTH_MAX)
        refusal = await self._gate.send_code(client_address(request.scope), phone=phone)
        if refusal is None:
            return self._page(request, self._sent(phone))
        link_up = self._gate.link_up() and refusal is not Refusal.OFFLINE
        shown = None if refusal is Refusal.OFFLINE else refusal
        screen = screens.PhoneNumber(self._gate.face(), link_up, phone, shown)
        return self._page(request, screen, STATUSES[refusal])

    async def devices(self, request: Request) -> Response:
        """Who uses the package of this device, or the one that it proved its right to."""
        return self._places(request, self._view(request))

    async def move(self, request: Request) -> Response:
        """Put another device out, and this one in."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        ref = forms.text(form, "device", length_max=REF_LENGTH_MAX)
        refusal = await self._gate.move(
            client_address(request.scope), device_ref=ref, badge=_badge(request)
        )
        if refusal is None:
            return self._go(request, "/joined", status=303)
        return self._places(request, self._view(request), problem=refusal)

    async def screenless(self, request: Request) -> Response:
        """Televisions and consoles that this device may connect."""
        return self._screenless(request)

    async def connect(self, request: Request) -> Response:
        """Connect one of them."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        ref = forms.text(form, "device", length_max=REF_LENGTH_MAX)
        refusal = await self._gate.connect(client_address(request.scope), device_ref=ref)
        if refusal is None:
            return self._go(request, "/devices", status=303)
        return self._screenless(request, problem=refusal)

    async def release(self, request: Request) -> Response:
        """Take one off again."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        ref = forms.text(form, "device", length_max=REF_LENGTH_MAX)
        refusal = await self._gate.release(client_address(request.scope), device_ref=ref)
        if refusal is None:
            return self._go(request, "/devices", status=303)
        return self._places(request, self._view(request), problem=refusal)

    async def joined(self, request: Request) -> Response:
        """Wait for the access that an accepted code brings."""
        tries = _query(request).get("tries", "0")
        if not re.fullmatch(r"[0-9]{1,2}", tries, re.ASCII):
            raise Unacceptable(400, "tries", "want a small number")
        view, _ = await self._arrived(request)
        if view.access is not None:
            return self._go(request, "/ok")
        if int(tries) >= screens.JOIN_TRIES_MAX:
            return self._go(request, "/help")
        return self._page(request, screens.Joined(self._gate.face(), int(tries)))

    async def help(self, request: Request) -> Response:
        """What to tell the help line."""
        view = self._view(request)
        screen = screens.Help(
            self._gate.face(),
            view.device_ref,
            view.order,
            online=view.access is not None,
            contested=view.contested,
        )
        return self._page(request, screen)

    async def capport(self, request: Request) -> Response:
        """RFC 8908 for those who ask for it; the portal for everybody else."""
        if not capport.wanted(",".join(request.headers.getlist("accept"))):
            return RedirectResponse("/", 302, headers={"Vary": "Accept", **_PRIVATE})
        answer = capport.state(self._view(request).access, portal_url=self._portal_url)
        headers = {"Cache-Control": "private, no-store", "Vary": "Accept"}
        return Response(answer, media_type=capport.MEDIA_TYPE, headers=headers)

    async def _arrived(self, request: Request) -> tuple[DeviceView, Welcome]:
        """The device, and whether it was let in just now: by what it had, or by its badge."""
        view, address = self._view(request), client_address(request.scope)
        if view.access is not None:
            return view, Welcome.STRANGER
        if await self._gate.sign_in(address):
            return self._view(request), Welcome.IN
        badge = _badge(request)
        if not badge:
            return view, Welcome.STRANGER
        welcome = await self._gate.come_back(address, badge=badge)
        if welcome is Welcome.IN:
            await self._gate.sign_in(address)
        return self._view(request), welcome

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

    def _sent(self, phone: str, problem: Refusal | None = None) -> Screen:
        """The field for the code that was sent to ``phone``, or for the number anew."""
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            invalid = Refusal.PHONE_INVALID
            return screens.PhoneNumber(self._gate.face(), self._gate.link_up(), phone, invalid)
        return screens.PhoneCode(self._gate.face(), msisdn, masked(msisdn), problem)

    def _places(
        self, request: Request, view: DeviceView, *, problem: Refusal | None = None
    ) -> Response:
        """Who uses the package; without one to speak of, the field for codes."""
        badge = _badge(request)
        places = self._gate.places(client_address(request.scope), badge=badge)
        if places is None:
            return self._go(request, "/status" if view.access is not None else "/voucher")
        screen = screens.Places(
            self._gate.face(),
            places,
            view.device_ref,
            online=view.access is not None,
            put_out_by=view.put_out_by,
            again=bool(badge) and view.access is None and problem is None,
            problem=problem,
        )
        return self._page(request, screen, 200 if problem is None else STATUSES[problem])

    def _screenless(self, request: Request, *, problem: Refusal | None = None) -> Response:
        """Devices nearby; a device that is not online is shown what would make it so."""
        address = client_address(request.scope)
        found, places = self._gate.screenless(address), self._gate.places(address)
        if found is Refusal.NOT_PROVED or places is None:
            return self._go(request, "/")
        if isinstance(found, Refusal):
            problem, found = found, ()
        screen = screens.Screenless(self._gate.face(), tuple(found), places.full, problem)
        return self._page(request, screen, 200 if problem is None else STATUSES[problem])

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
        address = client_address(request.scope)
        self._gate.opened(address)
        badge = self._gate.badge(address)
        if badge is not None and badge != _badge(request):
            answer.set_cookie(BADGE, badge, max_age=BADGE_KEPT_S, httponly=True, samesite="lax")
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


def _badge(request: Request) -> str:
    """The badge that the browser shows, if it is one at all."""
    shown = request.cookies.get(BADGE, "")
    return shown if len(shown) <= BADGE_LENGTH_MAX else ""


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
