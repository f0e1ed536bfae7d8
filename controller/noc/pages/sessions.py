"""Who is online: the list of live sessions, one of them, and what staff do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.ids import GrantId, PlanId, SiteId
from controller.api.errors import REFUSALS
from controller.api.needs import deps_of
from controller.noc import live as page
from controller.noc import views
from controller.noc.columns import columns
from controller.noc.pages import theirs
from controller.noc.people_board import SessionLine, session_line
from controller.noc.words import word
from controller.rights import Right
from controller.store import live, people
from controller.usecases import blocking, meant
from controller.usecases import live_sessions as deeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.columns import Columns
    from controller.noc.live import Asked
    from controller.rights import Who
    from controller.store.database import Tx

UNDO_S = 5
"""So long a disconnection can be taken back with one click."""

OPTIONS_MAX = 200
DIGITS_MAX = 18

COLUMNS = {
    "plan": word("Plan"),
    "down": word("Down"),
    "up": word("Up"),
    "used": word("Used"),
    "time_left": word("Time left"),
    "data_left": word("Data left"),
    "since": word("Since"),
}
SORTS = {
    live.Sort.NEWEST: word("Newest first"),
    live.Sort.MOST: word("Most used first"),
    live.Sort.FASTEST: word("Fastest now first"),
}


@dataclass(frozen=True, slots=True)
class Undo:
    """A disconnection that can still be taken back."""

    grant_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """A page of live sessions, what narrows it, and the address of the next page."""

    count: int
    lines: tuple[SessionLine, ...]
    typed: Mapping[str, str]
    sort: live.Sort
    sites: tuple[tuple[str, str], ...]
    plans: tuple[tuple[str, str], ...]
    next: str
    here: str
    undo: Undo | None
    columns: Columns
    now: datetime


async def look(asked: Asked) -> Sessions:
    """A page of live sessions."""
    query = asked.query
    wanted = wanted_of(query)
    sort = _sort(query.get("sort", ""))
    who = asked.who
    async with asked.deps.db.read() as tx:
        found = await live.lives(
            tx,
            wanted,
            sort=sort,
            branches=who.branches,
            after=_after(sort, query.get("cursor", "")),
            limit=theirs.PAGE_LINES,
        )
        count = await live.count(tx, wanted, who.branches)
        sites = await live.sites(tx, who.branches, limit=OPTIONS_MAX)
        plans = await _plans(tx)
    lines = tuple(session_line(one) for one in found)
    kept = {name: value for name, value in query.items() if name not in {"cursor", "undo"}}
    more = ""
    if len(found) == theirs.PAGE_LINES:
        more = "?" + urlencode({**kept, "cursor": _cursor(sort, found[-1])})
    return Sessions(
        count=count,
        lines=lines,
        typed={name: query.get(name, "") for name in ("site", "plan", "phone", "mac")},
        sort=sort,
        sites=sites,
        plans=plans,
        next=more,
        here="/noc/sessions" + (f"?{urlencode(kept)}" if kept else ""),
        columns=columns(query, COLUMNS),
        undo=_undo(query.get("undo", ""), asked.now),
        now=asked.now,
    )


def wanted_of(query: Mapping[str, str]) -> live.Filter:
    """Which sessions the address asks for. Raises `InvalidField`."""
    return live.Filter(
        site_id=query.get("site", ""),
        plan_id=query.get("plan", ""),
        phone=_phone(query.get("phone", "")),
        mac=_mac(query.get("mac", "")),
    )


async def _plans(tx: Tx) -> tuple[tuple[str, str], ...]:
    rows = await views.plan_rows(tx, withdrawn=False, limit=OPTIONS_MAX)
    return tuple((row.id, row.name) for row in rows)


def _phone(typed: str) -> str:
    phone = meant.meant(typed).phone
    if typed and not phone:
        raise InvalidField("phone", "want the beginning of a phone, like 0712")
    return phone


def _mac(typed: str) -> str:
    asked = meant.meant(typed)
    if typed and not (asked.mac or asked.mac_part):
        raise InvalidField("mac", "want two bytes of a MAC address or more")
    return asked.mac or asked.mac_part


def _sort(name: str) -> live.Sort:
    try:
        return live.Sort(name or live.Sort.NEWEST)
    except ValueError as unknown:
        raise InvalidField("sort", f"want one of {', '.join(live.Sort)}") from unknown


def _cursor(sort: live.Sort, last: live.Live) -> str:
    if sort is live.Sort.NEWEST:
        return theirs.cursor_of(last.row.opened_at, last.row.id)
    return f"{int(last.mark)}.{last.row.id}"


def _after(sort: live.Sort, cursor: str) -> tuple[Any, str] | None:
    if not cursor or sort is live.Sort.NEWEST:
        return theirs.mark_of(cursor)
    mark, _, key = cursor.partition(".")
    if not (mark.isascii() and mark.isdigit() and len(mark) <= DIGITS_MAX):
        raise InvalidField("cursor", "want the address of an earlier page")
    return int(mark), key


def _undo(told: str, now: datetime) -> Undo | None:
    grant_id, mac, at = (*told.split("."), "", "", "")[:3]
    if not (at.isascii() and at.isdigit() and len(at) <= DIGITS_MAX):
        return None
    fresh = int(now.timestamp()) - int(at) <= UNDO_S
    return Undo(grant_id, mac) if fresh else None


@dataclass(frozen=True, slots=True)
class Block:
    """That a device is blocked, here or (``site_id`` is "") everywhere; by whom, and why."""

    site_id: str
    staff_name: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class One:
    """One session, and what can be done to it."""

    line: SessionLine
    plans: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    now: datetime


async def look_at_one(asked: Asked) -> One:
    """One session. Raises `NotFound`."""
    async with asked.deps.db.read() as tx:
        found = await theirs.session(tx, asked.who, asked.path["session_id"])
        blocks = [
            Block(row.site_id, row.staff_name, row.reason, row.at)
            for row in await people.blocks_of(tx, found.row.mac)
            if not row.site_id or row.site_id == found.row.site_id
        ]
        return One(session_line(found), await _plans(tx), tuple(blocks), asked.now)


SESSIONS = page.View(
    name="Sessions",
    path="/noc/sessions",
    right=Right.SEE_SESSIONS,
    look=look,
    template="sessions/page.html",
    panels=("sessions/live.html",),
    every_s=5,
    is_kept=True,
)
SESSION = page.View(
    name=word("Session"),
    path="/noc/sessions/{session_id}",
    right=Right.SEE_SESSIONS,
    look=look_at_one,
    template="sessions/one.html",
    every_s=0,
)

router = page.pages(SESSIONS, SESSION)


@router.post("/noc/sessions/undo", response_model=None)
async def undo(request: Request) -> Response:
    """Let a device back in that was just disconnected."""
    who = await page.acts(request, Right.RUN_SESSIONS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "grant", sent.get("grant_id", ""))
    gone = deeds.Disconnected(GrantId(sent.get("grant_id", "")), sent.get("mac", ""))
    return await page.tried(
        request,
        sent.get("back") or "/noc/sessions",
        deeds.reconnect(deps, gone),
        said=page.words_of(request)("{mac} is let in again", mac=gone.mac),
    )


@router.post("/noc/sessions/{session_id}/disconnect", response_model=None)
async def disconnect(request: Request, session_id: str) -> Response:
    """Take a device off its grant, at once; the page then offers to undo it."""
    who = await page.acts(request, Right.RUN_SESSIONS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "session", session_id)
    to = sent.get("back") or "/noc/sessions"
    try:
        gone = await deeds.disconnect(deps, session_id)
    except REFUSALS as refusal:
        return page.back(request, to, said=str(refusal), tone="bad")
    at = int(deps.now().timestamp())
    mark = quote(f"{gone.grant_id}.{gone.mac}.{at}", safe=".")
    return page.back(
        request,
        f"{to}{'&' if '?' in to else '?'}undo={mark}",
        said=page.words_of(request)("{mac} is disconnected", mac=gone.mac),
    )


@router.post("/noc/sessions/{session_id}/move", response_model=None)
async def move(request: Request, session_id: str) -> Response:
    """Let another device use what this one has."""
    who = await page.acts(request, Right.RUN_SESSIONS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "session", session_id)
    mac = meant.meant(sent.get("device_mac", "")).mac or sent.get("device_mac", "")
    return await page.tried(
        request,
        f"/noc/sessions/{quote(session_id)}",
        deeds.move(deps, session_id, mac),
        said=page.words_of(request)("Access moved to {mac}", mac=mac),
    )


@router.post("/noc/sessions/{session_id}/give", response_model=None)
async def give(request: Request, session_id: str) -> Response:
    """Give more time or data, for nothing, with a reason."""
    who = await page.acts(request, Right.GIVE_ACCESS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "session", session_id)
    plan_id, reason = PlanId(sent.get("plan_id", "")), sent.get("reason", "")
    return await page.tried(
        request,
        f"/noc/sessions/{quote(session_id)}",
        deeds.give_more(deps, session_id, plan_id=plan_id, reason=reason),
        said=page.words_of(request)("Given: it begins when the present plan is used up"),
    )


@router.post("/noc/sessions/{session_id}/block", response_model=None)
async def block(request: Request, session_id: str) -> Response:
    """Block a session's device at its site; the address has to be typed."""
    who = await page.acts(request, Right.RUN_SESSIONS)
    deps, sent = deps_of(request), await page.fields(request)
    line = await _line(deps, who, session_id)
    to = f"/noc/sessions/{quote(session_id)}"
    if sent.get("sure", "").lower() != line.mac:
        said = page.words_of(request)("Type {word} to go on", word=line.mac)
        return page.back(request, to, said=said, tone="bad")
    return await page.tried(
        request,
        to,
        blocking.block(
            deps, who, line.mac, site_id=SiteId(line.site_id), reason=sent.get("reason", "")
        ),
        said=page.words_of(request)("{mac} is blocked at {site}", mac=line.mac, site=line.site),
    )


@router.post("/noc/sessions/{session_id}/unblock", response_model=None)
async def unblock(request: Request, session_id: str) -> Response:
    """Let a device have again what it owns."""
    who = await page.acts(request, Right.RUN_SESSIONS)
    deps = deps_of(request)
    line = await _line(deps, who, session_id)
    return await page.tried(
        request,
        f"/noc/sessions/{quote(session_id)}",
        blocking.unblock(deps, line.mac, site_id=SiteId(line.site_id)),
        said=page.words_of(request)("{mac} is blocked no more", mac=line.mac),
    )


async def _line(deps: Deps, who: Who, session_id: str) -> SessionLine:
    async with deps.db.read() as tx:
        return session_line(await theirs.session(tx, who, session_id))
