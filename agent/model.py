"""The site's state, the events that change it and the effects they have. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.grant import Spent
from billing.metering import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from ipaddress import IPv4Address, IPv6Address

    from agent.uplink.seam import DesiredChange, OrderAnswer
    from billing.grant import Grant
    from billing.ids import GrantId, OrderId, PlanId, SessionId
    from billing.msisdn import Msisdn
    from billing.payment import OrderStage, Reason
    from portal.captive.gate import Offer, SiteFace
    from shaping.plane import Counter, MacAddress, MonotonicMs, Neighbour, SessionKey


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, on both clocks. ``boot`` names the life of the machine that ``mono`` belongs to."""

    wall: datetime
    mono: MonotonicMs
    boot: str


class Why(StrEnum):
    """Why a session closed."""

    TIME = "time"
    DATA = "data"
    REVOKED = "revoked"
    IDLE = "idle"
    MOVED = "moved"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Device:
    """What the LAN shows of a MAC: its addresses with the moment each was last seen, its port."""

    mac: MacAddress
    ipv4: Mapping[IPv4Address, MonotonicMs] = field(default_factory=dict)
    ipv6: Mapping[IPv6Address, MonotonicMs] = field(default_factory=dict)
    port: str = ""
    contested_until: MonotonicMs | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One device's use of one grant here. ``closed`` is set while the last reading is awaited.

    ``uptime_ms`` is connected time up to ``counted_at``; ``active_at`` is when bytes last moved.
    Invariant: the addresses of two open sessions never overlap.
    """

    id: SessionId
    grant_id: GrantId
    mac: MacAddress
    ipv4: IPv4Address | None
    ipv6: frozenset[IPv6Address]
    port: str
    opened_at: Instant
    counted_at: MonotonicMs
    active_at: MonotonicMs
    uptime_ms: int = 0
    meter: Meter = field(default_factory=Meter)
    reported: Meter = field(default_factory=Meter)
    closed: Why | None = None


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant here: the controller's word, and what this site knows to be spent of it.

    ``started_at`` is the first access ever given (None before). ``before`` is what was spent in
    sessions that are over, and before this boot; open sessions add to it.
    """

    grant: Grant
    told: Spent = field(default_factory=Spent)
    before: Spent = field(default_factory=Spent)
    started_at: Instant | None = None
    cause_id: str = ""


@dataclass(frozen=True, slots=True)
class OrderNote:
    """An order as the site journals it."""

    order_id: OrderId
    plan_id: PlanId
    msisdn: Msisdn
    mac: MacAddress
    placed_at: Instant
    stage: OrderStage
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class State:
    """All that a site knows. Mappings are never changed in place."""

    generation: int = 0
    digest: bytes = b""
    items: Mapping[str, bytes] = field(default_factory=dict)
    face: SiteFace | None = None
    offers: Mapping[PlanId, Offer] = field(default_factory=dict)
    grants: Mapping[GrantId, GrantUse] = field(default_factory=dict)
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    devices: Mapping[MacAddress, Device] = field(default_factory=dict)
    orders: Mapping[OrderId, OrderNote] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """The controller pushed a step of desired state."""

    change: DesiredChange


@dataclass(frozen=True, slots=True)
class Sighted:
    """The LAN showed a device."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class Asked:
    """A device asked, through the portal, for the access that it already owns."""

    mac: MacAddress
    session_id: SessionId
    address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The data plane was read."""

    counters: Mapping[SessionKey, Counter]


@dataclass(frozen=True, slots=True)
class Ordered:
    """A customer placed an order at the portal."""

    order_id: OrderId
    plan_id: PlanId
    msisdn: Msisdn
    mac: MacAddress


@dataclass(frozen=True, slots=True)
class Answered:
    """The controller said where an order stands."""

    order_id: OrderId
    answer: OrderAnswer


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; deadlines are looked at."""


Event = Changed | Sighted | Asked | Counted | Ordered | Answered | Ticked


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A device got access; goes to the outbox."""

    session_id: SessionId
    grant_id: GrantId
    mac: MacAddress
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Cumulative counters of a session in one epoch; goes to the outbox."""

    session_id: SessionId
    grant_id: GrantId
    epoch: str
    down_bytes_total: int
    up_bytes_total: int
    grant_validity_s: int
    grant_uptime_s: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session is over and its last reading is in the outbox before this."""

    session_id: SessionId
    grant_id: GrantId
    reason: Why


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that staff should know; goes to the outbox."""

    code: str
    text: str


Fact = SessionOpened | Reading | SessionClosed | Notice


@dataclass(frozen=True, slots=True)
class Record:
    """A fact with its place in the journal. (journal, seq) is its identity for ever."""

    seq: int
    at: datetime
    fact: Fact
