"""What is wrong: alerts that are open or were, one of them with its history, and what staff do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from controller.api import pages
from controller.api.errors import NotFound
from controller.api.needs import deps_of
from controller.noc import live as page
from controller.noc.alert_board import AlertLine, DeedLine, alert_line, deed_lines
from controller.noc.pages.theirs import must_reach
from controller.noc.views import Mark
from controller.noc.words import word
from controller.rights import Right
from controller.store import alert_facts, alerts, maintenance
from controller.store.scope import belongs
from controller.usecases import alerts as deeds

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.live import Asked
    from controller.store.database import Tx

PAGE_LINES = 50
SHOWS = ("open", "all")
SPANS = (
    (3_600, word("an hour")),
    (4 * 3_600, word("four hours")),
    (24 * 3_600, word("a day")),
    (7 * 24 * 3_600, word("a week")),
)
SECONDS_DIGITS_MAX = 7


@dataclass(frozen=True, slots=True)
class Work:
    """Maintenance that goes on now; ``site_id`` "" is a branch, or everything."""

    where: str
    until_at: datetime
    text: dict[str, str]


@dataclass(frozen=True, slots=True)
class Alerts:
    """A page of alerts. ``watched_at`` is when everything was last looked at, None: never."""

    show: str
    site_id: str
    lines: tuple[AlertLine, ...]
    work: tuple[Work, ...]
    next: str
    here: str
    has_routes: bool
    watched_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class One:
    """One alert and its history."""

    line: AlertLine
    deeds: tuple[DeedLine, ...]
    spans: tuple[tuple[int, str], ...]
    now: datetime


async def look(asked: Asked) -> Alerts:
    """A page of alerts."""
    show, site_id = asked.query.get("show", "open"), asked.query.get("site", "")
    if show not in SHOWS:
        raise InvalidField("show", "want open or all")
    after = pages.read(asked.query.get("cursor", ""))
    async with asked.deps.db.read() as tx:
        found = await alerts.page(
            tx,
            branches=asked.who.branches,
            after=None if after is None else (after.at, after.id),
            limit=PAGE_LINES,
            only_open=show == "open",
            site_id=site_id or None,
        )
        names = await _names(tx)
        work = await _work(tx, asked, names)
        routes = await alerts.routes(tx)
        watched = await alerts.round_read(tx)
    lines = tuple(alert_line(row, names, asked.now) for row in found)
    if show == "open":
        lines = tuple(sorted(lines, key=lambda one: one.severity.tone != "bad"))
    kept = {name: value for name, value in asked.query.items() if name != "cursor"}
    last = found[-1] if len(found) == PAGE_LINES else None
    more = ""
    if last is not None and last.raised_at is not None:
        more = "?" + urlencode({**kept, "cursor": pages.written(Mark(last.raised_at, last.id))})
    return Alerts(
        show=show,
        site_id=site_id,
        lines=lines,
        work=work,
        next=more,
        here="/noc/alerts" + (f"?{urlencode(kept)}" if kept else ""),
        has_routes=bool(routes),
        watched_at=None if watched is None else watched.looked_at,
        now=asked.now,
    )


async def _names(tx: Tx) -> dict[str, str]:
    return {one.id: one.name for one in await alert_facts.site_signs(tx)}


async def _work(tx: Tx, asked: Asked, names: dict[str, str]) -> tuple[Work, ...]:
    rows = await maintenance.windows(
        tx,
        since=asked.now,
        until=asked.now + timedelta(seconds=1),
        branches=asked.who.branches,
    )
    return tuple(
        Work(
            where=names.get(row.site_id or "", row.site_id or row.branch_id or ""),
            until_at=row.until_at,
            text={"en": row.text_en, "sw": row.text_sw},
        )
        for row in rows
    )


async def look_at_one(asked: Asked) -> One:
    """One alert. Raises `NotFound`."""
    name = asked.path["alert_id"]
    async with asked.deps.db.read() as tx:
        row = await alerts.load(tx, name)
        known = row is not None and await belongs(tx, "alert", name, asked.who.branches)
        if row is None or row.raised_at is None or not known:
            raise NotFound("alert", name[:64])
        history = await alerts.deeds_of(tx, name)
        names = await _names(tx)
    return One(alert_line(row, names, asked.now), deed_lines(history), SPANS, asked.now)


ALERTS = page.View(
    name="Alerts",
    path="/noc/alerts",
    right=Right.SEE_ALERTS,
    look=look,
    template="alerts/page.html",
    panels=("alerts/list.html",),
    every_s=5,
)
ALERT = page.View(
    name=word("Alert"),
    path="/noc/alerts/{alert_id}",
    right=Right.SEE_ALERTS,
    look=look_at_one,
    template="alerts/one.html",
    every_s=0,
)

router = page.pages(ALERTS, ALERT)


@router.post("/noc/alerts/{alert_id}/acknowledge", response_model=None)
async def acknowledge(request: Request, alert_id: str) -> Response:
    """Somebody has it in hand."""
    who = await page.acts(request, Right.RUN_ALERTS)
    deps, sent = deps_of(request), await page.fields(request)
    await must_reach(deps, who, "alert", alert_id)
    return await page.tried(
        request,
        sent.get("back") or f"/noc/alerts/{quote(alert_id)}",
        deeds.acknowledge(deps, alert_id, who=who.name),
        said=page.words_of(request)("It is yours now"),
    )


@router.post("/noc/alerts/{alert_id}/silence", response_model=None)
async def silence(request: Request, alert_id: str) -> Response:
    """Nobody is told of it for a while."""
    who = await page.acts(request, Right.RUN_ALERTS)
    deps, sent = deps_of(request), await page.fields(request)
    await must_reach(deps, who, "alert", alert_id)
    told = sent.get("for_s", "")
    if not (told.isascii() and told.isdigit() and len(told) <= SECONDS_DIGITS_MAX):
        raise InvalidField("for_s", "want a number of seconds")
    until = deps.now() + timedelta(seconds=int(told)) if int(told) else None
    said = "It is told nobody for a while" if until else "It is told again"
    return await page.tried(
        request,
        sent.get("back") or f"/noc/alerts/{quote(alert_id)}",
        deeds.silence(deps, alert_id, until=until, who=who.name),
        said=page.words_of(request)(said),
    )


@router.post("/noc/alerts/{alert_id}/assign", response_model=None)
async def assign(request: Request, alert_id: str) -> Response:
    """It is somebody's task."""
    who = await page.acts(request, Right.RUN_ALERTS)
    deps, sent = deps_of(request), await page.fields(request)
    await must_reach(deps, who, "alert", alert_id)
    return await page.tried(
        request,
        sent.get("back") or f"/noc/alerts/{quote(alert_id)}",
        deeds.assign(deps, alert_id, to=sent.get("to", ""), who=who.name),
        said=page.words_of(request)("It is assigned"),
    )
