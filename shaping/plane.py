"""The seam to the world of packets: one Protocol, and the values that cross it. PURE.

A plane is told the whole desired state each time (`DataPlane.apply`) and answers what it counted
(`DataPlane.counters`). Repeating an `apply` changes nothing; whatever somebody changed by hand in
the plane's own objects is put back; objects that the plane did not make are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

MacAddress = NewType("MacAddress", str)
"""A link-layer address in canonical form: ``02:00:00:00:00:0a`` (lower case, colons)."""

SessionKey = NewType("SessionKey", str)
"""Names one session's objects in the plane. At most 48 characters of ``[a-z0-9-]``."""

CapKey = NewType("CapKey", str)
"""Names one shared byte budget in the plane. At most 48 characters of ``[a-z0-9-]``."""

PoolKey = NewType("PoolKey", str)
"""Names one shared rate in the plane. At most 48 characters of ``[a-z0-9-]``."""

POOL_DEPTH_MAX = 5
"""Pools inside pools: more than access point, sector, tower, backhaul and uplink make no site."""

GARDEN_MAX = 4_096
"""Networks in the walled garden, neighbours and parts of one another counted as one."""

MonotonicMs = NewType("MonotonicMs", int)
"""Milliseconds of the box's boot-time clock (CLOCK_BOOTTIME). Comparable only within one boot."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Up to ``size_bytes`` at these speeds before the rate holds, and again after a rest.

    What is used up fills again at the rate. A speed below the rate's is no burst in that direction.
    """

    down_bps: int
    up_bps: int
    size_bytes: int

    def __post_init__(self) -> None:
        assert min(self.down_bps, self.up_bps, self.size_bytes) > 0, "leave an empty burst away"


@dataclass(frozen=True, slots=True)
class Rate:
    """The speed of a session in bits per second of layer-2 frames, each way. Both are positive."""

    down_bps: int
    up_bps: int
    burst: Burst | None = None

    def __post_init__(self) -> None:
        assert self.down_bps > 0, "a rate of zero is not a policy: close the session instead"
        assert self.up_bps > 0, "a rate of zero is not a policy: close the session instead"


@dataclass(frozen=True, slots=True)
class Access:
    """One device that may pass: which addresses it may use, how fast, until when, from what budget.

    ``open_until`` is a deadline on the boot-time clock; the kernel itself enforces it. None means
    without end. ``cap`` names a budget in `Desired.caps` that this device draws on, both ways.
    ``pool`` names a rate in `Desired.pools` that it shares with others. ``closed`` keeps the
    session's counters alive but lets nothing pass: a session that ended and whose last reading is
    not yet taken, and one that is suspended. Suspended is no speed: who owes is captive, and the
    portal says why.
    """

    mac: MacAddress
    ipv4: IPv4Address | None
    ipv6: frozenset[IPv6Address]
    rate: Rate
    open_until: MonotonicMs | None = None
    cap: CapKey | None = None
    closed: bool = False
    pool: PoolKey | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget of bytes (layer 3, both directions together) shared by every device naming it.

    ``left_bytes`` is what may still pass, counted from now: a plane that already holds this cap
    keeps its own running count and ignores ``left_bytes`` unless ``revision`` grew.
    """

    left_bytes: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """A rate that all sessions of this pool, and of the pools inside it, share by fair turns.

    It bounds their sum, whatever their own rates say. ``parent`` is the pool that this one is part
    of: an access point is in a sector, a sector on a backhaul. A pool's rate has no burst.
    """

    rate: Rate
    parent: PoolKey | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A name by which somebody may dial in to the box, and what they may do then.

    Without a ``rate`` nobody may dial in by it, and who is in is put out. ``open_until``, ``cap``
    and ``pool`` are as in `Access`. ``lease_ms`` is for how long access lasts, at most, that begins
    while nobody looks (None: only ``open_until`` ends it).
    """

    secret: str = field(repr=False)
    rate: Rate | None
    open_until: MonotonicMs | None = None
    lease_ms: int | None = None
    cap: CapKey | None = None
    pool: PoolKey | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole of what a box should do. Devices not listed are captive.

    ``garden`` is what everybody reaches, unpaid and uncounted, but for blocked devices. ``lines``
    are by name; only a box that people dial in to is told any.
    """

    access: Mapping[SessionKey, Access] = field(default_factory=dict)
    caps: Mapping[CapKey, Cap] = field(default_factory=dict)
    blocked: frozenset[MacAddress] = frozenset()
    pools: Mapping[PoolKey, Pool] = field(default_factory=dict)
    garden: frozenset[IPv4Network | IPv6Network] = frozenset()
    lines: Mapping[str, Line] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counter:
    """Cumulative layer-3 bytes of one session since this ``epoch`` of its counters began.

    An epoch is one uninterrupted life of a counter; whenever the plane had to begin counting anew
    (reboot, table removed by hand) the epoch differs. Within an epoch counts never fall.
    """

    epoch: str
    down_bytes_total: int
    up_bytes_total: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What an `apply` did: how many objects it changed, and what it found out of place.

    ``drift`` lists, in words for staff, what somebody else had changed in the plane's own objects;
    ``refused`` what the box did not take, piece by piece, with all the rest done. ``unreached``
    are sessions of which nobody knows: one of several boxes did not answer.
    """

    changes: int
    drift: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unreached: frozenset[SessionKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is dialled in. ``key`` names this one dial among those of a counter's epoch."""

    key: str
    mac: MacAddress
    address: str
    seconds: int


@dataclass(frozen=True, slots=True)
class LineSeen:
    """What a line has let pass in all its dials of this epoch, and who is in just now, if any.

    Invariant: what dials let pass that were over at that look is in the count.
    """

    counter: Counter
    caller: Caller | None


class Partial(dict[SessionKey, Counter]):
    """Counters of a plane of several boxes that did not all answer: ``unread`` are with those."""

    def __init__(
        self, counters: Mapping[SessionKey, Counter], *, unread: frozenset[SessionKey]
    ) -> None:
        super().__init__(counters)
        self.unread = unread


class Sight(Enum):
    """What the box saw of a device on its LAN."""

    SEEN = "seen"
    GONE = "gone"
    MOVED = "moved"  # the MAC appeared behind another bridge port


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One sighting on the LAN: this MAC used this address, behind this bridge port ("" unknown)."""

    sight: Sight
    mac: MacAddress
    address: IPv4Address | IPv6Address | None
    port: str = ""


class PlaneError(Exception):
    """The box could not be brought to the desired state; nothing is known to be half-done.

    The message names the operation and the object. ``retry`` says whether trying again may help.
    """

    def __init__(self, message: str, *, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class DataPlane(Protocol):
    """A box that forwards packets. Implementations: ``memory``, ``linux``, ``routeros``."""

    async def apply(self, desired: Desired) -> Applied:
        """Bring the box to ``desired``, whole. Idempotent. Raises `PlaneError`."""
        ...

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """Every session's cumulative counters, closed ones included. Raises `PlaneError`."""
        ...

    async def clear(self) -> None:
        """Remove all that this plane ever made. For uninstalling and tests; a restart never clears.

        Raises `PlaneError`.
        """
        ...


class Lines(Protocol):
    """What a box that people dial in to has besides. Implementations: ``memory``, ``routeros``."""

    async def lines(self) -> Mapping[str, LineSeen]:
        """Every line by its name, those that nobody may use included. Raises `PlaneError`."""
        ...
