"""Use: who talks the most, now or in a day, and what each segment of customers uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.noc import live as page
from controller.noc.words import word
from controller.rights import Right
from controller.store import live, usage_reports
from controller.store.usage_reports import By, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.noc.live import Asked
    from controller.store.usage_reports import SegmentUse, Talker

TOP = 20
SITES_MAX = 200
FULL = 100
DAY = timedelta(hours=24)
SPANS = {"now": word("just now"), "day": word("in 24 hours")}
BYS = {
    By.DEVICE: word("Devices"),
    By.SUBSCRIBER: word("Customers"),
    By.PLAN: word("Plans"),
}


@dataclass(frozen=True, slots=True)
class TalkerLine:
    """One that uses much, and how much of the most that any uses, in per cent."""

    talker: Talker
    per_cent: int


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """What a segment used in a day; ``per_cent`` of all."""

    segment: str
    sessions: int
    down_bytes: int
    up_bytes: int
    per_cent: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Top talkers and segments, and what narrows them."""

    talkers: tuple[TalkerLine, ...]
    segments: tuple[SegmentLine, ...]
    by: By
    span: str
    typed: Mapping[str, str]
    sites: tuple[tuple[str, str], ...]
    now: datetime


async def look(asked: Asked) -> Usage:
    """Who uses the most."""
    query, now = asked.query, asked.now
    by, span = _by(query.get("by", "")), query.get("span", "now")
    if span not in SPANS:
        raise InvalidField("span", f"want one of {', '.join(SPANS)}")
    scope = Scope(query.get("site") or None, asked.who.branches)
    async with asked.deps.db.read() as tx:
        if span == "now":
            found = await usage_reports.top_now(tx, by, scope=scope, now=now, limit=TOP)
        else:
            found = await usage_reports.top_since(tx, by, scope=scope, since=now - DAY, limit=TOP)
        used = await usage_reports.segments(tx, scope=scope, since=now - DAY, until=now)
        sites = await live.sites(tx, asked.who.branches, limit=SITES_MAX)
    return Usage(
        talkers=_talkers(found),
        segments=_segments(used),
        by=by,
        span=span,
        typed={"site": query.get("site", ""), "by": by.value, "span": span},
        sites=sites,
        now=now,
    )


def _by(name: str) -> By:
    try:
        return By(name or By.SUBSCRIBER)
    except ValueError as unknown:
        raise InvalidField("by", f"want one of {', '.join(By)}") from unknown


def _talkers(found: Sequence[Talker]) -> tuple[TalkerLine, ...]:
    most = max((one.down + one.up for one in found), default=0) or 1
    return tuple(TalkerLine(one, (one.down + one.up) * FULL // most) for one in found)


def _segments(used: Sequence[SegmentUse]) -> tuple[SegmentLine, ...]:
    """The hours of each segment together; the sessions are those of its busiest hour."""
    whole = sum(one.down_bytes + one.up_bytes for one in used) or 1
    lines = []
    for name in sorted({one.segment for one in used}):
        theirs = [one for one in used if one.segment == name]
        down, up = sum(one.down_bytes for one in theirs), sum(one.up_bytes for one in theirs)
        most = max(one.sessions for one in theirs)
        lines.append(SegmentLine(name, most, down, up, (down + up) * FULL // whole))
    return tuple(sorted(lines, key=lambda one: -(one.down_bytes + one.up_bytes)))


USAGE = page.View(
    name="Usage",
    path="/noc/usage",
    right=Right.SEE_SESSIONS,
    look=look,
    template="usage/page.html",
    panels=("usage/top.html", "usage/segments.html"),
    every_s=5,
)

router = page.pages(USAGE)
