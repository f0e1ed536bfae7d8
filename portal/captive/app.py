"""The portal's routes and what each does.

Every answer is the present truth of the device at the asking address; nothing is kept between two
requests. Where things go: ``/`` what matters now · ``/packages`` choose and pay · ``/o/<order>``
how an order stands · ``/ok`` just connected · ``/status`` what is left · ``/voucher`` redeem a
code · ``/phone`` by the number that paid · ``/joined`` access on its way · ``/devices`` who uses
the package, move it here · ``/tv`` devices without a browser · ``/help`` · ``/logo`` the operator's
picture · ``/capport`` RFC 8908.

A browser that is online keeps a badge in a cookie, so that it is known again under another network
address. Whoever has none loses nothing but that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing.payment import OrderStage
from portal.captive import capport, codes, forms, screens
from portal.captive.desk import KEPT_FOR_EVER, PRIVATE, Desk, query, shown_badge
from portal.captive.door import Door, client_address, refused
from portal.captive.forms import Unacceptable
from portal.captive.gate import Refusal, Welcome
from portal.captive.pages import pages_at
from portal.captive.sharing import PHONE_LENGTH_MAX, Sharing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from portal.captive.gate import DeviceView, Gate
    from portal.captive.screens import Screen

PLAN_LENGTH_MAX = 32
RAIL_LENGTH_MAX = 16
CODE_LENGTH_MAX = 400
ORDER_SHAPE = re.compile(r"[0-9a-f]{32}")


def create_app(gate: Gate, *, host: str, portal_url: str | None = None) -> ASGIApp:
    """The portal over ``gate`` at ``http://<host>/``.

    ``portal_url`` is the site's https address for RFC 8908 clients, when it has one.
    """
    return Door(_Portal(Desk(gate, pages_at(host)), portal_url).routes(), gate, host=host)


class _Portal:
    """The routes, over one gate."""

    def __init__(self, desk: Desk, portal_url: str | None) -> None:
        self._desk = desk
        self._sharing = Sharing(desk)
        self._portal_url = portal_url

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
                Route("/logo/{name}.png", self.logo, methods=get),
                Route("/capport", self.capport, methods=get),
                *self._sharing.routes(),
            ],
            exception_handlers={Unacceptable: _unacceptable, HTTPException: _http_refusal},
        )

    async def home(self, request: Request) -> Response:
        """What matters to this device now."""
        view, welcome = await self._arrived(request)
        if welcome is Welcome.IN and view.access is not None:
            return self._desk.go(request, "/ok")
        if view.access is not None:
            return self._desk.page(request, self._online(view, fresh=False))
        if welcome is Welcome.IN:
            return self._desk.go(request, "/joined")
        return self._captive(request, view, full=welcome is Welcome.FULL)

    def _captive(self, request: Request, view: DeviceView, *, full: bool) -> Response:
        """What matters to a device that is not online."""
        if view.suspended:
            return self._desk.page(request, screens.Suspended(self._desk.face, view.device_ref))
        if view.order is not None and screens.first_look(view.order):
            return self._desk.page(request, screens.order_screen(self._desk.face, view.order))
        if full:
            return self._sharing.places(request, view)
        return self._desk.page(request, self._shop(view, ended=query(request).get("ended") == "1"))

    async def packages(self, request: Request) -> Response:
        """The packages, whatever else is going on."""
        return self._desk.page(request, self._shop(self._desk.view(request)))

    async def place_order(self, request: Request) -> Response:
        """Order a plan; the order's page follows."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        plan_id = forms.text(form, "plan", length_max=PLAN_LENGTH_MAX)
        phone = forms.text(form, "phone", length_max=PHONE_LENGTH_MAX)
        # Where there is nothing to choose, or nothing was chosen, a browser posts none.
        rail = forms.text({"rail": "", **form}, "rail", length_max=RAIL_LENGTH_MAX)
        adding = self._desk.view(request).access is not None
        placed = await self._desk.gate.order(
            client_address(request.scope), plan_id=plan_id, phone=phone, rail=rail
        )
        if not isinstance(placed, Refusal):
            return self._desk.go(request, f"/o/{placed}", "add=1" if adding else "", status=303)
        view = self._desk.view(request)
        if placed is Refusal.ORDER_OPEN and view.order is not None:
            screen: Screen = screens.order_screen(
                self._desk.face, view.order, adding=adding, problem=placed
            )
        else:
            screen = self._shop(view, chosen=plan_id, typed=phone, rail=rail, problem=placed)
        return self._desk.page(request, screen, placed)

    async def order(self, request: Request) -> Response:
        """How an order of this device stands. Of another device's order nothing is shown."""
        order_id = request.path_params["order_id"]
        if not ORDER_SHAPE.fullmatch(order_id):
            raise Unacceptable(404, "order", "no such order")
        adding = query(request).get("add") == "1"
        view, _ = await self._arrived(request)
        mine = view.order if view.order and view.order.order_id == order_id else None
        online = view.access is not None
        if mine is None:  # another's, or our own, which is forgotten once it has opened the gate
            return self._desk.go(request, "/ok" if online else "/")
        done = mine.stage is OrderStage.PAID or (screens.under_way(mine) and not adding)
        if online and done:
            return self._desk.go(request, "/ok")
        if not screens.first_look(mine):
            return self._desk.go(request, "/packages")
        return self._desk.page(request, screens.order_screen(self._desk.face, mine, adding=adding))

    async def connected(self, request: Request) -> Response:
        """The big tick, once."""
        view = self._desk.view(request)
        if view.access is None:
            return self._desk.go(request, "/")
        return self._desk.page(request, self._online(view, fresh=True))

    async def status(self, request: Request) -> Response:
        """What is left and what was used."""
        view = self._desk.view(request)
        if view.access is None:
            ended = query(request).get("was") == "online"
            return self._desk.go(request, "/", "ended=1" if ended else "")
        return self._desk.page(request, self._online(view, fresh=False))

    async def voucher(self, request: Request) -> Response:
        """The one field for every kind of code; a code in the address (of a slip) is typed in."""
        told = query(request).get("code", "")[:CODE_LENGTH_MAX]
        typed = "" if isinstance(codes.reading(told), codes.Fault) else told
        return self._desk.page(request, screens.Voucher(self._desk.face, typed))

    async def redeem(self, request: Request) -> Response:
        """Redeem a code for this device; with a phone number, the code that was sent there."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        code = forms.text(form, "code", length_max=CODE_LENGTH_MAX)
        phone = form.get("phone", "")[:PHONE_LENGTH_MAX]
        if not phone and isinstance(codes.reading(code), codes.Fault):
            return self._desk.page(request, screens.voucher(self._desk.face, code), status=422)
        address = client_address(request.scope)
        refusal = await self._desk.gate.redeem(address, code=code, phone=phone)
        if refusal is None:
            return self._desk.go(request, "/joined", status=303)
        if refusal is Refusal.DEVICES_FULL and self._desk.gate.places(address) is not None:
            return self._desk.go(request, "/devices", status=303)
        screen: Screen = screens.voucher(self._desk.face, code, refusal)
        if phone:
            screen = self._sharing.sent(phone, refusal)
        return self._desk.page(request, screen, refusal)

    async def joined(self, request: Request) -> Response:
        """Wait for the access that an accepted code brings."""
        tries = query(request).get("tries", "0")
        if not re.fullmatch(r"[0-9]{1,2}", tries, re.ASCII):
            raise Unacceptable(400, "tries", "want a small number")
        view, _ = await self._arrived(request)
        if view.access is not None:
            return self._desk.go(request, "/ok")
        if int(tries) >= screens.JOIN_TRIES_MAX:
            return self._desk.go(request, "/help")
        return self._desk.page(request, screens.Joined(self._desk.face, int(tries)))

    async def help(self, request: Request) -> Response:
        """What to tell the help line."""
        view = self._desk.view(request)
        screen = screens.Help(
            self._desk.face,
            view.device_ref,
            view.order,
            online=view.access is not None,
            contested=view.contested,
        )
        return self._desk.page(request, screen)

    async def logo(self, request: Request) -> Response:
        """The operator's picture, by a name that changes with it; a browser keeps it."""
        if request.path_params["name"] != (self._desk.face.logo or None):
            raise Unacceptable(404, "logo", "no such picture")
        return Response(self._desk.gate.logo(), headers=KEPT_FOR_EVER, media_type="image/png")

    async def capport(self, request: Request) -> Response:
        """RFC 8908 for those who ask for it; the portal for everybody else."""
        if not capport.wanted(",".join(request.headers.getlist("accept"))):
            return RedirectResponse("/", 302, headers={"Vary": "Accept", **PRIVATE})
        answer = capport.state(self._desk.view(request).access, portal_url=self._portal_url)
        headers = {"Cache-Control": "private, no-store", "Vary": "Accept"}
        return Response(answer, media_type=capport.MEDIA_TYPE, headers=headers)

    async def _arrived(self, request: Request) -> tuple[DeviceView, Welcome]:
        """The device, and whether it was let in just now: by what it had, or by its badge."""
        view, address = self._desk.view(request), client_address(request.scope)
        if view.access is not None:
            return view, Welcome.STRANGER
        if await self._desk.gate.sign_in(address):
            return self._desk.view(request), Welcome.IN
        badge = shown_badge(request)
        if not badge:
            return view, Welcome.STRANGER
        welcome = await self._desk.gate.come_back(address, badge=badge)
        if welcome is Welcome.IN:
            await self._desk.gate.sign_in(address)
        return self._desk.view(request), welcome

    def _online(self, view: DeviceView, *, fresh: bool) -> Screen:
        assert view.access is not None
        waiting = view.order if view.order and screens.under_way(view.order) else None
        open_order = waiting.order_id if waiting else ""
        return screens.Online(self._desk.face, view.access, fresh, open_order)

    def _shop(
        self,
        view: DeviceView,
        *,
        chosen: str = "",
        typed: str = "",
        rail: str = "",
        problem: Refusal | None = None,
        ended: bool = False,
    ) -> Screen:
        if problem is None and not view.device_known:
            problem = Refusal.DEVICE_UNKNOWN
        offers = tuple(self._desk.gate.offers())
        return screens.shop(
            self._desk.face,
            offers,
            view,
            chosen=chosen,
            typed=typed,
            rail=rail,
            problem=problem,
            ended=ended and problem is None,
        )


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
