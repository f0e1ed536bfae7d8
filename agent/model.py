"""The site's state, the events that change it and the effects they have. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.metering import Meter, Volume
from shaping.plane import MonotonicMs

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
    from shaping.plane import Counter, MacAddress, Neighbour, SessionKey

FIRST = MonotonicMs(0)
"""The moment at which a machine starts."""

NEVER = MonotonicMs(2**62)
"""A deadline that does not come."""


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
class Spell:
    """How long an address has been seen with a MAC: first and latest sighting."""

    first_at: MonotonicMs
    last_at: MonotonicMs


@dataclass(frozen=True, slots=True)
class Device:
    """What the LAN shows of a MAC: its addresses, its bridge port. Observed anew after a restart.

    Until ``contested_until`` somebody else may be using this MAC: no address is adopted.
    """

    mac: MacAddress
    ipv4: Mapping[IPv4Address, Spell] = field(default_factory=dict)
    ipv6: Mapping[IPv6Address, Spell] = field(default_factory=dict)
    port: str = ""
    contested_until: MonotonicMs | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One device's use of one grant here. ``closed`` is set while the last reading is awaited.

    ``active_at`` is the latest count with new bytes, ``heard_at`` the latest with new bytes from
    the device. ``reported`` is the part of ``meter`` that is in the outbox.
    Invariant: a MAC has at most one session, and the addresses of two sessions never overlap.
    """

    id: SessionId
    grant_id: GrantId
    mac: MacAddress
    ipv4: IPv4Address | None
    ipv6: frozenset[IPv6Address]
    opened_at: Instant
    active_at: MonotonicMs
    heard_at: MonotonicMs
    reported_at: MonotonicMs
    meter: Meter = field(default_factory=Meter)
    reported: Meter = field(default_factory=Meter)
    closed: Why | None = None


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant here, and what is known to be spent of it.

    The validity clock stood at ``validity_ms`` at ``valid_at`` and has run since (None: no access
    was ever given). The clock of connected time stood at ``uptime_ms`` at ``uptime_at`` and runs
    while a session is open (None: none is); only the part up to the last moved byte is certain.
    Bytes: ``past`` is the sum of this site's sessions that are over, ``elsewhere_bytes`` what the
    controller knows beyond that; open sessions add to both. ``rank`` is the order of arrival.
    ``exhausted``: less than one burst is left, and the kernel lets nothing of it pass. ``owes``:
    the time for which the machine was off is not charged yet.
    """

    grant: Grant
    rank: int = 0
    cause_id: str = ""
    started_at: Instant | None = None
    validity_ms: int = 0
    valid_at: MonotonicMs | None = None
    uptime_ms: int = 0
    uptime_at: MonotonicMs | None = None
    past: Volume = field(default_factory=Volume)
    elsewhere_bytes: int = 0
    cap_revision: int = 0
    exhausted: bool = False
    owes: bool = False


@dataclass(frozen=True, slots=True)
class OrderNote:
    """An order as the site journals it. ``sent``: it may have reached the controller."""

    order_id: OrderId
    offer: Offer
    msisdn: Msisdn
    mac: MacAddress
    placed_at: Instant
    stage: OrderStage
    reason: Reason | None = None
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """An offer with its place in the list; lower ranks come first."""

    rank: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class Index:
    """Ways to find things fast; always what follows from the rest of the state."""

    by_mac: Mapping[MacAddress, SessionId] = field(default_factory=dict)
    by_grant: Mapping[GrantId, tuple[SessionId, ...]] = field(default_factory=dict)
    owners: Mapping[IPv4Address | IPv6Address, SessionId] = field(default_factory=dict)
    entitled: Mapping[MacAddress, tuple[GrantId, ...]] = field(default_factory=dict)
    holders: Mapping[IPv4Address | IPv6Address, MacAddress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """All that a site knows. Mappings are never changed in place.

    ``seen`` is the latest moment that this state knows of. ``asleep_since`` is set after a boot
    with a clock that cannot be right: the wall time at which the machine was last known to run;
    this boot's first moment is ``woke_at``.
    No deadline lies before ``due_at``. ``counts`` numbers arrivals and openings. ``closing`` is how
    many sessions wait for their last reading.
    """

    generation: int = 0
    digest: bytes = b""
    items: Mapping[str, bytes] = field(default_factory=dict)
    face: SiteFace | None = None
    offers: Mapping[PlanId, Listing] = field(default_factory=dict)
    grants: Mapping[GrantId, GrantUse] = field(default_factory=dict)
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    devices: Mapping[MacAddress, Device] = field(default_factory=dict)
    orders: Mapping[OrderId, OrderNote] = field(default_factory=dict)
    index: Index = field(default_factory=Index)
    seen: Instant | None = None
    asleep_since: datetime | None = None
    woke_at: MonotonicMs = FIRST
    due_at: MonotonicMs = NEVER
    counts: int = 0
    closing: int = 0


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
    address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The data plane was read. ``applied``: it was at the desired state when it was."""

    counters: Mapping[SessionKey, Counter]
    applied: bool = True


@dataclass(frozen=True, slots=True)
class Ordered:
    """A customer placed an order at the portal."""

    order_id: OrderId
    offer: Offer
    msisdn: Msisdn
    mac: MacAddress


@dataclass(frozen=True, slots=True)
class Answered:
    """The controller said where an order stands."""

    order_id: OrderId
    answer: OrderAnswer


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An order was sent, and no answer came: the controller may or may not have it."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """The shell noticed something that staff should know."""

    code: str
    text: str


BINDING: tuple[type, ...] = (Ordered,)
"""Events that make money or use up a code: without the disk they are refused, not decided."""

Event = Changed | Sighted | Asked | Counted | Ordered | Answered | Unanswered | Ticked | Noticed


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
class Resync:
    """What the site holds cannot be stepped from: follow anew, from a snapshot."""


Effect = Fact | Resync


@dataclass(frozen=True, slots=True)
class Record:
    """A fact with its place in the journal. (journal, seq) is its identity for ever."""

    seq: int
    at: datetime
    fact: Fact
