"""Routes by which a device gets back to what was paid, and shares it with others.

``/phone`` by the number that paid · ``/devices`` who uses the package · ``/move`` put one of
them out and this one in · ``/tv`` devices without a browser · ``/connect``, ``/release`` one of
those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn
from portal.captive import forms, screens
from portal.captive.desk import shown_badge
from portal.captive.door import client_address
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from portal.captive.desk import Desk
    from portal.captive.gate import DeviceView
    from portal.captive.screens import Screen

PHONE_LENGTH_MAX = 32
REF_LENGTH_MAX = 12


class Sharing:
    """The routes, over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where things go."""
        get, post = ["GET"], ["POST"]
        return [
            Route("/phone", self.phone, methods=get),
            Route("/phone", self.send_code, methods=post),
            Route("/devices", self.devices, methods=get),
            Route("/move", self.move, methods=post),
            Route("/tv", self.screenless, methods=get),
            Route("/connect", self.connect, methods=post),
            Route("/release", self.release, methods=post),
        ]

    async def phone(self, request: Request) -> Response:
        """The field for the number that paid."""
        return self._desk.page(
            request, screens.PhoneNumber(self._desk.face, self._desk.gate.link_up())
        )

    async def send_code(self, request: Request) -> Response:
        """Send a short code to the number that paid; the field for it follows."""
        forms.refuse_cross_site(request)
        form = await forms.read_form(request)
        phone = forms.text(form, "phone", length_max=PHONE_LENGTH_MAX)
        refusal = await self._desk.gate.send_code(client_address(request.scope), phone=phone)
        if refusal is None:
            return self._desk.page(request, self.sent(phone))
        link_up = self._desk.gate.link_up() and refusal is not Refusal.OFFLINE
        shown = None if refusal is Refusal.OFFLINE else refusal
        screen = screens.PhoneNumber(self._desk.face, link_up, phone, shown)
        return self._desk.page(request, screen, refusal)

    async def devices(self, request: Request) -> Response:
        """Who uses the package of this device, or the one that it proved its right to."""
        return self.places(request, self._desk.view(request))

    async def move(self, request: Request) -> Response:
        """Put another device out, and this one in."""
        ref = await _meant(request)
        refusal = await self._desk.gate.move(
            client_address(request.scope), device_ref=ref, badge=shown_badge(request)
        )
        if refusal is None:
            return self._desk.go(request, "/joined", status=303)
        return self.places(request, self._desk.view(request), problem=refusal)

    async def screenless(self, request: Request) -> Response:
        """Televisions and consoles that this device may connect."""
        return self._screenless(request)

    async def connect(self, request: Request) -> Response:
        """Connect one of them."""
        ref = await _meant(request)
        refusal = await self._desk.gate.connect(client_address(request.scope), device_ref=ref)
        if refusal is None:
            return self._desk.go(request, "/devices", status=303)
        return self._screenless(request, problem=refusal)

    async def release(self, request: Request) -> Response:
        """Take one off again."""
        ref = await _meant(request)
        refusal = await self._desk.gate.release(client_address(request.scope), device_ref=ref)
        if refusal is None:
            return self._desk.go(request, "/devices", status=303)
        return self.places(request, self._desk.view(request), problem=refusal)

    def sent(self, phone: str, problem: Refusal | None = None) -> Screen:
        """The field for the code that was sent to ``phone``, or for the number anew."""
        try:
            msisdn = parse_msisdn(phone)
        except InvalidField:
            invalid = Refusal.PHONE_INVALID
            return screens.PhoneNumber(self._desk.face, self._desk.gate.link_up(), phone, invalid)
        return screens.PhoneCode(self._desk.face, msisdn, masked(msisdn), problem)

    def places(
        self, request: Request, view: DeviceView, *, problem: Refusal | None = None
    ) -> Response:
        """Who uses the package; without one to speak of, the field for codes."""
        badge = shown_badge(request)
        places = self._desk.gate.places(client_address(request.scope), badge=badge)
        if places is None:
            return self._desk.go(request, "/status" if view.access is not None else "/voucher")
        screen = screens.Places(
            self._desk.face,
            places,
            view.device_ref,
            online=view.access is not None,
            put_out_by=view.put_out_by,
            again=bool(badge) and view.access is None and problem is None,
            problem=problem,
        )
        return self._desk.page(request, screen, problem)

    def _screenless(self, request: Request, *, problem: Refusal | None = None) -> Response:
        """Devices nearby; a device that is not online is shown what would make it so."""
        address = client_address(request.scope)
        found, places = self._desk.gate.screenless(address), self._desk.gate.places(address)
        if found is Refusal.NOT_PROVED or places is None:
            return self._desk.go(request, "/")
        if isinstance(found, Refusal):
            problem, found = found, ()
        screen = screens.Screenless(self._desk.face, tuple(found), places.full, problem)
        return self._desk.page(request, screen, problem)


async def _meant(request: Request) -> str:
    """The short code of the device that a form means."""
    forms.refuse_cross_site(request)
    form = await forms.read_form(request)
    return forms.text(form, "device", length_max=REF_LENGTH_MAX)
