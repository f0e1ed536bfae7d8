"""By what a customer dials in (PPPoE): its name and where it is known, and a new password.

A password is shown once, to who made it: here it is sealed, so no page could show it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import HTMLResponse, Response

from billing.subscription import State
from controller.api.errors import REFUSALS, NotFound
from controller.api.needs import deps_of
from controller.noc import live as page
from controller.noc.accounts import subscription_rows
from controller.noc.board import Mood
from controller.noc.brand import brand_of
from controller.noc.page import preferences_of, style_of
from controller.noc.pages import theirs
from controller.noc.paint import rendered
from controller.noc.words import word
from controller.rights import Right
from controller.store import logins
from controller.usecases.login_items import item_key
from controller.usecases.logins import set_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.rights import Who
    from controller.store.billing_rows import SubscriptionRow
    from controller.store.database import Tx
    from controller.store.logins import Place

KNOWN = Mood(word("known there"), "good")
ON_ITS_WAY = Mood(word("on its way there"), "busy")
STILL_KNOWN = Mood(word("still known there"), "busy")


@dataclass(frozen=True, slots=True)
class Dialling:
    """By what a subscription dials in. ``name`` is "" and ``set_at`` None when it has no login."""

    subscription_id: str
    plan_id: str
    name: str
    set_at: datetime | None
    places: tuple[tuple[str, Mood], ...]


async def dialling(tx: Tx, contracts: Sequence[SubscriptionRow]) -> tuple[Dialling, ...]:
    """By what each of these subscriptions dials in, of those that have not ended."""
    running = [row for row in contracts if row.state != State.ENDED]
    known = await logins.of_subscriptions(tx, [row.id for row in running])
    found = []
    for row in running:
        login = known.get(row.id)
        if login is None:
            found.append(Dialling(row.id, row.plan_id, "", None, ()))
            continue
        places = await logins.places(tx, item_key(login.name))
        moods = tuple((one.site, _mood(one)) for one in places)
        found.append(Dialling(row.id, row.plan_id, login.name, login.set_at, moods))
    return tuple(found)


def _mood(place: Place) -> Mood:
    if not place.is_wanted:
        return STILL_KNOWN
    return KNOWN if place.is_applied else ON_ITS_WAY


router = page.pages()


@router.post("/noc/customers/{subscriber}/credentials", response_model=None)
async def new_password(request: Request, subscriber: str) -> Response:
    """Give a subscription a login, or the one it has a new password; shown this once."""
    who = await page.acts(request, Right.EDIT_CUSTOMERS)
    deps, sent = deps_of(request), await page.fields(request)
    line, name = sent.get("subscription_id", ""), sent.get("name", "")
    one = await _one(deps, who, subscriber, line)
    to = f"/noc/customers/{quote(subscriber)}"
    if one.name and sent.get("sure") != one.plan_id:
        said = page.words_of(request)("Type {word} to go on", word=one.plan_id)
        return page.back(request, f"{to}/edit", said=said, tone="bad")
    try:
        made = await set_credentials(deps, line, name=one.name or name or None)
    except REFUSALS as refusal:
        return page.back(request, f"{to}/edit", said=str(refusal), tone="bad")
    html = rendered(
        "customers/credentials.html",
        style_of(request),
        wanted=preferences_of(request),
        brand=brand_of(request),
        made=made,
        to=to,
    )
    return HTMLResponse(html, HTTPStatus.CREATED)


async def _one(deps: Deps, who: Who, subscriber: str, line: str) -> Dialling:
    """By what a customer's subscription dials in. Raises `NotFound`."""
    async with deps.db.read() as tx:
        row = await theirs.subscriber(tx, who, subscriber)
        contracts = await subscription_rows(tx, row.id)
        for one in await dialling(tx, [found for found in contracts if found.id == line]):
            return one
    raise NotFound("subscription", line[: theirs.SHOWN])
