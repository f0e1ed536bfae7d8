"""The site's state, the events that change it and the effects they have. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.metering import Meter, Volume
from billing.quota import UNBOUND
from shaping.one import nothing
from shaping.plane import MacAddress, MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from agent.uplink.seam import DesiredChange, OrderAnswer
    from billing.grant import Grant
    from billing.ids import GrantId, OrderId, PlanId, RedemptionId, SessionId
    from billing.msisdn import Msisdn
    from billing.payment import OrderStage, Reason
    from billing.plan import Limits
    from billing.quota import Allowance
    from portal.captive.gate import Offer, SiteFace, Work
    from shaping.plane import Counter, Neighbour, PoolKey, Rate, SessionKey

FIRST = MonotonicMs(0)
"""The moment at which a machine starts."""

NEVER = MonotonicMs(2**62)
"""A deadline that does not come."""

COMPANION = "companion"
"""The proof of a device without a browser: another device that is in connected it."""


NO_MAC = MacAddress("")
"""Stands for a device that nobody named."""

UNMETERED = Meter()
"""The meter of a session of which nothing was counted; one for all of them."""

NO_VOLUME = Volume()
"""No bytes at all."""

NOWHERE: frozenset[IPv6Address] = frozenset()
"""No addresses."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, on both clocks. ``boot`` names the life of the machine that ``mono`` belongs to."""

    wall: datetime
    mono: MonotonicMs
    boot: str


class Why(StrEnum):
    """Why a session closed. ``ALLOWANCE``: until the controller hands out more."""

    TIME = "time"
    DATA = "data"
    ALLOWANCE = "allowance"
    SUSPENDED = "suspended"
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
    ipv4: Mapping[IPv4Address, Spell] = field(default_factory=nothing)
    ipv6: Mapping[IPv6Address, Spell] = field(default_factory=nothing)
    port: str = ""
    contested_until: MonotonicMs | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """By what a subscriber dials in: a name and a secret, for the grants of one ``cause``.

    A grant is theirs when its cause is this with a colon and more behind it.
    """

    name: str
    secret: str = field(repr=False)
    cause: str


@dataclass(frozen=True, slots=True)
class Dial:
    """A session's life at a NAS (RFC 2866), which forwards and counts in place of this box.

    ``key`` is its Acct-Session-Id, a letter for each byte. What the NAS counts is ``base``, which
    belongs to an earlier session of the same dial, and the session's own meter. ``seconds`` is the
    longest session time told, ``stamp`` the newest moment by the NAS's own clock (0: it tells none;
    used for order alone). ``marks`` are the authenticators of the Starts that were taken for this
    dial. ``told`` is what the NAS is known to hold it to, "" when nobody knows. ``dead``: the NAS
    restarted since.
    Of a line that a router keeps by its own secret (`Lined`) ``key`` is the name, and ``base`` what
    was counted for earlier dials; which one this is, and since when it counts, is in ``marks``.
    """

    nas: str
    key: str
    login: str
    address: str
    base: Volume = NO_VOLUME
    seconds: int = 0
    stamp: int = 0
    marks: tuple[bytes, ...] = ()
    told: str = ""
    dead: bool = False

    @property
    def place(self) -> str:
        """Which session of which NAS it is."""
        return dial_place(self.nas, self.key)


def dial_place(nas: str, key: str) -> str:
    """The key of one dial among those of all NASes; a NAS's name has no blank."""
    return f"{nas} {key}"


@dataclass(frozen=True, slots=True)
class Session:
    """One device's use of one grant here. ``closed`` is set while the last reading is awaited.

    ``active_at`` is the latest count with new bytes, ``heard_at`` the latest with new bytes from
    the device. ``reported`` is the part of ``meter`` that is in the outbox. ``port`` is the bridge
    port behind which the device was seen last, "" when nobody knows.
    ``dial`` is set where a NAS forwards for it: then the plane knows nothing of it, ``heard_at`` is
    when the NAS last told of it (once closed: when that was), and its MAC is what the NAS says.
    Invariant: a MAC has at most one session, and the addresses of two sessions never overlap; those
    of NASes apart, which tell what they like.
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
    meter: Meter = UNMETERED
    reported: Meter = UNMETERED
    closed: Why | None = None
    port: str = ""
    dial: Dial | None = None


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant here, and what is known to be spent of it.

    The validity clock stood at ``validity_ms`` at ``valid_at`` and has run since (None: no access
    was ever given). The clock of time connected at this site stood at ``uptime_ms`` at
    ``uptime_at`` and runs while a session is open (None: none is); only the part up to the last
    moved byte is certain. Bytes: ``past`` is the sum of this site's sessions that are over; open
    sessions add to it. ``elsewhere_uptime_ms`` and ``elsewhere_bytes`` are what the controller
    knows beyond this site's own use; own use alone is spent of ``allowance``. ``rank`` is the
    order of arrival. ``made_here``: the site gave this grant with the link down, and the controller
    has not said a word of it yet; only its word can end it. ``settled``: nor ever will, it seems
    (`agent.prepaid.settle`). ``proofs`` are `billing.proof`'s.
    ``exhausted``: less than one burst is left, and the kernel lets nothing of it pass. ``owes``:
    some of the time for which the machine was off may not be charged yet. ``joined`` are devices
    that joined here and ``left`` those that gave way, until the controller's word contains it;
    ``companions`` are devices that another one connected.
    """

    grant: Grant
    rank: int = 0
    cause_id: str = ""
    started_at: Instant | None = None
    validity_ms: int = 0
    valid_at: MonotonicMs | None = None
    uptime_ms: int = 0
    uptime_at: MonotonicMs | None = None
    past: Volume = NO_VOLUME
    elsewhere_bytes: int = 0
    elsewhere_uptime_ms: int = 0
    allowance: Allowance = UNBOUND
    suspended: bool = False
    pool_id: str = ""
    proofs: tuple[bytes, ...] = ()
    made_here: bool = False
    settled: bool = False
    cap_revision: int = 0
    exhausted: bool = False
    owes: bool = False
    joined: tuple[MacAddress, ...] = ()
    left: tuple[MacAddress, ...] = ()
    companions: tuple[MacAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderNote:
    """An order as the site journals it. ``sent``: it may have reached the controller.

    ``rail`` is the wallet that is asked; "" where the site had nothing to choose.
    """

    order_id: OrderId
    offer: Offer
    msisdn: Msisdn
    mac: MacAddress
    placed_at: Instant
    stage: OrderStage
    reason: Reason | None = None
    sent: bool = False
    rail: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """An offer with its place in the list; lower ranks come first."""

    rank: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class Prepaid:
    """What a voucher or an activation token is good for, frozen when it was sold."""

    plan_id: PlanId
    plan_name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some vouchers of a batch that may be redeemed with the link down: ``hashes`` in a row."""

    batch: str
    prepaid: Prepaid
    salt: bytes
    rounds: int
    hashes: bytes
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class SitePool:
    """A shared rate of this site, and the bridge ports whose devices are in it."""

    name: str
    rate: Rate
    parent: PoolKey | None
    ports: frozenset[str]


@dataclass(frozen=True, slots=True)
class Garden:
    """What everybody may reach, unpaid and uncounted; a name stands for all names below it."""

    names: tuple[str, ...] = ()
    networks: frozenset[IPv4Network | IPv6Network] = frozenset()


@dataclass(frozen=True, slots=True)
class Logo:
    """The operator's picture on the portal, a PNG, and the name by which browsers keep it."""

    png: bytes = b""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Works:
    """Works on the network that customers are told of, those to come too."""

    works: tuple[Work, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Devices that may do nothing here, whatever they hold."""

    devices: frozenset[MacAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """A look at the network that the controller asked for."""

    id: str
    kind: str
    target: str
    asked_at: datetime


class TryKind(StrEnum):
    """What a device tried: a code, to have a prompt sent to a phone, or to dial in."""

    CODE = "code"
    ORDER = "order"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Try:
    """Something that is allowed only so often.

    ``place`` is the address, the phone number, or the login and its NAS.
    """

    kind: TryKind
    mac: MacAddress
    place: str
    at: MonotonicMs


@dataclass(frozen=True, slots=True)
class VoucherMark:
    """By what a voucher was known here."""

    batch: str
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class TokenMark:
    """By what an activation token was known here."""

    version: int
    slot: int
    serial: int


Mark = VoucherMark | TokenMark


@dataclass(frozen=True, slots=True)
class Index:
    """Ways to find things fast; always what follows from the rest of the state."""

    by_mac: Mapping[MacAddress, SessionId] = field(default_factory=dict)
    by_grant: Mapping[GrantId, tuple[SessionId, ...]] = field(default_factory=dict)
    owners: Mapping[IPv4Address | IPv6Address, SessionId] = field(default_factory=dict)
    entitled: Mapping[MacAddress, tuple[GrantId, ...]] = field(default_factory=dict)
    holders: Mapping[IPv4Address | IPv6Address, MacAddress] = field(default_factory=dict)
    by_dial: Mapping[str, SessionId] = field(default_factory=dict)
    by_cause: Mapping[str, tuple[GrantId, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """All that a site knows. Mappings are never changed in place.

    ``seen`` is the latest moment that this state knows of. ``asleep_since`` is set after a boot
    with a clock that cannot be right: the wall time at which the machine was last known to run;
    this boot's first moment is ``woke_at``. ``slept_since`` is set for a while after that: time is
    accounted for as if the machine had been off until then; the clock may yet prove to be slow.
    No deadline lies before ``due_at``. ``counts`` numbers arrivals and openings. ``closing`` is how
    many sessions wait for their last reading. ``watched`` are the grants that may be at their end
    though no deadline has come: those of which something changed since they were looked at, and
    those of which less than a burst is left. ``minute`` is that of the day in Nairobi, None while
    the clock is not believed. ``used`` names every code that was redeemed here, and its grant;
    nothing in it is ever redeemed again. ``probed`` says when a probe was begun; it is never begun
    again. ``ending`` are dialled sessions whose NAS has yet to tell their stop. ``hung_up`` are the
    latest dialled sessions that are over, by place: a NAS may tell more of them. ``restarts`` are
    the marks of the latest restarts that NASes told, so that none counts twice.
    """

    generation: int = 0
    digest: bytes = b""
    items: Mapping[str, bytes] = field(default_factory=dict)
    face: SiteFace | None = None
    logo: Logo = field(default_factory=Logo)
    works: Works = field(default_factory=Works)
    offers: Mapping[PlanId, Listing] = field(default_factory=dict)
    grants: Mapping[GrantId, GrantUse] = field(default_factory=dict)
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    devices: Mapping[MacAddress, Device] = field(default_factory=dict)
    orders: Mapping[OrderId, OrderNote] = field(default_factory=dict)
    pools: Mapping[PoolKey, SitePool] = field(default_factory=dict)
    garden: Garden = field(default_factory=Garden)
    blocked: Blocked = field(default_factory=Blocked)
    token_keys: Mapping[int, bytes] = field(default_factory=dict)
    slots: Mapping[int, Prepaid] = field(default_factory=dict)
    chunks: Mapping[str, Chunk] = field(default_factory=dict)
    probes: Mapping[str, ProbeOrder] = field(default_factory=dict)
    probed: Mapping[str, datetime] = field(default_factory=dict)
    used: Mapping[str, GrantId] = field(default_factory=dict)
    tries: Mapping[str, Try] = field(default_factory=dict)
    logins: Mapping[str, Login] = field(default_factory=dict)
    hung_up: Mapping[str, Session] = field(default_factory=dict)
    restarts: Mapping[str, str] = field(default_factory=dict)
    index: Index = field(default_factory=Index)
    seen: Instant | None = None
    asleep_since: datetime | None = None
    slept_since: datetime | None = None
    woke_at: MonotonicMs = FIRST
    due_at: MonotonicMs = NEVER
    counts: int = 0
    closing: int = 0
    watched: frozenset[GrantId] = frozenset()
    ending: frozenset[SessionId] = frozenset()
    minute: int | None = None


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
    """The data plane was read. ``applied``: it was at the desired state when it was.

    ``unread`` are sessions at a box that did not answer: they may be open there, and counting.
    """

    counters: Mapping[SessionKey, Counter]
    applied: bool = True
    unread: frozenset[SessionKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A customer placed an order at the portal."""

    order_id: OrderId
    offer: Offer
    msisdn: Msisdn
    mac: MacAddress
    rail: str = ""


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
class Joined:
    """A device proved that it may use a grant. ``instead_of`` leaves the grant for it ("": none).

    ``proof`` is "cookie", "receipt", "voucher", "token", "move" or "companion".
    """

    grant_id: GrantId
    mac: MacAddress
    instead_of: MacAddress
    proof: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The site knows a code to be good and takes it without asking the controller.

    ``key`` names the code among those that were used here; ``proof`` is that of the grant to come.
    """

    redemption_id: RedemptionId
    mac: MacAddress
    mark: Mark
    key: str
    proof: bytes


@dataclass(frozen=True, slots=True)
class CodeUsed:
    """The controller took a code for a device here: it is not good here once more."""

    key: str
    grant_id: GrantId


@dataclass(frozen=True, slots=True)
class Delivered:
    """The controller has every record up to now. Told seldom, see `agent.prepaid.settle`."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A device tried a code or a secret that was wrong; with a name it takes that one's place."""

    attempt: Try
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """The shell noticed something that staff should know."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ProbeBegun:
    """A probe is about to be carried out."""

    probe_id: str


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """A probe came to an end, or was not carried out; ``body`` says what was seen, or why not."""

    probe_id: str
    body: str


class AccountStatus(StrEnum):
    """What a NAS tells of a session, or of itself (RFC 2866, 5.1)."""

    START = "start"
    INTERIM = "interim"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Account:
    """What one accounting packet says.

    ``mark`` is its authenticator: a packet that comes again has the same. ``grant_id`` is what the
    NAS was given with the access, "" when it does not say, and ``rate`` names the speed that it was
    given. ``late_s`` is for how long the NAS has been trying to tell. Bytes that it does not tell
    are None; one that counts in 32 bits ``wraps``.
    """

    nas: str
    status: AccountStatus
    mark: bytes
    key: str = ""
    login: str = ""
    grant_id: str = ""
    rate: str = ""
    mac: MacAddress = NO_MAC
    address: str = ""
    seconds: int = 0
    down_bytes: int | None = None
    up_bytes: int | None = None
    wraps: bool = False
    stamp: int = 0
    late_s: int = 0
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Accounted:
    """A NAS told something. It is answered once that is written down."""

    account: Account


@dataclass(frozen=True, slots=True)
class Lined:
    """How lines of a router stand that keeps their secrets: as if it told them as a NAS does.

    ``key`` of each is the name; ``mark`` is the epoch of the counter, a blank, and which dial it is
    (nothing: nobody is in, and ``status`` is a stop). Bytes are those of all dials of the epoch.
    """

    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The NAS of a session says that it knows nothing of it."""

    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Redialled:
    """The device of a session dialled anew, so that the session is to end."""

    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Steered:
    """The NAS of a session holds it to what ``told`` says."""

    session_id: SessionId
    told: str


BINDING: tuple[type, ...] = (Ordered, Accepted, ProbeBegun, Accounted)
"""Events that make money, use up a code or must not come twice, and what is answered for good:
without the disk they are refused, not decided."""

Event = (
    Changed
    | Sighted
    | Asked
    | Counted
    | Ordered
    | Answered
    | Unanswered
    | Joined
    | Accepted
    | CodeUsed
    | Delivered
    | Tried
    | Ticked
    | ProbeBegun
    | ProbeEnded
    | Noticed
    | Accounted
    | Lined
    | Lost
    | Redialled
    | Steered
)


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
    own_uptime_s: int = 0


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session is over and its last reading is in the outbox before this."""

    session_id: SessionId
    grant_id: GrantId
    reason: Why


@dataclass(frozen=True, slots=True)
class DeviceJoined:
    """A device joined a grant here without asking the controller; goes to the outbox."""

    grant_id: GrantId
    mac: MacAddress
    instead_of: MacAddress
    proof: str


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code was redeemed here without asking the controller; goes to the outbox."""

    redemption_id: RedemptionId
    grant_id: GrantId
    plan_id: PlanId
    mac: MacAddress
    mark: Mark


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe saw, as JSON of its kind; goes to the outbox."""

    probe_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that staff should know; goes to the outbox."""

    code: str
    text: str


Fact = SessionOpened | Reading | SessionClosed | DeviceJoined | Redeemed | ProbeResult | Notice


@dataclass(frozen=True, slots=True)
class Resync:
    """What the site holds cannot be stepped from: follow anew, from a snapshot."""


Effect = Fact | Resync
