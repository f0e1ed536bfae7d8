"""The front page: how the whole network does just now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.noc import incoming, lines, live, networks
from controller.noc.incoming import Unmatched
from controller.noc.pages.setup import steps_of
from controller.noc.rates import Counted, followed, summed
from controller.noc.text import midnight
from controller.rights import Right
from controller.store.alerts import open_alerts
from controller.usecases.setup import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.noc.networks import SiteNow, Sizes, Tried
    from controller.noc.pages.setup import Steps
    from controller.noc.rates import Rate
    from controller.noc.views import SessionView, Takings
    from controller.rights import Who
    from controller.store.alert_rows import AlertRow

BUSIEST = 5
SESSIONS_MAX = 60
PAYMENTS_MAX = 40
NOTICES_MAX = 30
ALERTS_MAX = 50
UNMATCHED_MAX = 8
WAITING_SHOWN = 20
WEEK = timedelta(days=7)
FULL = 100


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as a row; ``is_taken``: somebody has acknowledged it."""

    id: str
    at: datetime
    tone: str
    site: str
    text: str
    is_taken: bool


@dataclass(frozen=True, slots=True)
class Tiles:
    """The six figures. ``week_ago`` is the same weekday up to the same time of the day."""

    sites: Sizes
    users: int
    down_bps: int
    up_bps: int
    measured: bool
    today: Takings
    week_ago: Takings
    tried: Tried
    success_pct: int | None
    critical: int
    warnings: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole page; the next look goes on from ``rates``."""

    now: datetime
    tiles: Tiles
    busiest: tuple[lines.SiteLine, ...]
    sessions: tuple[lines.SessionLine, ...]
    sessions_hidden: int
    sessions_bps: tuple[int, int]
    payments: tuple[lines.PaymentLine, ...]
    alerts: tuple[AlertLine, ...]
    notices: tuple[lines.NoticeLine, ...]
    waiting: tuple[lines.WaitingLine, ...]
    waiting_behind: int
    waiting_unseen: int
    waiting_hidden: int
    unmatched: tuple[lines.UnmatchedLine, ...]
    unmatched_count: int
    unmatched_minor: int
    setup: Steps | None
    rates: Mapping[str, Rate]


async def look(asked: live.Asked) -> Overview:
    """Everything on the front page."""
    now, ours = asked.now, asked.who.branches
    today = midnight(now)
    async with asked.deps.db.read() as tx:
        sites = await networks.sites_now(tx, now, ours, since=today)
        sizes = await networks.site_sizes(tx, now, ours)
        users = await networks.sessions_open(tx, ours)
        sessions = await networks.open_sessions(tx, ours, limit=SESSIONS_MAX)
        payments = await networks.last_payments(tx, ours, limit=PAYMENTS_MAX)
        taken = await networks.takings(tx, ours, today, now + timedelta(seconds=1))
        before = await networks.takings(tx, ours, today - WEEK, now - WEEK)
        tried = await networks.tried_lately(tx, ours, now)
        alerts = await open_alerts(tx, ours, limit=ALERTS_MAX)
        notices = await networks.last_notices(tx, ours, limit=NOTICES_MAX)
        waiting = await incoming.waiting_views(tx, now, branches=ours)
        # Money that is nobody's yet belongs to no branch.
        begun = await progress(tx, asked.deps) if _sets_up(asked.who) else None
        unmatched = await incoming.unmatched(tx, limit=UNMATCHED_MAX) if ours is None else NOTHING
    behind = sum(not view.applied for view in waiting)
    rates = followed(_rates(asked.before), (_counted(view) for view in sessions))
    down_bps, up_bps = networks.totals(sites)
    return Overview(
        now=now,
        tiles=Tiles(
            sites=sizes,
            users=users,
            down_bps=down_bps,
            up_bps=up_bps,
            measured=any(site.sample for site in sites),
            today=taken,
            week_ago=before,
            tried=tried,
            success_pct=_success(tried),
            critical=sum(row.severity == "critical" for row in alerts),
            warnings=sum(row.severity != "critical" for row in alerts),
        ),
        busiest=tuple(lines.site_line(site, now) for site in _busiest(sites)),
        sessions=tuple(lines.session_line(view, rates, now) for view in sessions),
        sessions_hidden=max(0, users - len(sessions)),
        sessions_bps=summed(rates, now),
        payments=tuple(lines.payment_line(view) for view in payments),
        alerts=tuple(_alert_line(row) for row in alerts),
        notices=tuple(lines.notice_line(row) for row in notices),
        waiting=tuple(lines.waiting_line(view, now) for view in waiting[:WAITING_SHOWN]),
        waiting_behind=behind,
        waiting_unseen=len(waiting) - behind,
        waiting_hidden=max(0, len(waiting) - WAITING_SHOWN),
        unmatched=tuple(lines.unmatched_line(row) for row in unmatched.first),
        unmatched_count=unmatched.count,
        unmatched_minor=unmatched.minor,
        setup=None if begun is None or begun.next is None else steps_of(begun, now),
        rates=rates,
    )


NOTHING = Unmatched(0, 0, ())


def _sets_up(who: Who) -> bool:
    """Whether the set-up is theirs to finish."""
    return who.may(Right.RUN_SYSTEM) and who.branches is None


def _busiest(sites: Sequence[SiteNow]) -> list[SiteNow]:
    """The sites that move most just now; among quiet ones those with most people."""

    def busy(site: SiteNow) -> tuple[int, int, str]:
        sample = site.sample
        moved = 0 if sample is None else (sample.down_bps or 0) + (sample.up_bps or 0)
        return -moved, -site.sessions, site.row.id

    return sorted(sites, key=busy)[:BUSIEST]


def _success(tried: Tried) -> int | None:
    """Of the payments that are decided, how many in a hundred were paid; None: none is."""
    decided = tried.settled + tried.refused
    return tried.settled * FULL // decided if decided else None


def _alert_line(row: AlertRow) -> AlertLine:
    return AlertLine(
        id=row.id,
        at=row.raised_at or row.bad_at,
        tone="bad" if row.severity == "critical" else "busy",
        site=row.site_id or "",
        text=row.text,
        is_taken=row.acked_at is not None,
    )


def _rates(before: object) -> Mapping[str, Rate]:
    return before.rates if isinstance(before, Overview) else {}


def _counted(view: SessionView) -> Counted:
    row = view.row
    return Counted(row.id, row.seen_at, row.down_bytes, row.up_bytes)


PANELS = ("setup", "tiles", "sites", "waiting", "unmatched", "sessions", "payments", "notices")

OVERVIEW = live.View(
    name="Overview",
    path="/noc",
    right=Right.SEE_SITES,
    look=look,
    template="overview/page.html",
    panels=tuple(f"overview/{panel}.html" for panel in PANELS),
)

router = live.pages(OVERVIEW)
