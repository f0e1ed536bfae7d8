"""The routes of the page that sells tokens, and what each does.

Where things go, under the site's own path: ``/<site>`` choose and pay · ``/<site>/order`` the form
· ``/<site>/o/<key>`` how an order stands, and, once it is paid, the token · ``/<site>/logo`` the
operator's picture. Every answer is the present truth; a page may be closed and opened again at any
moment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing.plan import ID_SHAPE
from portal.account import screens
from portal.account.pages import pages_under
from portal.account.shop import Refusal, ShopClosed
from portal.captive import forms
from portal.captive.desk import KEPT_FOR_EVER
from portal.captive.door import HEADER_BYTES_MAX, refused
from portal.captive.forms import Unacceptable
from portal.captive.text import Tongue, tongue

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from portal.account.pages import Pages
    from portal.account.screens import Screen
    from portal.account.shop import Shop
    from portal.captive.gate import SiteFace

PLAN_LENGTH_MAX = 32
PHONE_LENGTH_MAX = 32
RAIL_LENGTH_MAX = 16
KEY_SHAPE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}")

STATUSES = {
    Refusal.PHONE_INVALID: 422,
    Refusal.HOLDER_INVALID: 422,
    Refusal.PLAN_UNKNOWN: 422,
    Refusal.WALLET_UNKNOWN: 422,
    Refusal.KEY_USED: 409,
    Refusal.TOO_MANY: 429,
}
"""The HTTP status under which each refusal is shown."""

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding, Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "same-origin",  # stricter, and browsers hide the Origin of our own forms
}


def create_app(shop: Shop, *, root: str, asker: Callable[[Request], str]) -> Starlette:
    """The pages over ``shop``, to be mounted at the path ``root``.

    ``asker`` says from which address somebody asks: whoever runs the server knows its proxies.
    """
    desk = _Desk(shop, pages_under(root), root, asker)
    return Starlette(
        routes=[
            Route("/{site_id}", desk.counter, methods=["GET"]),
            Route("/{site_id}/logo/{name}.png", desk.logo, methods=["GET"]),
            Route("/{site_id}/order", desk.place_order, methods=["POST"]),
            Route("/{site_id}/o/{key}", desk.order, methods=["GET"]),
        ],
        exception_handlers={
            Unacceptable: _unacceptable,
            HTTPException: _http_refusal,
            ShopClosed: _closed,
        },
    )


class _Desk:
    """The routes, over one shop."""

    def __init__(
        self, shop: Shop, pages: Pages, root: str, asker: Callable[[Request], str]
    ) -> None:
        self._shop = shop
        self._pages = pages
        self._root = root
        self._asker = asker

    async def counter(self, request: Request) -> Response:
        """What is for sale."""
        site_id, face = await self._site(request)
        return self._page(request, face, await self._counter(face, site_id))

    async def place_order(self, request: Request) -> Response:
        """Order a token; the order's own page follows."""
        forms.refuse_cross_site(request)
        site_id, face = await self._site(request)
        form = await forms.read_form(request)
        plan_id = forms.text(form, "plan", length_max=PLAN_LENGTH_MAX)
        phone = forms.text(form, "phone", length_max=PHONE_LENGTH_MAX)
        # A page that was opened before these fields existed posts none.
        told = {"holder": "", "rail": "", **form}
        holder = forms.text(told, "holder", length_max=PHONE_LENGTH_MAX)
        rail = forms.text(told, "rail", length_max=RAIL_LENGTH_MAX)
        key, again = _key(form, "key"), _key(form, "again") if form.get("again") else ""
        problem = await self._shop.order(
            site_id,
            key=key,
            plan_id=plan_id,
            phone=phone,
            holder=holder,
            again=again,
            address=self._asker(request),
            rail=rail,
        )
        if problem is None:
            link = self._tongue(request, face).link(f"{self._root}/{site_id}/o/{key}")
            return RedirectResponse(link, 303, headers={"Cache-Control": "no-store"})
        typed = screens.Typed(phone, holder, rail)
        screen = await self._counter(face, site_id, chosen=plan_id, typed=typed, problem=problem)
        return self._page(request, face, screen, STATUSES[problem])

    async def order(self, request: Request) -> Response:
        """How an order stands, for whoever has its key."""
        site_id, face = await self._site(request)
        key = request.path_params["key"]
        sale = await self._shop.sale(site_id, key) if KEY_SHAPE.fullmatch(key) else None
        if sale is None:
            raise Unacceptable(404, "order", self._tongue(request, face)("buy.missing"))
        screen = screens.sale_screen(face, site_id, sale, next_key=self._shop.new_key())
        return self._page(request, face, screen)

    async def logo(self, request: Request) -> Response:
        """The operator's picture, by a name that changes with it; a browser keeps it."""
        _, face = await self._site(request)
        if request.path_params["name"] != (face.logo or None):
            raise Unacceptable(404, "logo", "no such picture")
        return Response(await self._shop.logo(), headers=KEPT_FOR_EVER, media_type="image/png")

    async def _site(self, request: Request) -> tuple[str, SiteFace]:
        if sum(len(k) + len(v) for k, v in request.scope["headers"]) > HEADER_BYTES_MAX:
            raise Unacceptable(431, "headers", f"want at most {HEADER_BYTES_MAX} bytes in all")
        site_id = request.path_params["site_id"]
        face = await self._shop.face(site_id) if ID_SHAPE.fullmatch(site_id) else None
        if face is None:
            raise Unacceptable(404, "site", "no such place")
        return site_id, face

    async def _counter(
        self,
        face: SiteFace,
        site_id: str,
        *,
        chosen: str = "",
        typed: screens.Typed = screens.NOTHING_TYPED,
        problem: Refusal | None = None,
    ) -> Screen:
        offers = tuple(await self._shop.offers(site_id))
        sold = [offer.plan_id for offer in offers]
        marked = chosen if chosen in sold else (sold[0] if sold else "")
        key = self._shop.new_key()
        return screens.Counter(face, site_id, key, offers, marked, typed, problem)

    def _tongue(self, request: Request, face: SiteFace) -> Tongue:
        query = forms.fields(request.scope["query_string"], "query")
        accepted = request.headers.get("accept-language", "")
        return tongue(
            asked=query.get("lang"),
            accepted=accepted,
            default=face.language,
            offered=face.languages,
        )

    def _page(
        self, request: Request, face: SiteFace, screen: Screen, status: int = 200
    ) -> Response:
        page = self._pages.page(screen, self._tongue(request, face))
        headers = {**_HEADERS, "Content-Security-Policy": page.policy}
        if "gzip" in request.headers.get("accept-encoding", "").lower():
            return Response(page.zipped, status, {**headers, "Content-Encoding": "gzip"})
        return Response(page.plain, status, headers)


def _key(form: dict[str, str], name: str) -> str:
    key = forms.text(form, name, length_max=65)
    if not KEY_SHAPE.fullmatch(key):
        raise Unacceptable(400, name, "want the one that stood in the page")
    return key


async def _unacceptable(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Unacceptable)
    return refused(refusal.status, str(refusal))


async def _http_refusal(_request: Request, refusal: Exception) -> Response:
    """Unknown paths and wrong methods, as the router found them."""
    assert isinstance(refusal, HTTPException)
    field = "method" if refusal.status_code == 405 else "path"  # noqa: PLR2004 - HTTP's number
    return refused(refusal.status_code, f"{field}: {refusal.detail}")


async def _closed(_request: Request, _refusal: Exception) -> Response:
    return refused(503, "too busy just now; nothing was done, please try again")
