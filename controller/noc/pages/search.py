"""The one box: what was found, as a page and as the part of one that appears while typing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import HTMLResponse, Response

from controller.api.needs import deps_of, who_asks
from controller.noc import live
from controller.noc.page import style_of
from controller.noc.paint import rendered
from controller.noc.words import word
from controller.usecases.meant import TYPED_MAX
from controller.usecases.search import HitKind, search

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.rights import Who
    from controller.usecases.search import Found, Hit

SHORT_MAX = 6
"""Hits of a kind that appear while typing."""

KINDS = {
    HitKind.SUBSCRIBER: (word("Customers"), "customers"),
    HitKind.SESSION: (word("Sessions"), "sessions"),
    HitKind.PAYMENT: (word("Payments"), "payments"),
    HitKind.VOUCHER: (word("Vouchers"), "vouchers"),
    HitKind.DOCUMENT: (word("Documents"), "reports"),
    HitKind.SITE: (word("Sites"), "sites"),
}


@dataclass(frozen=True, slots=True)
class Results:
    """What was found, each hit with the place where it is."""

    typed: str
    groups: tuple[tuple[str, str, tuple[tuple[str, Hit], ...]], ...]
    found: Found


def place(hit: Hit) -> str:
    """Where a hit is looked at."""
    match hit.kind:
        case HitKind.SUBSCRIBER:
            return f"/noc/customers/{quote(hit.msisdn)}"
        case HitKind.SESSION:
            return f"/noc/sessions/{quote(hit.id)}"
        case HitKind.PAYMENT:
            return f"/noc/payments/{quote(hit.id)}"
        case HitKind.VOUCHER:
            return f"/noc/vouchers/{quote(hit.id)}"
        case HitKind.DOCUMENT:
            return f"/api/v1/documents/{quote(hit.id)}/page"
        case HitKind.SITE:
            return f"/noc/sites/{quote(hit.id)}"


async def results(deps: Deps, who: Who, typed: str, *, limit: int) -> Results:
    """Everything that the text may mean."""
    async with deps.db.read() as tx:
        found = await search(tx, deps, who, typed[:TYPED_MAX], limit=limit)
    groups = tuple(
        (title, icon, tuple((place(hit), hit) for hit in found.hits if hit.kind is kind))
        for kind, (title, icon) in KINDS.items()
    )
    return Results(found.asked.text, tuple(group for group in groups if group[2]), found)


async def look(asked: live.Asked) -> Results:
    """All hits of each kind, up to the limit."""
    return await results(asked.deps, asked.who, asked.query.get("q", ""), limit=20)


SEARCH = live.View(
    name=word("Search"),
    path="/noc/search",
    right=None,
    look=look,
    template="search/page.html",
    every_s=0,
)

router = live.pages(SEARCH)


@router.get("/noc/search/hits", response_model=None)
async def hits(request: Request, q: str = "") -> Response:
    """The first hits of each kind, as a part of a page."""
    who, deps = await who_asks(request), deps_of(request)
    board = await results(deps, who, q, limit=SHORT_MAX)
    html = rendered("search/hits.html", style_of(request), board=board, now=deps.now())
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})
