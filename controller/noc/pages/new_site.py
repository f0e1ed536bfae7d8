"""A new site, and its machine on the way to being its gateway: one command, and live progress."""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cryptography.fernet import InvalidToken
from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - the same

from billing.ids import SiteId
from controller.api.errors import REFUSALS, NotFound
from controller.api.needs import deps_of, staff_of
from controller.geography import read_place
from controller.installer.bundle import bundle
from controller.noc import joining_board, live
from controller.noc.page import ours
from controller.rights import Right
from controller.store import branches, scope, sites, tokens, vitals
from controller.usecases import joining
from controller.usecases.sites import JOIN_TOKEN_LIFE, NewSite, SiteExists, add_site

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.joining_board import Stopped, Tick
    from controller.rights import Who
    from controller.store.site_rows import SiteRow
    from controller.usecases.joining import Command, Unreachable

BRANCHES_MAX = 200
SAME_NAMES_MAX = 50
TYPED_KEPT_MAX = 150
TYPED = ("name", "id", "branch", "language", "place", "kind", "back")
"""Fields of the form that are kept when it is refused."""

MIKROTIK = "mikrotik"
"""A site whose packets a MikroTik router forwards; the agent's machine stands beside it."""

COOKIE = "lango_joining"
"""The code of a site, sealed, in the browser that made it: here only its hash is kept."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the form begins with."""

    typed: Mapping[str, str]
    branches: tuple[tuple[str, str], ...]
    back: str


@dataclass(frozen=True, slots=True)
class Joining:
    """A site whose machine is on its way. ``is_open``: there is a code that nobody has used."""

    now: datetime
    site: SiteRow
    ticks: tuple[Tick, ...]
    stopped: Stopped | None
    is_up: bool
    is_open: bool
    expires_at: datetime | None
    code_hash: str
    unreachable: tuple[Unreachable, ...]
    kind: str
    router: str
    back: str
    tones: Mapping[str, str]


async def form(asked: live.Asked) -> Form:
    """What was typed before, and the branches that there are. Raises `NotFound`."""
    _must_be_of_all(asked.who)
    async with asked.deps.db.read() as tx:
        found = await branches.page(
            tx, after_id="", limit=BRANCHES_MAX, branches=asked.who.branches
        )
    typed = {name: asked.query.get(name, "") for name in TYPED}
    return Form(typed, tuple((one.id, one.name) for one in found), _back(typed["back"]))


async def look(asked: live.Asked) -> Joining:
    """How far the machine has come. Raises `NotFound`."""
    site_id, now = asked.path["site_id"], asked.now
    await asyncio.to_thread(bundle)
    async with asked.deps.db.read() as tx:
        site = await sites.load(tx, site_id)
        if site is None or not asked.who.reaches(site.branch_id):
            raise NotFound("site", site_id)
        token = await tokens.last_join_token(tx, site_id)
        told = [] if token is None else await tokens.steps(tx, token.secret_hash)
        box = await vitals.load(tx, site_id)
    known = joining_board.Known(now, site, token, {one.step: one for one in told}, box)
    return Joining(
        now=now,
        site=site,
        ticks=joining_board.ticks(known),
        stopped=joining_board.stopped(known),
        is_up=joining_board.is_up(known),
        is_open=token is not None and token.used_at is None and token.expires_at > now,
        expires_at=None if token is None else token.expires_at,
        code_hash="" if token is None else token.secret_hash,
        unreachable=joining.unreachable(asked.deps),
        kind=_kind(asked.query.get("kind", "")),
        router=joining.ROUTER,
        back=_back(asked.query.get("back", "")),
        tones=joining_board.SAID,
    )


def own_command(request: Request, board: Joining) -> Command | None:
    """The command, for the browser that made the code; None for others, and once it is over."""
    deps, code = deps_of(request), _code_of(request)
    if not board.is_open or board.expires_at is None or not code:
        return None
    if joining.fingerprint(deps, code) != board.code_hash:
        return None
    return joining.command_for(deps, board.site, code, expires_at=board.expires_at)


NEW_SITE = live.View(
    name="New site",
    path="/noc/sites/new",
    right=Right.RUN_SITES,
    look=form,
    template="joining/new.html",
    every_s=0,
)

JOINING = live.View(
    name="Joining",
    path="/noc/sites/{site_id}/joining",
    right=Right.RUN_SITES,
    look=look,
    template="joining/page.html",
    panels=("joining/progress.html",),
    every_s=2.0,
    own=own_command,
)

router = live.pages(NEW_SITE, JOINING)


@router.post("/noc/sites/new")
async def add(request: Request) -> RedirectResponse:
    """Make a site as the form says, with a code, and go on to where its machine joins."""
    who = await live.acts(request, Right.RUN_SITES)
    _must_be_of_all(who)
    deps, sent = deps_of(request), await live.fields(request)
    try:
        site_id = await _added(deps, sent)
    except REFUSALS as refusal:
        typed = {name: sent.get(name, "")[:TYPED_KEPT_MAX] for name in TYPED}
        return live.back(
            request, f"/noc/sites/new?{urlencode(typed)}", said=str(refusal), tone="bad"
        )
    return await _with_code(request, site_id, sent)


@router.post("/noc/sites/{site_id}/joining")
async def new_code(request: Request, site_id: str) -> RedirectResponse:
    """Make a new code for a site; the one before ends."""
    who = await live.acts(request, Right.RUN_SITES)
    async with deps_of(request).db.read() as tx:
        if not await scope.belongs(tx, "site", site_id, who.branches):
            raise NotFound("site", site_id)
    return await _with_code(request, SiteId(site_id), await live.fields(request))


def _must_be_of_all(who: Who) -> None:
    """A new site is an affair of the whole business, as by the API."""
    if who.branches is not None:
        raise NotFound("site", "of all branches")


async def _with_code(
    request: Request, site_id: SiteId, sent: Mapping[str, str]
) -> RedirectResponse:
    deps = deps_of(request)
    code = await joining.new_code(deps, site_id)
    path = f"/noc/sites/{site_id}/joining"
    kept = {"kind": _kind(sent.get("kind", "")), "back": _back(sent.get("back", ""))}
    asked = urlencode({name: value for name, value in kept.items() if value})
    query = f"?{asked}" if asked else ""
    response = live.back(request, f"{path}{query}")
    sealed = deps.vault.seal(json.dumps({"site": site_id, "code": code}).encode())
    response.set_cookie(
        COOKIE, sealed.decode(), max_age=JOIN_TOKEN_LIFE // timedelta(seconds=1), path=path,
        httponly=True, samesite="strict", secure=staff_of(request).came_by_https(request),
    )  # fmt: skip
    return response


async def _added(deps: Deps, sent: Mapping[str, str]) -> SiteId:
    """The id of the new site: the one that was typed, else the first free one of its name."""
    place, pasted = None, sent.get("place", "")
    if pasted:
        place = read_place(pasted)
    operator = deps.settings.operator
    typed = sent.get("id", "").lower()
    for site_id in [typed] if typed else _ids(sent.get("name", "")):
        site = NewSite(
            id=SiteId(site_id),
            name=sent.get("name", ""),
            operator_name=operator.name,
            help_phone=operator.help_phone,
            language=sent.get("language") or operator.language,
            branch_id=sent.get("branch") or "main",
            place=place,
        )
        try:
            await add_site(deps, site)
        except SiteExists:
            if typed:
                raise
            continue
        return site.id
    raise SiteExists("there are many sites of this name: say an id")


def _ids(name: str) -> list[str]:
    """Ids for a site of this name, in the order in which they are tried."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:28].strip("-") or "site"
    return [stem, *(f"{stem}-{n}" for n in range(2, SAME_NAMES_MAX))]


def _kind(told: str) -> str:
    """What forwards at the site, where that is no Linux gateway; else ""."""
    return MIKROTIK if told == MIKROTIK else ""


def _back(to: str) -> str:
    """Where somebody came from, if that is a page of ours; "" for nowhere."""
    return to if to and ours(to) == to else ""


def _code_of(request: Request) -> str:
    """The code that this browser made for the site of this page; "" when it made none."""
    try:
        told = json.loads(deps_of(request).vault.unseal(request.cookies.get(COOKIE, "").encode()))
        is_here = told["site"] == request.path_params.get("site_id")
        return str(told["code"]) if is_here else ""
    except (InvalidToken, ValueError, KeyError, TypeError):
        return ""
