"""What the pages of people and sessions show: rows in, plain lines out. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.noc.board import Mood
from controller.noc.lines import Gauge, gauges
from controller.noc.words import word
from controller.usecases.why import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.live import Live
    from controller.usecases.why import Answer

NOTHING = "—"

MARKS = {
    Mark.RIGHT: Mood(word("right"), "good"),
    Mark.WRONG: Mood(word("wrong"), "bad"),
    Mark.UNKNOWN: Mood(word("not known"), "quiet"),
}
STEPS = {
    "payment": word("Payment"),
    "grant": word("Grant"),
    "generation": word("Applied at the site"),
    "session": word("Session"),
    "counters": word("Counters"),
    "link": word("Link"),
}
ONLINE = Mood(word("online"), "good")
OFFLINE = Mood(word("not online"), "bad")
UNSURE = Mood(word("nothing wrong is known"), "busy")
GRAPH_WIDTH, GRAPH_HEIGHT, GRAPH_POINTS = 240, 48, 61


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as one line. Rates are None when nothing was told lately."""

    id: str
    grant_id: str
    mac: str
    addresses: str
    site_id: str
    site: str
    plan: str
    msisdn: str
    name: str
    down_bps: int | None
    up_bps: int | None
    used_bytes: int
    time_left: Gauge
    data_left: Gauge
    opened_at: datetime
    closed_at: datetime | None
    closed_reason: str
    is_known: bool

    @property
    def is_live(self) -> bool:
        """Whether it is open as far as its site has told."""
        return self.closed_at is None


def session_line(one: Live) -> SessionLine:
    """A session as staff read it."""
    row, subscriber = one.row, one.subscriber
    time_left, data_left = gauges(one.grant, one.plan)
    return SessionLine(
        id=row.id,
        grant_id=row.grant_id,
        mac=row.mac or NOTHING,
        addresses=row.addresses,
        site_id=row.site_id,
        site=one.site_name,
        plan=one.plan.name if one.plan else NOTHING,
        msisdn=subscriber.msisdn if subscriber else "",
        name=subscriber.name if subscriber else "",
        down_bps=one.down_bps,
        up_bps=one.up_bps,
        used_bytes=row.down_bytes + row.up_bytes,
        time_left=time_left,
        data_left=data_left,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        closed_reason=row.closed_reason or "",
        is_known=one.grant is not None,
    )


def verdict(answers: Sequence[Answer]) -> Mood:
    """Whether a customer is online, in one word."""
    if any(one.is_online for one in answers):
        return ONLINE
    return OFFLINE if any(one.wrong for one in answers) else UNSURE


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a customer was, look by look: instants, and bits a second down."""

    points: tuple[tuple[datetime, int], ...] = ()

    def then(self, at: datetime, down_bps: int) -> Pace:
        """One look later."""
        return Pace((*self.points[-(GRAPH_POINTS - 1) :], (at, down_bps)))

    def polyline(self, *, top_bps: int) -> str:
        """As a line of `GRAPH_WIDTH` by `GRAPH_HEIGHT`, the newest at the right; "" of one point.

        ``top_bps`` is what stands for the full height, unless it was faster.
        """
        if len(self.points) < 2:  # noqa: PLR2004 - a line has two ends
            return ""
        top = max(1, top_bps, *(bps for _, bps in self.points))
        gap = GRAPH_WIDTH // (GRAPH_POINTS - 1)
        first = GRAPH_WIDTH - gap * (len(self.points) - 1)
        high = GRAPH_HEIGHT - 2
        heights = (GRAPH_HEIGHT - 1 - bps * high // top for _, bps in self.points)
        return " ".join(f"{first + gap * n},{y}" for n, y in enumerate(heights))


@dataclass(frozen=True, slots=True)
class Bar:
    """What was used in one hour: its beginning, bytes, and how high it stands in percent."""

    at: datetime
    down_bytes: int
    up_bytes: int
    x: int
    height: int


BARS = 24
HOUR = timedelta(hours=1)
BAR_WIDTH = 10


def bars(hours: Sequence[tuple[datetime, int, int]], first: datetime) -> tuple[Bar, ...]:
    """The last day, hour by hour from ``first`` on; hours without use stand at nothing."""
    top = max((down + up for _, down, up in hours), default=0)
    found = []
    for at, down, up in hours:
        place = (at - first) // HOUR
        if 0 <= place < BARS and top:
            high = max(1, (down + up) * GRAPH_HEIGHT // top)
            found.append(Bar(at, down, up, place * BAR_WIDTH, high))
    return tuple(found)


def dialled(msisdn: str) -> str:
    """A phone as people dial it: ``0712 345 678``."""
    national = f"0{msisdn[3:]}" if msisdn.startswith("254") else msisdn
    return f"{national[:4]} {national[4:7]} {national[7:]}"
