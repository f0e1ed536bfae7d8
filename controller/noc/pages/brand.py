"""How the operator looks to its customers: name, colour, logo, phone, languages; tried, then kept.

What is shown before it is kept is the real thing: the page of the captive portal and the page of an
invoice, made of what is typed, in frames that can do nothing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import HTMLResponse, RedirectResponse

from billing.errors import InvalidField
from billing.period import day_of
from billing.plan import Audience
from billing.tax import TaxClass
from controller.api.needs import Needed, who_asks
from controller.api.reach import must_have
from controller.documents import page as paper_page
from controller.documents.look import phone_logo
from controller.documents.paper import Look
from controller.documents.sample import sample_invoice
from controller.noc import live
from controller.noc.brand import look_again
from controller.noc.pages import held
from controller.rights import Right
from controller.store import logos, operators, plans, sites
from controller.store.billing_rows import MAIN
from controller.store.site_rows import SiteRow
from controller.storefront import offer_of
from controller.usecases import faces
from controller.usecases import operators as usecase
from controller.usecases.frozen import seller_of
from controller.usecases.operators import OperatorChange
from portal.captive import screens
from portal.captive.gate import DeviceView
from portal.captive.pages import Pages, policy_for, styled
from portal.captive.text import tongue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.deps import Deps
    from controller.store.billing_rows import OperatorRow
    from portal.captive.gate import SiteFace

BRAND = "/noc/brand"
FIELDS = ("name", "colour", "support_phone", "languages", "pay_to")
NO_LOGO = "none"
"""In place of a logo's name: it is taken away."""

OFFERS_SHOWN = 4
THEMES = {"light": "not all", "dark": "all"}
"""What the question for a dark screen is answered with, so that both can be seen on any."""

HOST = "portal"


@dataclass(frozen=True, slots=True)
class Looks:
    """The form as it is filled in, and what it would look like; ``fault``: why it cannot be.

    ``tried`` is the query of the previews; ``logo`` the name of a picture that is not kept yet.
    """

    typed: Mapping[str, str]
    tried: str
    logo: str
    has_logo: bool
    fault: str


async def look(asked: live.Asked) -> Looks:
    """The form, filled in from what is kept, and over it from the address."""
    async with asked.deps.db.read() as tx:
        row = await operators.operator(tx)
        kept = _kept(asked.deps, row)
        typed = {**kept, **{key: asked.query.get(key, "") for key in FIELDS if asked.query}}
        logo = asked.query.get("logo", "")
        fault = ""
        try:
            usecase.changed_by(row, await _change(asked.deps, {**typed, "logo": logo}))
        except InvalidField as refusal:
            fault = str(refusal)
        has_logo = row.logo is not None if not logo else logo != NO_LOGO
    tried = urlencode({**typed, "logo": logo})
    return Looks(typed, tried, logo, has_logo=has_logo, fault=fault)


def _kept(deps: Deps, row: OperatorRow) -> dict[str, str]:
    return {
        "name": faces.name_of(deps.settings.operator, row),
        "colour": row.colour,
        "support_phone": row.support_phone or "",
        "languages": ",".join(faces.languages_of(deps.settings.operator, row)),
        "pay_to": row.pay_to,
    }


async def _change(deps: Deps, sent: Mapping[str, str]) -> OperatorChange:
    """What a form asks for, unchecked but for the logo's name. Raises `InvalidField`."""
    logo = sent.get("logo", "")
    picture: bytes | None = b"" if logo == NO_LOGO else None
    if logo and logo != NO_LOGO:
        async with deps.db.read() as tx:
            picture = await logos.load(tx, logo[:64])
        if picture is None:
            raise InvalidField("logo", "choose the picture again")
    return OperatorChange(
        name=sent.get("name", ""),
        colour=sent.get("colour", ""),
        support_phone=sent.get("support_phone", ""),
        languages=sent.get("languages", ""),
        pay_to=sent.get("pay_to", ""),
        logo=picture,
    )


LOOKS = live.View(
    name="Branding", path=BRAND, right=Right.RUN_SYSTEM, look=look,
    template="brand/page.html", every_s=0, frames=True,
)  # fmt: skip

router = live.pages(LOOKS)


@router.post(BRAND, response_model=None)
async def keep(request: Request, deps: Needed) -> RedirectResponse:
    """Keep it: portals, dashboard and the papers to come look like this from now on."""
    who = await live.acts(request, Right.RUN_SYSTEM)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        await usecase.change_operator(deps, await _change(deps, sent))
        look_again(request)

    tried = {key: sent.get(key, "") for key in (*FIELDS, "logo")}
    return await held.kept_or_again(
        request,
        deed(),
        done=_("It is kept, and on its way to every site."),
        to=BRAND,
        again=f"{BRAND}?{urlencode(tried)}",
    )


@router.post(f"{BRAND}/logo", response_model=None)
async def try_logo(request: Request, deps: Needed) -> RedirectResponse:
    """Take a picture to be looked at; it is the logo when the form beside it is kept."""
    who = await live.acts(request, Right.RUN_SYSTEM)
    held.must_be_of_all(who)
    try:
        name = await usecase.draft_logo(deps, await live.file_of(request, "logo"))
    except InvalidField as refusal:
        return live.back(request, BRAND, said=str(refusal), tone="bad")
    async with deps.db.read() as tx:
        kept = _kept(deps, await operators.operator(tx))
    return live.back(request, f"{BRAND}?{urlencode({**kept, 'logo': name})}")


@router.get(f"{BRAND}/portal", response_model=None)
async def portal(request: Request, deps: Needed) -> HTMLResponse:
    """The captive portal's page as it would be."""
    row = await _tried(request, deps)
    async with deps.db.read() as tx:
        sold = [plans.as_plan(one) for one in await plans.on_sale(tx)]
        site = next(iter(await sites.all_rows(tx)), None)
    settings, asked = deps.settings.operator, request.query_params
    face = faces.face_of(settings, row, site or _a_site(deps), wallets=deps.wallets)
    offers = tuple(offer_of(one) for one in sold if one.audience is Audience.HOTSPOT)
    spoken = tongue(
        asked=asked.get("lang"), accepted="", default=face.language, offered=face.languages
    )
    screen = screens.shop(face, offers[:OFFERS_SHOWN], _NOBODY)
    page = _portal_pages.page(screen, spoken)
    html = _with_picture(page.plain.decode(), face, row)
    html = html.replace("(prefers-color-scheme:dark)", THEMES[_theme(asked.get("theme"))])
    css, js = styled(html)
    still = html.replace(f"<script>{js}</script>", "")  # the frame would refuse to run it
    return _framed(still, policy_for(css, js))


@router.get(f"{BRAND}/paper", response_model=None)
async def paper(request: Request, deps: Needed) -> HTMLResponse:
    """The page of an invoice as it would be."""
    row = await _tried(request, deps)
    now = deps.now()
    async with deps.db.read() as tx:
        branch = await operators.branch(tx, MAIN)
        rates = await operators.rates_on(tx, TaxClass.INTERNET, day_of(now))
    seller = seller_of(row, branch)
    look = Look(row.colour, row.logo)
    page = paper_page.page_of(sample_invoice(seller, rates, look=look, at=now))
    return _framed(page.html, page.policy)


_portal_pages = Pages(HOST)
_NOBODY = DeviceView(device_ref="", device_known=True, access=None, order=None)


async def _tried(request: Request, deps: Deps) -> OperatorRow:
    """The operator as the address would have it; kept nowhere. Raises `InvalidField`."""
    who = await who_asks(request)
    must_have(who, Right.RUN_SYSTEM)
    held.must_be_of_all(who)
    async with deps.db.read() as tx:
        row = await operators.operator(tx)
    return usecase.changed_by(row, await _change(deps, request.query_params))


def _a_site(deps: Deps) -> SiteRow:
    settings = deps.settings.operator
    return SiteRow(
        name="Market Street",
        operator_name=settings.name,
        help_phone=settings.help_phone,
        language=settings.language,
    )


def _with_picture(html: str, face: SiteFace, row: OperatorRow) -> str:
    """The page with its picture in it: in a frame it has no address of its own."""
    if not face.logo or row.logo is None:
        return html
    picture = base64.b64encode(phone_logo(row.logo)).decode()
    return html.replace(f"/logo/{face.logo}.png", f"data:image/png;base64,{picture}")


def _framed(html: str, policy: str) -> HTMLResponse:
    allowed = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    return HTMLResponse(html, headers={"Content-Security-Policy": allowed})


def _theme(asked: str | None) -> str:
    if (asked or "light") not in THEMES:
        raise InvalidField("theme", "want light or dark")
    return asked or "light"
