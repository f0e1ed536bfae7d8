"""One site: how it does and did, who is on it, what it was told, what was looked at there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - the same

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.api.errors import NotFound
from controller.api.needs import deps_of
from controller.geography import Place, read_place
from controller.noc import lines, live, networks, views
from controller.noc.rates import Counted, followed, summed
from controller.noc.text import midnight
from controller.noc.words import word
from controller.rights import Right
from controller.store import scope, series
from controller.usecases import probes, sites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.noc.rates import Rate
    from controller.rights import Who
    from controller.store.series import Point
    from controller.store.series_rows import SiteVitalsRow

SESSIONS_MAX = 100
PROBES_SHOWN = 8
NOTICES_SHOWN = 12
OUTAGES_SHOWN = 20
GRANTS_SHOWN = 12
SAID_MAX = 600

SPANS: Mapping[str, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(hours=1), timedelta(seconds=20)),
    "24h": (timedelta(hours=24), timedelta(minutes=5)),
    "7d": (timedelta(days=7), timedelta(hours=1)),
    "30d": (timedelta(days=30), timedelta(hours=6)),
}
"""How much of the past a graph shows, and how long each of its points is."""

GRAPHS = (
    ("traffic", word("Traffic"), ("down_bps", "up_bps")),
    ("sessions", word("Online"), ("sessions",)),
    ("rtt", word("Delay to the controller"), ("rtt_ms",)),
    ("loss", word("Loss"), ("loss_ppm",)),
    ("box", word("Processor and memory"), ("cpu_pct", "memory_pct")),
    ("temperature", word("Temperature"), ("temperature_c",)),
)

WIDTH, HEIGHT = 600, 120


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph without scripts: polylines of `WIDTH` by `HEIGHT` by metric, and its highest value.

    Each line is of one stretch without a gap. With scripts, the page draws it from the API.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    drawn: tuple[tuple[str, ...], ...]
    top: int
    latest: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """A look at the site's network; ``told`` is what it saw, as lines."""

    id: str
    kind: str
    target: str
    asked_at: datetime
    is_over: bool
    told: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GrantLine:
    """Access that the site was told of; ``is_on`` says that it has not ended."""

    id: str
    plan: str
    msisdn: str
    created_at: datetime
    is_on: bool


@dataclass(frozen=True, slots=True)
class SiteBoard:
    """The whole page."""

    now: datetime
    site: lines.SiteLine
    vitals: SiteVitalsRow | None
    span: str
    step_s: int
    since: datetime
    graphs: tuple[Graph, ...]
    sessions: tuple[lines.SessionLine, ...]
    sessions_hidden: int
    sessions_bps: tuple[int, int]
    grants: tuple[GrantLine, ...]
    outages: tuple[lines.OutageLine, ...]
    notices: tuple[lines.NoticeLine, ...]
    probes: tuple[ProbeLine, ...]
    outbox: tuple[int | None, int | None]
    certificate_until: datetime | None
    place: str
    help_phone: str
    rates: Mapping[str, Rate]


async def look(asked: live.Asked) -> SiteBoard:
    """Everything about one site. Raises `NotFound`, `InvalidField`."""
    site_id, now = asked.path["site_id"], asked.now
    shown = asked.query.get("span", "1h")
    if shown not in SPANS:
        raise InvalidField("span", f"is none of {', '.join(SPANS)}")
    back, step = SPANS[shown]
    async with asked.deps.db.read() as tx:
        found = await networks.site_now(tx, site_id, now, since=midnight(now))
        if found is None or not asked.who.reaches(found.row.branch_id):
            raise NotFound("site", site_id)
        measured = {
            metric: await series.last(
                tx, site_id, metric, since=now - back, until=now + step, step=step
            )
            for _, _, metrics in GRAPHS
            for metric in metrics
        }
        sessions = await networks.open_sessions(tx, None, limit=SESSIONS_MAX, site_id=site_id)
        grants = await views.grant_views(tx, limit=GRANTS_SHOWN, site_id=site_id)
        outages = await networks.outages_of(tx, site_id, since=now - back, limit=OUTAGES_SHOWN)
        notices = await networks.last_notices(tx, None, limit=NOTICES_SHOWN, site_id=site_id)
        probed = await views.probe_views(tx, limit=PROBES_SHOWN, site_id=site_id)
        certificate = await networks.certificate_ends(tx, site_id)
    rates = followed(_rates(asked.before), (_counted(view) for view in sessions))
    row = found.row
    return SiteBoard(
        now=now,
        site=lines.site_line(found, now),
        vitals=found.vitals,
        span=shown,
        step_s=step // timedelta(seconds=1),
        since=now - back,
        graphs=tuple(
            _graph(name, title, metrics, measured, (now - back, now, step))
            for name, title, metrics in GRAPHS
        ),
        sessions=tuple(lines.session_line(view, rates, now) for view in sessions),
        sessions_hidden=max(0, found.sessions - len(sessions)),
        sessions_bps=summed(rates, now),
        grants=tuple(_grant_line(view) for view in grants),
        outages=lines.outage_lines(outages, now - back, now),
        notices=tuple(lines.notice_line(one) for one in notices),
        probes=tuple(_probe_line(view) for view in probed),
        outbox=(row.outbox_records, row.outbox_records_max),
        certificate_until=None if certificate is None else certificate[1],
        place="" if row.latitude_e6 is None else str(Place(row.latitude_e6, row.longitude_e6 or 0)),
        help_phone=row.help_phone,
        rates=rates,
    )


def _graph(
    name: str,
    title: str,
    metrics: tuple[str, ...],
    measured: Mapping[str, Sequence[Point]],
    time: tuple[datetime, datetime, timedelta],
) -> Graph:
    points = {metric: measured[metric] for metric in metrics}
    top = max((point.high for some in points.values() for point in some), default=0)
    return Graph(
        name=name,
        title=title,
        metrics=metrics,
        drawn=tuple(_stretches(points[metric], max(1, top), time) for metric in metrics),
        top=top,
        latest=tuple(points[m][-1].mean if points[m] else None for m in metrics),
    )


def _stretches(
    points: Sequence[Point], top: int, time: tuple[datetime, datetime, timedelta]
) -> tuple[str, ...]:
    """Polylines of points that follow each other; a gap in time is a gap in the line."""
    since, until, step = time
    second = timedelta(seconds=1)
    whole_s = max(1, (until - since) // second)
    stretches: list[list[str]] = []
    before = None
    for point in points:
        x = max(0, (point.at - since) // second) * WIDTH // whole_s
        y = HEIGHT - point.mean * (HEIGHT - 4) // top - 2
        if before is None or point.at - before > step * 3:
            stretches.append([])
        stretches[-1].append(f"{min(x, WIDTH)},{y}")
        before = point.at
    return tuple(" ".join(one) for one in stretches if len(one) > 1)


def _grant_line(view: views.GrantView) -> GrantLine:
    row = view.row
    return GrantLine(row.id, view.plan.name, view.msisdn or "", row.created_at, not row.ended_at)


def _probe_line(view: views.ProbeView) -> ProbeLine:
    row, result = view.row, view.result
    told = () if result is None else _told(json.loads(result.body))
    return ProbeLine(row.id, row.kind, row.target, row.asked_at, row.ended_at is not None, told)


def _told(seen: object, name: str = "") -> tuple[tuple[str, str], ...]:
    """What a probe saw, as names and values: lists of things become a line each."""
    if isinstance(seen, dict):
        return tuple(line for key, value in seen.items() for line in _told(value, key))
    if isinstance(seen, list):
        return tuple(
            (f"{name} {n}", _words(one)) for n, one in enumerate(seen[: PROBES_SHOWN * 4], 1)
        )
    return ((name.replace("_", " "), _words(seen)),)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_words(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    return str(value)[:SAID_MAX]


def _rates(before: object) -> Mapping[str, Rate]:
    return before.rates if isinstance(before, SiteBoard) else {}


def _counted(view: views.SessionView) -> Counted:
    row = view.row
    return Counted(row.id, row.seen_at, row.down_bytes, row.up_bytes)


SITE = live.View(
    name="Site",
    path="/noc/sites/{site_id}",
    right=Right.SEE_SITES,
    look=look,
    template="site/page.html",
    panels=tuple(
        f"site/{panel}.html"
        for panel in ("facts", "sessions", "grants", "outages", "probes", "notices")
    ),
    every_s=5.0,
)

router = live.pages(SITE)


@router.post("/noc/sites/{site_id}/probes")
async def probe(request: Request, site_id: str) -> RedirectResponse:
    """Have the site look at its network."""
    await _acts(request, site_id)
    sent, say = await live.fields(request), live.words_of(request)
    deed = probes.ask(
        deps_of(request), SiteId(site_id), sent.get("kind", ""), sent.get("target", "")
    )
    said = say("The site was asked. What it sees appears below.")
    return await live.tried(request, f"/noc/sites/{site_id}#probes", deed, said=said)


@router.post("/noc/sites/{site_id}/place")
async def place(request: Request, site_id: str) -> RedirectResponse:
    """Keep where the site is; an empty field takes it off the map."""
    await _acts(request, site_id)
    pasted, say = (await live.fields(request)).get("place", ""), live.words_of(request)

    async def kept() -> None:
        where = read_place(pasted) if pasted else None
        await sites.place_site(deps_of(request), SiteId(site_id), where)

    said = say("The place is kept.") if pasted else say("The site is on no map now.")
    return await live.tried(request, f"/noc/sites/{site_id}", kept(), said=said)


async def _acts(request: Request, site_id: str) -> Who:
    who = await live.acts(request, Right.RUN_SITES)
    async with deps_of(request).db.read() as tx:
        if not await scope.belongs(tx, "site", site_id, who.branches):
            raise NotFound("site", site_id)
    return who
