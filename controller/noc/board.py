"""What each panel of the live page shows, ready to be printed. PURE.

Templates choose no words and do no sums: everything that could be wrong is decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.grant import Spent
from billing.money import Money
from billing.msisdn import masked
from billing.payment import PaymentState
from billing.quota import left
from controller.limits import limits_of
from controller.noc import text
from controller.noc.rates import is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from controller.noc.incoming import Unmatched, WaitingView
    from controller.noc.rates import Rate
    from controller.noc.views import PaymentView, SessionView, SiteView, Takings
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import GrantRow, NoticeRow, PlanRow, SiteRow

ONLINE_WITHIN_S = 60
"""A site that was silent for longer is shown as offline."""

SPARK_WIDTH = 72
SPARK_HEIGHT = 16
FULL = 100
NOTHING = "-"

WAITING_SHOWN = 20
"""Of those who paid and are not connected; more are counted."""

_PHONE_IN_IT = re.compile(r"[0-9]{9,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of everything that the page shows."""

    at: datetime
    sites: Sequence[SiteView]
    sessions: Sequence[SessionView]
    sessions_open: int
    payments: Sequence[PaymentView]
    takings: Takings
    notices: Sequence[NoticeRow]
    waiting: Sequence[WaitingView]
    unmatched: Unmatched


@dataclass(frozen=True, slots=True)
class Mood:
    """A state by word and shape: ``tone`` (good, busy, bad, quiet) picks both colour and shape."""

    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site as a row."""

    id: str
    name: str
    mood: Mood
    seen: str
    step: Mood
    generations: str
    sessions: int
    version: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much is left: words, and how full the bar is in per cent (None: no limit binds)."""

    words: str
    per_cent: int | None
    low: bool


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as a row; ``spark`` holds the points of a polyline, or nothing."""

    id: str
    site: str
    device: str
    phone: str
    plan: str
    down: str
    up: str
    used: str
    time_left: Gauge
    data_left: Gauge
    spark: str
    since: str


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment as a row."""

    order_id: str
    at: str
    mood: Mood
    amount: str
    phone: str
    plan: str
    site: str
    receipt: str


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice as a row."""

    id: str
    at: str
    site: str
    code: str
    text: str


class Why(StrEnum):
    """Why somebody who paid is not connected."""

    SITE_OFFLINE = "site_offline"  # nothing is heard of the site
    NOT_APPLIED = "not_applied"  # the site is heard, and has not confirmed the access
    DEVICE_UNSEEN = "device_unseen"  # the site has applied it; the device was not let in since


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """Somebody who paid and is not connected, as a row."""

    id: str
    mood: Mood
    phone: str
    plan: str
    site: str
    paid: str
    receipt: str
    sentence: str


@dataclass(frozen=True, slots=True)
class UnmatchedLine:
    """Money that waits for staff, as a row."""

    id: str
    mood: Mood
    at: str
    amount: str
    receipt: str
    told: str


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page. Headings say the figure; the next look goes on from ``rates``."""

    rates: Mapping[str, Rate]
    sites_heading: str
    sessions_heading: str
    payments_heading: str
    notices_heading: str
    sites: tuple[SiteLine, ...]
    sessions: tuple[SessionLine, ...]
    sessions_hidden: int
    payments: tuple[PaymentLine, ...]
    notices: tuple[NoticeLine, ...]
    waiting_heading: str
    waiting: tuple[WaitingLine, ...]
    waiting_hidden: int
    unmatched_heading: str
    unmatched: tuple[UnmatchedLine, ...]
    unmatched_hidden: int


WHY_MOODS = {
    Why.SITE_OFFLINE: Mood("site offline", "bad"),
    Why.NOT_APPLIED: Mood("not applied", "busy"),
    Why.DEVICE_UNSEEN: Mood("device not seen", "quiet"),
}
ARRIVAL_MOODS = {
    "doubted": Mood("unconfirmed", "busy"),
    "suspense": Mood("unmatched", "bad"),
    "credited": Mood("credited", "good"),
    "returned": Mood("gone back", "quiet"),
}
PAYMENT_MOODS = {
    PaymentState.CREATED: Mood("starting", "busy"),
    PaymentState.SENT: Mood("asking", "busy"),
    PaymentState.PENDING: Mood("asking", "busy"),
    PaymentState.UNKNOWN: Mood("checking", "busy"),
    PaymentState.REFUSED: Mood("refused", "bad"),
    PaymentState.EXPIRED: Mood("not sent", "quiet"),
    PaymentState.SETTLED: Mood("paid", "good"),
}


def drawn(snapshot: Snapshot, rates: Mapping[str, Rate]) -> Board:
    """The board of a moment."""
    now = snapshot.at
    sites = tuple(_site_line(view, now) for view in snapshot.sites)
    sessions = tuple(_session_line(view, rates, now) for view in snapshot.sessions)
    return Board(
        rates=rates,
        sites_heading=_sites_heading(sites),
        sessions_heading=_sessions_heading(snapshot, rates),
        payments_heading=_payments_heading(snapshot.takings),
        notices_heading=text.count(len(snapshot.notices), "notice", "notices"),
        sites=sites,
        sessions=sessions,
        sessions_hidden=max(0, snapshot.sessions_open - len(sessions)),
        payments=tuple(_payment_line(view, now) for view in snapshot.payments),
        notices=tuple(_notice_line(row, now) for row in snapshot.notices),
        waiting_heading=_waiting_heading(snapshot.waiting),
        waiting=tuple(_waiting_line(view, now) for view in snapshot.waiting[:WAITING_SHOWN]),
        waiting_hidden=max(0, len(snapshot.waiting) - WAITING_SHOWN),
        unmatched_heading=_unmatched_heading(snapshot.unmatched),
        unmatched=tuple(_unmatched_line(row, now) for row in snapshot.unmatched.first),
        unmatched_hidden=snapshot.unmatched.count - len(snapshot.unmatched.first),
    )


def is_online(site: SiteRow, now: datetime) -> bool:
    """Whether the site was heard of lately."""
    seen = site.last_seen_at
    return seen is not None and now - seen <= timedelta(seconds=ONLINE_WITHIN_S)


def why_waiting(view: WaitingView, now: datetime) -> Why:
    """Why somebody who paid is not connected, as far as is known here."""
    if view.applied:
        return Why.DEVICE_UNSEEN
    return Why.NOT_APPLIED if is_online(view.site, now) else Why.SITE_OFFLINE


def waiting_sentence(view: WaitingView, now: datetime) -> str:
    """The same in words for whoever has the customer on the phone."""
    if view.applied:
        return "the site lets it in; the device has not been seen since"
    if view.site.last_seen_at is None:
        return "waiting for site, never seen"
    return f"waiting for site, last seen {text.minute(view.site.last_seen_at, now)}"


def unread(told: str) -> str:
    """What a payer typed, without the phone numbers in it."""
    return _PHONE_IN_IT.sub(lambda digits: masked(digits[0]), told)


def is_in_step(site: SiteRow) -> bool:
    """Whether the site has applied exactly what it is wanted to."""
    return site.applied_generation == site.generation and bytes(site.applied_digest) == bytes(
        site.digest
    )


def spent_of(grant: GrantRow) -> Spent:
    """What sites have reported as used of this grant."""
    return Spent(
        validity_s=grant.spent_validity_s,
        uptime_s=grant.spent_uptime_s,
        used_bytes=grant.used_bytes,
    )


def _sites_heading(sites: Sequence[SiteLine]) -> str:
    if not sites:
        return "No sites yet"
    tones = [site.mood.tone for site in sites]
    heading = f"{tones.count('good')} online · {tones.count('bad')} offline"
    return f"{heading} · {tones.count('quiet')} never seen" if "quiet" in tones else heading


def _sessions_heading(snapshot: Snapshot, rates: Mapping[str, Rate]) -> str:
    fresh = [r for r in rates.values() if not is_quiet(r, snapshot.at)]
    down, up = sum(r.down_bps or 0 for r in fresh), sum(r.up_bps or 0 for r in fresh)
    heading = text.count(snapshot.sessions_open, "session", "sessions")
    return f"{heading} · ↓ {text.rate(down)} · ↑ {text.rate(up)}"


def _payments_heading(takings: Takings) -> str:
    return f"{Money(takings.minor)} today · {takings.settled:,} paid"


def _waiting_heading(waiting: Sequence[WaitingView]) -> str:
    if not waiting:
        return "Nobody"
    behind = sum(not view.applied for view in waiting)
    unseen = len(waiting) - behind
    heading = text.count(behind, "waits for its site", "wait for their site")
    return f"{heading} · {unseen:,} not seen since" if unseen else heading


def _unmatched_heading(unmatched: Unmatched) -> str:
    if not unmatched.count:
        return "None"
    return f"{unmatched.count:,} · {Money(unmatched.minor)}"


def _waiting_line(view: WaitingView, now: datetime) -> WaitingLine:
    return WaitingLine(
        id=view.grant.id,
        mood=WHY_MOODS[why_waiting(view, now)],
        phone=masked(view.msisdn),
        plan=view.plan.name,
        site=view.site.name,
        paid=text.clock(view.paid_at, now),
        receipt=view.receipt or "",
        sentence=waiting_sentence(view, now),
    )


def _unmatched_line(row: ArrivalRow, now: datetime) -> UnmatchedLine:
    told = f"“{unread(row.reference)}”" if row.reference else "no reference"
    return UnmatchedLine(
        id=row.id,
        mood=ARRIVAL_MOODS[row.state],
        at=text.clock(row.at, now),
        amount=str(Money(row.amount_minor, row.currency)),
        receipt=f"{row.rail} {unread(row.receipt)}",
        told=f"{told} {unread(row.payer_name)}".strip(),
    )


def _site_line(view: SiteView, now: datetime) -> SiteLine:
    site = view.row
    return SiteLine(
        id=site.id,
        name=site.name,
        mood=_site_mood(site, now),
        seen="never" if site.last_seen_at is None else text.ago(site.last_seen_at, now),
        step=_step(site),
        generations=f"{site.applied_generation} / {site.generation}",
        sessions=view.sessions_open,
        version=site.agent_version or NOTHING,
    )


def _site_mood(site: SiteRow, now: datetime) -> Mood:
    if site.last_seen_at is None:
        return Mood("never seen", "quiet")
    return Mood("online", "good") if is_online(site, now) else Mood("offline", "bad")


def _step(site: SiteRow) -> Mood:
    if is_in_step(site):
        return Mood("hash equal", "good")
    if site.applied_generation == site.generation:
        return Mood("hash differs", "bad")
    return Mood("behind", "busy")


def _session_line(view: SessionView, rates: Mapping[str, Rate], now: datetime) -> SessionLine:
    session, rate = view.row, rates.get(view.row.id)
    down, up = _shown_rates(rate, now)
    time_left, data_left = _gauges(view)
    return SessionLine(
        id=session.id,
        site=session.site_id,
        device=session.mac,
        phone=masked(view.msisdn) if view.msisdn else NOTHING,
        plan=view.plan.name if view.plan else NOTHING,
        down=down,
        up=up,
        used=text.volume(session.down_bytes + session.up_bytes),
        time_left=time_left,
        data_left=data_left,
        spark=_spark(rate, view.plan),
        since=text.span(max(0, (now - session.opened_at) // timedelta(seconds=1))),
    )


def _shown_rates(rate: Rate | None, now: datetime) -> tuple[str, str]:
    if rate is None or rate.down_bps is None or rate.up_bps is None or is_quiet(rate, now):
        return NOTHING, NOTHING
    return text.rate(rate.down_bps), text.rate(rate.up_bps)


def _gauges(view: SessionView) -> tuple[Gauge, Gauge]:
    if view.grant is None or view.plan is None:
        return Gauge(NOTHING, None, low=False), Gauge(NOTHING, None, low=False)
    limits = limits_of(view.plan)
    rest = left(limits, spent_of(view.grant))
    clocks = [limit for limit in (limits.validity_s, limits.uptime_s) if limit is not None]
    return (
        _gauge(rest.seconds, min(clocks, default=None), text.span),
        _gauge(rest.bytes, limits.quota_bytes, text.volume),
    )


def _gauge(rest: int | None, whole: int | None, say: Callable[[int], str]) -> Gauge:
    if rest is None or not whole:
        return Gauge("no limit", None, low=False)
    per_cent = min(FULL, rest * FULL // whole)
    return Gauge(say(rest), per_cent, low=per_cent <= FULL // 10)


def _spark(rate: Rate | None, plan: PlanRow | None) -> str:
    """Points of the past down rates, scaled to the plan's rate, newest on the right."""
    if rate is None or len(rate.points) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    top = max(1, plan.down_bps if plan else 0, *rate.points)
    gap = SPARK_WIDTH // (len(rate.points) - 1)
    first = SPARK_WIDTH - gap * (len(rate.points) - 1)
    heights = (SPARK_HEIGHT - 1 - point * (SPARK_HEIGHT - 2) // top for point in rate.points)
    return " ".join(f"{first + gap * n},{y}" for n, y in enumerate(heights))


def _bought(view: PaymentView) -> str:
    """What the money is for: access at once, a token to be typed some day, or an account."""
    if view.row.purpose == "account":
        return "for an account"
    return f"{view.plan_name}, as a token" if view.row.purpose == "token" else view.plan_name


def _payment_line(view: PaymentView, now: datetime) -> PaymentLine:
    payment = view.row
    mood = PAYMENT_MOODS[PaymentState(payment.state)]
    if payment.reason and payment.state == PaymentState.REFUSED:
        mood = Mood(payment.reason.replace("_", " "), mood.tone)
    return PaymentLine(
        order_id=payment.order_id,
        at=text.clock(payment.created_at, now),
        mood=mood,
        amount=str(Money(payment.amount_minor, payment.currency)),
        phone=masked(payment.msisdn),
        plan=_bought(view),
        site=payment.site_id or "account",
        receipt=payment.receipt or "",
    )


def _notice_line(row: NoticeRow, now: datetime) -> NoticeLine:
    return NoticeLine(
        id=row.id,
        at=text.clock(row.at, now),
        site=row.site_id or "controller",
        code=row.code.replace("_", " "),
        text=row.text,
    )
