"""What a line of a list shows: rows in, plain data out; the templates choose language and cover.

PURE. Phones stand here whole, and amounts as integers: it is `paint` that masks and prints them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.payment import PaymentState
from billing.quota import left
from controller.limits import limits_of
from controller.noc.board import (
    ARRIVAL_MOODS,
    PAYMENT_MOODS,
    WHY_MOODS,
    Mood,
    Why,
    is_in_step,
    is_online,
    spent_of,
    unread,
    why_waiting,
)
from controller.noc.rates import is_quiet
from controller.noc.words import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.noc.incoming import WaitingView
    from controller.noc.networks import SiteNow
    from controller.noc.rates import Rate
    from controller.noc.views import PaymentView, SessionView
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import GrantRow, PlanRow
    from controller.store.site_rows import NoticeRow, OutageRow, SiteRow

SPARK_WIDTH = 72
SPARK_HEIGHT = 16
FULL = 100
SECONDS = "s"
BYTES = "B"

FOR_ACCOUNT = "account"
FOR_TOKEN = "token"  # noqa: S105 - what is bought


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much is left, in `SECONDS` or `BYTES`, and how full the bar is in per cent.

    ``amount`` is None where no limit binds; ``known`` says whether that is known at all.
    """

    amount: int | None
    unit: str
    per_cent: int | None = None
    low: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site as a row; rates are None where nothing fresh was measured."""

    id: str
    name: str
    mood: Mood
    step: Mood
    seen_at: datetime | None
    applied: int
    wanted: int
    sessions: int
    version: str
    down_bps: int | None
    up_bps: int | None
    today_minor: int
    uptime_s: int | None
    skew_ms: int | None
    place: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as a row; ``spark`` holds the points of a polyline, or nothing."""

    id: str
    site_id: str
    device: str
    msisdn: str
    plan: str
    down_bps: int | None
    up_bps: int | None
    used_bytes: int
    time_left: Gauge
    data_left: Gauge
    spark: str
    online_s: int


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment as a row. ``bought`` is "", `FOR_ACCOUNT` or `FOR_TOKEN`."""

    order_id: str
    at: datetime
    mood: Mood
    minor: int
    currency: str
    msisdn: str
    plan: str
    bought: str
    site: str
    receipt: str


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice as a row; no site: it is about the controller."""

    id: str
    at: datetime
    site: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """Somebody who paid and is not connected, as a row."""

    id: str
    mood: Mood
    why: Why
    msisdn: str
    plan: str
    site: str
    seen_at: datetime | None
    paid_at: datetime
    receipt: str


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """Money that waits for staff, as a row; what the payer typed, without phone numbers."""

    id: str
    mood: Mood
    at: datetime
    minor: int
    currency: str
    rail: str
    receipt: str
    reference: str
    payer: str


@dataclass(frozen=True, slots=True)
class OutageLine:
    """A time in which nothing was heard of a site; ``ended_at`` None: it lasts."""

    began_at: datetime
    ended_at: datetime | None
    lasted_s: int
    left: int
    width: int
    """Where it lies in the time that is shown, in thousandths of it."""


IN_STEP = Mood(word("hash equal"), "good")
DIFFERS = Mood(word("hash differs"), "bad")
IS_BEHIND = Mood(word("behind"), "busy")
NEVER_SEEN = Mood(word("never seen"), "quiet")
ONLINE = Mood(word("online"), "good")
OFFLINE = Mood(word("offline"), "bad")


def site_line(site: SiteNow, now: datetime) -> SiteLine:
    """A site as it is just now."""
    row, sample, vitals = site.row, site.sample, site.vitals
    is_placed = row.latitude_e6 is not None and row.longitude_e6 is not None
    return SiteLine(
        id=row.id,
        name=row.name,
        mood=site_mood(row, now),
        step=step_mood(row),
        seen_at=row.last_seen_at,
        applied=row.applied_generation,
        wanted=row.generation,
        sessions=site.sessions,
        version=row.agent_version,
        down_bps=None if sample is None else sample.down_bps,
        up_bps=None if sample is None else sample.up_bps,
        today_minor=site.today_minor,
        uptime_s=None if vitals is None else vitals.uptime_s,
        skew_ms=None if vitals is None else vitals.clock_skew_ms,
        place=(row.latitude_e6 or 0, row.longitude_e6 or 0) if is_placed else None,
    )


def site_mood(site: SiteRow, now: datetime) -> Mood:
    """Whether a site is heard."""
    if site.last_seen_at is None:
        return NEVER_SEEN
    return ONLINE if is_online(site, now) else OFFLINE


def step_mood(site: SiteRow) -> Mood:
    """Whether a site has applied what is wanted."""
    if is_in_step(site):
        return IN_STEP
    return DIFFERS if site.applied_generation == site.generation else IS_BEHIND


def session_line(view: SessionView, rates: Mapping[str, Rate], now: datetime) -> SessionLine:
    """A session as it is just now."""
    session, rate = view.row, rates.get(view.row.id)
    is_fresh = rate is not None and not is_quiet(rate, now)
    time_left, data_left = gauges(view.grant, view.plan)
    return SessionLine(
        id=session.id,
        site_id=session.site_id,
        device=session.mac,
        msisdn=view.msisdn or "",
        plan=view.plan.name if view.plan else "",
        down_bps=rate.down_bps if rate is not None and is_fresh else None,
        up_bps=rate.up_bps if rate is not None and is_fresh else None,
        used_bytes=session.down_bytes + session.up_bytes,
        time_left=time_left,
        data_left=data_left,
        spark=_spark(rate, view.plan),
        online_s=max(0, (now - session.opened_at) // timedelta(seconds=1)),
    )


def payment_line(view: PaymentView) -> PaymentLine:
    """A payment, what it is for, and how it stands."""
    payment = view.row
    mood = PAYMENT_MOODS[PaymentState(payment.state)]
    if payment.reason and payment.state == PaymentState.REFUSED:
        mood = Mood(payment.reason.replace("_", " "), mood.tone)
    return PaymentLine(
        order_id=payment.order_id,
        at=payment.created_at,
        mood=mood,
        minor=payment.amount_minor,
        currency=payment.currency,
        msisdn=payment.msisdn,
        plan=view.plan_name,
        bought=payment.purpose if payment.purpose in {FOR_ACCOUNT, FOR_TOKEN} else "",
        site=payment.site_id or "",
        receipt=payment.receipt or "",
    )


def notice_line(row: NoticeRow) -> NoticeLine:
    """A notice."""
    return NoticeLine(
        id=row.id,
        at=row.at,
        site=row.site_id or "",
        code=row.code.replace("_", " "),
        text=row.text,
    )


def waiting_line(view: WaitingView, now: datetime) -> WaitingLine:
    """Somebody who paid, and why they are not connected."""
    why = why_waiting(view, now)
    return WaitingLine(
        id=view.grant.id,
        mood=WHY_MOODS[why],
        why=why,
        msisdn=view.msisdn,
        plan=view.plan.name,
        site=view.site.name,
        seen_at=view.site.last_seen_at,
        paid_at=view.paid_at,
        receipt=view.receipt or "",
    )


def unmatched_line(row: ArrivalRow) -> UnmatchedLine:
    """Money that is nobody's yet."""
    return UnmatchedLine(
        id=row.id,
        mood=ARRIVAL_MOODS[row.state],
        at=row.at,
        minor=row.amount_minor,
        currency=row.currency,
        rail=row.rail,
        receipt=unread(row.receipt),
        reference=unread(row.reference),
        payer=unread(row.payer_name),
    )


def outage_lines(
    rows: Sequence[OutageRow], since: datetime, now: datetime
) -> tuple[OutageLine, ...]:
    """Outages, and where each lies between ``since`` and now."""
    second, whole_s = timedelta(seconds=1), max(1, (now - since) // timedelta(seconds=1))

    def part(at: datetime) -> int:
        return min(1_000, max(0, (at - since) // second * 1_000 // whole_s))

    return tuple(
        OutageLine(
            began_at=row.began_at,
            ended_at=row.ended_at,
            lasted_s=max(0, ((row.ended_at or now) - row.began_at) // second),
            left=part(row.began_at),
            width=max(4, part(row.ended_at or now) - part(row.began_at)),
        )
        for row in rows
    )


def gauges(grant: GrantRow | None, plan: PlanRow | None) -> tuple[Gauge, Gauge]:
    """How much time and data is left of a grant."""
    if grant is None or plan is None:
        return Gauge(None, SECONDS, known=False), Gauge(None, BYTES, known=False)
    limits = limits_of(plan)
    rest = left(limits, spent_of(grant))
    clocks = [limit for limit in (limits.validity_s, limits.uptime_s) if limit is not None]
    return (
        _gauge(rest.seconds, min(clocks, default=None), SECONDS),
        _gauge(rest.bytes, limits.quota_bytes, BYTES),
    )


def _gauge(rest: int | None, whole: int | None, unit: str) -> Gauge:
    if rest is None or not whole:
        return Gauge(None, unit)
    per_cent = min(FULL, rest * FULL // whole)
    return Gauge(rest, unit, per_cent, low=per_cent <= FULL // 10)


def _spark(rate: Rate | None, plan: PlanRow | None) -> str:
    """Points of the past down rates, scaled to the plan's rate, newest on the right."""
    if rate is None:
        return ""
    return spark(rate.points, top=plan.down_bps if plan else 0)


def spark(points: Sequence[int], *, top: int = 0) -> str:
    """The points of a polyline of 72 by 16, scaled to ``top`` at least; nothing for one point."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    most = max(1, top, *points)
    gap = SPARK_WIDTH // (len(points) - 1)
    first = SPARK_WIDTH - gap * (len(points) - 1)
    heights = (SPARK_HEIGHT - 1 - point * (SPARK_HEIGHT - 2) // most for point in points)
    return " ".join(f"{first + gap * n},{y}" for n, y in enumerate(heights))
