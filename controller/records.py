"""An agent's records as values, and the rule that folds them into sessions. PURE.

Readings are cumulative: whatever is lost, doubled or out of order, usage is the sum over epochs of
the highest reading (``billing.metering``), and what was spent of a grant is the most that anybody
reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from billing.grant import Spent, most
from billing.metering import Meter, Volume, metered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from billing.ids import GrantId, PlanId, RedemptionId, SessionId, SiteId

VITALS_AGE_MAX = timedelta(seconds=60)
"""Vitals are of this moment or worthless. A report that a slow link held for longer brings none."""

RECORD_AGE_MAX = timedelta(days=40)
"""A site's clock that says longer ago than this is wrong (no real-time clock, cold boot)."""


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A device got access. The first of a grant starts its validity clock."""

    session_id: SessionId
    grant_id: GrantId
    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Cumulative counters of a session in one epoch, and what the site knows spent of the grant.

    ``own_uptime_s`` is the connected time at this site alone; 0 from an agent that does not say.
    """

    session_id: SessionId
    grant_id: GrantId
    epoch: str
    down_bytes_total: int
    up_bytes_total: int
    grant_validity_s: int
    grant_uptime_s: int
    own_uptime_s: int = 0


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session is over; its last reading came before this."""

    session_id: SessionId
    grant_id: GrantId
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that staff should know."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code was redeemed at the site, without asking: a voucher (``batch``), else a token."""

    redemption_id: RedemptionId
    grant_id: GrantId
    plan_id: PlanId
    device_mac: str
    batch: str = ""
    code_hash: bytes = b""
    key_version: int = 0
    slot: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True)
class DeviceJoined:
    """A device joined a grant at the site, perhaps in place of another."""

    grant_id: GrantId
    mac: str
    instead_of: str
    proof: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe saw, as JSON of its kind."""

    probe_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be: which field, and why. ``whole`` is what was sent."""

    problem: str
    whole: bytes


SessionFact = SessionOpened | Reading | SessionClosed
Fact = SessionFact | Notice | Redeemed | DeviceJoined | ProbeResult | Unreadable


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A fact with its place in a site's journal. ``at`` is the site's clock and may be wrong."""

    seq: int
    at: datetime
    fact: Fact


@dataclass(frozen=True, slots=True)
class SessionView:
    """One device's use of one grant at one site, as far as it was reported."""

    id: SessionId
    site_id: SiteId
    grant_id: GrantId
    mac: str
    addresses: tuple[str, ...]
    opened_at: datetime
    seen_at: datetime
    closed_at: datetime | None = None
    closed_reason: str | None = None
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True)
class Folded:
    """What records add up to.

    ``opened`` has each grant's earliest access, ``spent`` what was reported of each grant,
    ``own_uptime_s`` its connected time at this site where that was told, ``epochs`` the keys of
    every reading that rose, ``foreign`` sessions of another site that this one has no right to
    speak of.
    """

    sessions: Mapping[SessionId, SessionView]
    opened: Mapping[GrantId, datetime]
    spent: Mapping[GrantId, Spent]
    own_uptime_s: Mapping[GrantId, int]
    epochs: frozenset[tuple[SessionId, str]]
    foreign: frozenset[SessionId]


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a site's box is, as its agent told; None where it does not know.

    ``boot`` names the life of the machine with which the byte counters began.
    """

    taken_at: datetime
    boot: str
    uptime_s: int
    cpu_pct: int | None = None
    memory_pct: int | None = None
    disk_pct: int | None = None
    temperature_c: int | None = None
    wan_down_bytes: int | None = None
    wan_up_bytes: int | None = None
    lan_down_bytes: int | None = None
    lan_up_bytes: int | None = None
    rtt_ms: int | None = None
    loss_ppm: int | None = None
    clock_skew_ms: int | None = None
    agent_memory_kib: int | None = None
    portal_open: bool | None = None
    dhcp_leases: int | None = None
    dhcp_addresses: int | None = None

    def is_late(self, now: datetime) -> bool:
        """Whether these were read too long ago to say how the box is.

        The site's clock is believed only when it knows how wrong it is: a box without a battery
        may live in 1970. Without that, what arrives is taken to be of now.
        """
        if self.clock_skew_ms is None:
            return False
        return now - self.taken_at + timedelta(milliseconds=self.clock_skew_ms) > VITALS_AGE_MAX


@dataclass(frozen=True, slots=True)
class Growth:
    """What one session used between two moments at which it was read."""

    session_id: SessionId
    grant_id: GrantId
    down_bytes: int
    up_bytes: int
    took_us: int

    def bps(self) -> tuple[int, int] | None:
        """How fast that was, down and up, in bits a second; None of a single moment."""
        if self.took_us <= 0:
            return None
        return _bps(self.down_bytes, self.took_us), _bps(self.up_bytes, self.took_us)


def contiguous(records: Iterable[SiteRecord], acked_seq: int) -> tuple[SiteRecord, ...]:
    """The records that follow ``acked_seq`` without a gap, once each, in order."""
    fresh = []
    expected = acked_seq + 1
    for record in sorted(records, key=lambda r: r.seq):
        if record.seq == expected:
            fresh.append(record)
            expected += 1
    return tuple(fresh)


def happened_at(at: datetime, now: datetime) -> datetime:
    """When a record was written, as far as a clock without a battery can be believed."""
    return at if now - RECORD_AGE_MAX <= at <= now else now


def folded(
    known: Mapping[SessionId, SessionView],
    records: Sequence[SiteRecord],
    *,
    site_id: SiteId,
    now: datetime,
) -> Folded:
    """What ``records`` make of the sessions that are ``known``."""
    sessions = dict(known)
    opened: dict[GrantId, datetime] = {}
    spent: dict[GrantId, Spent] = {}
    own_uptime_s: dict[GrantId, int] = {}
    epochs = set[tuple["SessionId", str]]()
    foreign = {s.id for s in known.values() if s.site_id != site_id}
    for record in records:
        fact = record.fact
        if not isinstance(fact, SessionFact) or fact.session_id in foreign:
            continue
        at = happened_at(record.at, now)
        before = sessions.get(fact.session_id) or _unseen(fact, site_id, at)
        sessions[fact.session_id] = after = _seen(before, fact, at)
        grant_id = after.grant_id
        match fact:
            case SessionOpened():
                opened[grant_id] = min(at, opened.get(grant_id, at))
            case Reading():
                if after.meter is not before.meter:
                    epochs.add((fact.session_id, fact.epoch))
                told = Spent(validity_s=fact.grant_validity_s, uptime_s=fact.grant_uptime_s)
                spent[grant_id] = most(told, spent.get(grant_id, told))
                own = max(fact.own_uptime_s, own_uptime_s.get(grant_id, 0))
                own_uptime_s[grant_id] = own
            case SessionClosed():
                pass
            case _:
                assert_never(fact)
    return Folded(
        sessions={s.id: s for s in sessions.values() if s.id not in foreign},
        opened=opened,
        spent=spent,
        own_uptime_s=own_uptime_s,
        epochs=frozenset(epochs),
        foreign=frozenset(foreign),
    )


def growths(
    before: Mapping[SessionId, SessionView], after: Mapping[SessionId, SessionView]
) -> tuple[Growth, ...]:
    """By how much each session has grown, of those that have."""
    grown = []
    for name, session in sorted(after.items()):
        known = before.get(name)
        used = session.meter.usage
        was = Volume() if known is None else known.meter.usage
        # Invariant: usage never falls.
        assert was.down_bytes <= used.down_bytes and was.up_bytes <= used.up_bytes  # noqa: PT018
        if used != was:
            since = session.opened_at if known is None else known.seen_at
            grown.append(
                Growth(
                    session_id=name,
                    grant_id=session.grant_id,
                    down_bytes=used.down_bytes - was.down_bytes,
                    up_bytes=used.up_bytes - was.up_bytes,
                    took_us=(session.seen_at - since) // timedelta(microseconds=1),
                )
            )
    return tuple(grown)


def _bps(grown_bytes: int, took_us: int) -> int:
    return grown_bytes * 8_000_000 // took_us


def _unseen(fact: SessionFact, site_id: SiteId, at: datetime) -> SessionView:
    """A session whose opening was never reported (the journal's disk was new) is counted too."""
    return SessionView(
        id=fact.session_id,
        site_id=site_id,
        grant_id=fact.grant_id,
        mac="",
        addresses=(),
        opened_at=at,
        seen_at=at,
    )


def _seen(session: SessionView, fact: SessionFact, at: datetime) -> SessionView:
    seen_at = max(at, session.seen_at)
    match fact:
        case SessionOpened():
            return replace(
                session,
                mac=fact.mac,
                addresses=fact.addresses,
                opened_at=min(at, session.opened_at),
                seen_at=seen_at,
            )
        case Reading():
            reading = Volume(fact.down_bytes_total, fact.up_bytes_total)
            return replace(
                session, seen_at=seen_at, meter=metered(session.meter, fact.epoch, reading)
            )
        case SessionClosed():
            return replace(
                session,
                seen_at=seen_at,
                closed_at=session.closed_at or at,
                closed_reason=session.closed_reason or fact.reason,
            )
        case _:
            assert_never(fact)
