"""What every route of the portal needs: the device that asks, its language, and the answer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from portal.captive import forms
from portal.captive.door import client_address
from portal.captive.gate import Refusal
from portal.captive.text import tongue

if TYPE_CHECKING:
    from starlette.requests import Request

    from portal.captive.gate import DeviceView, Gate, SiteFace
    from portal.captive.pages import Pages
    from portal.captive.screens import Screen
    from portal.captive.text import Tongue

BADGE = "lango"
"""The name of the one cookie."""

POLICIES_KEPT_MAX = 8
BADGE_LENGTH_MAX = 128
BADGE_KEPT_S = 365 * 86_400

STATUSES = {
    Refusal.PHONE_INVALID: 422,
    Refusal.PLAN_UNKNOWN: 422,
    Refusal.WALLET_UNKNOWN: 422,
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
    Refusal.NOT_NOW: 503,
}
"""The HTTP status under which each refusal is shown."""

KEPT_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Of what is asked for by a name that changes with what is in it."""

PRIVATE = {"Cache-Control": "no-store"}
_PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    **PRIVATE,
    "Vary": "Accept-Encoding, Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # stricter, and browsers hide the Origin of our own forms
}


class Desk:
    """One gate and its pages; nothing is kept between two requests."""

    def __init__(self, gate: Gate, pages: Pages) -> None:
        self.gate = gate
        self._pages = pages

    @property
    def face(self) -> SiteFace:
        """How the site presents itself."""
        return self.gate.face()

    def view(self, request: Request) -> DeviceView:
        """The device that asks."""
        return self.gate.device(client_address(request.scope))

    def tongue(self, request: Request) -> Tongue:
        """The language to answer in."""
        return tongue(
            asked=query(request).get("lang"),
            accepted=request.headers.get("accept-language", ""),
            default=self.face.language,
            offered=self.face.languages,
        )

    def go(self, request: Request, path: str, more: str = "", *, status: int = 302) -> Response:
        """Elsewhere in the portal, as a full navigation."""
        link = self.tongue(request).link(path, more)
        return RedirectResponse(link, status, headers=PRIVATE)

    def page(
        self, request: Request, screen: Screen, problem: Refusal | None = None, *, status: int = 200
    ) -> Response:
        """A screen; ``problem`` is what it says was refused, and so decides the status."""
        page = self._pages.page(screen, self.tongue(request))
        zipped = "gzip" in request.headers.get("accept-encoding", "").lower()
        code = status if problem is None else STATUSES[problem]
        answer = Response(page.zipped if zipped else page.plain, code)
        answer.raw_headers.extend(_page_headers(page.policy, zipped=zipped))
        self._keep_badge(request, answer)
        return answer

    def _keep_badge(self, request: Request, answer: Response) -> None:
        """Have the browser of a device that is online keep what it will be known by."""
        address = client_address(request.scope)
        self.gate.opened(address)
        badge = self.gate.badge(address)
        if badge is not None and badge != shown_badge(request):
            answer.set_cookie(BADGE, badge, max_age=BADGE_KEPT_S, httponly=True, samesite="lax")


@lru_cache(maxsize=POLICIES_KEPT_MAX)
def _page_headers(policy: str, *, zipped: bool) -> list[tuple[bytes, bytes]]:
    raw = Headers({**_PAGE, "Content-Security-Policy": policy}).raw
    return [*raw, (b"content-encoding", b"gzip")] if zipped else raw


def shown_badge(request: Request) -> str:
    """The badge that the browser shows, if it can be one; else nothing."""
    shown = request.cookies.get(BADGE, "")
    return shown if len(shown) <= BADGE_LENGTH_MAX else ""


def query(request: Request) -> dict[str, str]:
    """The fields of the request's address."""
    return forms.fields(request.scope["query_string"], "query")
