"""The shipped fake: behaves like a box and moves no packet. For tests and for dry runs.

It has what the kernel has: deadlines that pass by themselves, budgets that run dry, counters with
epochs. Tests play the network with `MemoryPlane.pass_bytes` and `dial`, somebody's careless hand
with `tamper`, and a power cut with `reboot`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, assert_never

from shaping import lines
from shaping.diff import (
    Block,
    CloseWay,
    DropCap,
    DropPool,
    FreeRate,
    Observed,
    OpenWay,
    SetCap,
    SetGarden,
    SetPool,
    SetRate,
    Standing,
    StartMeter,
    StopMeter,
    Unblock,
    diff,
)
from shaping.plane import Applied, Caller, Counter, Desired, LineSeen, MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shaping.diff import Address, Change, Garden, Way
    from shaping.plane import CapKey, Line, MacAddress, Rate, SessionKey
    from shaping.pools import PoolPath


LINES = IPv4Network("10.20.0.0/16")
"""The addresses of those who dial in."""


@dataclass(slots=True)
class _Meter:
    epoch: str
    down_bytes: int = 0
    up_bytes: int = 0


@dataclass(slots=True)
class _Budget:
    revision: int
    left_bytes: int


@dataclass(slots=True)
class _Box:
    """What the pretended kernel holds; lost as a whole by a reboot."""

    meters: dict[SessionKey, _Meter] = field(default_factory=dict)
    rates: dict[SessionKey, tuple[Rate, PoolPath]] = field(default_factory=dict)
    ways: dict[Address, tuple[SessionKey, Way]] = field(default_factory=dict)
    budgets: dict[CapKey, _Budget] = field(default_factory=dict)
    blocked: set[MacAddress] = field(default_factory=set)
    pools: dict[PoolPath, Rate] = field(default_factory=dict)
    garden: Garden = frozenset()
    callers: dict[str, tuple[Caller, MonotonicMs]] = field(default_factory=dict)


class MemoryPlane:
    """A pretended box. ``now`` is its boot-time clock."""

    def __init__(self, now: Callable[[], MonotonicMs]) -> None:
        self._now = now
        self._box = _Box()
        self._epochs = 0
        self._last = Desired()
        self._dials = 0
        self._lines: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._leases: dict[str, MonotonicMs] = {}

    async def apply(self, desired: Desired) -> Applied:
        """As `shaping.plane.DataPlane.apply`. Raises `PlaneError`."""
        self._epochs += 1
        desired = self._with_lines(desired)
        observed = self._observed()
        step = diff(observed, desired, now=self._now(), epoch=f"memory-{self._epochs}")
        drift = self._drift(observed)
        for change in step.changes:
            self._make(change)
        self._last = desired
        return Applied(len(step.changes), drift)

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """As `shaping.plane.DataPlane.counters`."""
        return {
            key: _counter(meter)
            for key, meter in self._box.meters.items()
            if not key.startswith(lines.KEYS)
        }

    async def lines(self) -> Mapping[str, LineSeen]:
        """As `shaping.plane.Lines.lines`."""
        meters = self._box.meters
        return {
            name: LineSeen(_counter(meter), self._caller(name))
            for name in self._lines
            if (meter := meters.get(lines.key_of(name))) is not None
        }

    def dial(self, name: str, secret: str, mac: MacAddress) -> str | None:
        """Somebody dials in, and whoever was in by that name is out; their address, None: no."""
        if self._secrets.get(name) != secret:
            return None
        self._dials += 1
        address = self._lines[name]
        self._box.callers[name] = Caller(str(self._dials), mac, address, 0), self._now()
        return address

    def _caller(self, name: str) -> Caller | None:
        if name not in self._box.callers:
            return None
        caller, since = self._box.callers[name]
        return replace(caller, seconds=(self._now() - since) // 1_000)

    def hang_up(self, name: str) -> None:
        """Who is dialled in by a name leaves."""
        self._box.callers.pop(name, None)

    async def clear(self) -> None:
        """As `shaping.plane.DataPlane.clear`."""
        self._box = _Box()
        self._last = Desired()

    def pass_bytes(
        self,
        address: Address,
        mac: MacAddress,
        *,
        down: int = 0,
        up: int = 0,
        remote: Address | None = None,
    ) -> bool:
        """Offer traffic of a device; tells whether it passed. Each way passes whole or not.

        ``remote`` is whom it is exchanged with: somebody outside the garden unless said.
        """
        box = self._box
        if remote is not None and mac not in box.blocked and any(remote in n for n in box.garden):
            return True
        found = self._box.ways.get(address)
        if found is None or not self._is_open(found[1]) or mac in self._box.blocked:
            return False
        key, way = found
        if way.mac != mac or not self._draw(way, down + up):
            return False
        meter = self._box.meters[key]
        meter.down_bytes += down
        meter.up_bytes += up
        return True

    def left_bytes(self, cap: CapKey) -> int | None:
        """What may still pass out of this budget; None when the box does not know it."""
        budget = self._box.budgets.get(cap)
        return None if budget is None else max(0, budget.left_bytes)

    def speed_of(self, session: SessionKey) -> tuple[Rate, PoolPath] | None:
        """How fast this session may be, and the pools that it shares; None when not shaped."""
        return self._box.rates.get(session)

    def tamper(self, address: Address) -> None:
        """Remove by hand what lets this address pass."""
        self._box.ways.pop(address, None)

    def tamper_with_garden(self) -> None:
        """Remove the walled garden by hand."""
        self._box.garden = frozenset()

    def tamper_with_pools(self) -> None:
        """Remove all pools by hand; their sessions share nothing any more."""
        self._box.pools = {}
        self._box.rates = {key: (rate, ()) for key, (rate, _) in self._box.rates.items()}

    def reboot(self) -> None:
        """Lose all that a machine loses with its power; it keeps who may dial in."""
        self._box = _Box()
        self._last = Desired()

    def _with_lines(self, desired: Desired) -> Desired:
        """Have these lines and no others; the rest is as for devices."""
        given = lines.addresses(desired.lines, self._lines, LINES)
        self._lines = {name: str(address) for name, address in given.items()}
        self._secrets = {
            name: line.secret for name, line in desired.lines.items() if line.rate is not None
        }
        for name in self._box.callers.keys() - self._secrets.keys():
            self.hang_up(name)
        leased = {name: self._leased(name, line) for name, line in desired.lines.items()}
        return lines.with_lines(replace(desired, lines=leased), given)

    def _leased(self, name: str, line: Line) -> Line:
        """The line with an end, also where it ends only some time after somebody dials in.

        That is put off when half of it is over.
        """
        if line.lease_ms is None:
            self._leases.pop(name, None)
            return line
        now, until = self._now(), self._leases.get(name, 0)
        if not now + line.lease_ms // 2 <= until <= now + line.lease_ms:
            self._leases[name] = MonotonicMs(now + line.lease_ms)
        ends = [end for end in (line.open_until, self._leases[name]) if end is not None]
        return replace(line, open_until=min(ends))

    def _is_open(self, way: Way) -> bool:
        return way.open_until is None or self._now() < way.open_until

    def _draw(self, way: Way, size: int) -> bool:
        if way.cap is None:
            return True
        budget = self._box.budgets[way.cap.key]
        budget.left_bytes -= size
        return budget.left_bytes >= 0

    def _observed(self) -> Observed:
        ways: dict[SessionKey, dict[Address, Way]] = {key: {} for key in self._box.meters}
        for address, (key, way) in self._box.ways.items():
            ways[key][address] = way
        shaped = self._box.rates
        sessions: dict[SessionKey, Standing] = {}
        for key, meter in self._box.meters.items():
            rate, pool = shaped.get(key, (None, ()))
            sessions[key] = Standing(meter.epoch, rate, ways[key], pool)
        caps = {key: budget.revision for key, budget in self._box.budgets.items()}
        owners = {address: key for address, (key, _) in self._box.ways.items()}
        blocked = frozenset(self._box.blocked)
        return Observed(sessions, caps, blocked, owners, dict(self._box.pools), self._box.garden)

    def _drift(self, observed: Observed) -> tuple[str, ...]:
        """What was there after the last apply and should still be, but is not."""
        step = diff(observed, self._last, now=self._now(), epoch="")
        return tuple(words for change in step.changes if (words := _drift_words(change)))

    def _make(self, change: Change) -> None:
        match change:
            case SetPool() | DropPool() | SetRate() | FreeRate():
                self._shape(change)
            case SetGarden(networks):
                self._box.garden = networks
            case CloseWay(_, address, _):
                self._box.ways.pop(address, None)
            case OpenWay(session, _, address, way):
                self._box.ways[address] = (session, way)
            case StartMeter(session, epoch):
                self._box.meters[session] = _Meter(epoch)
            case StopMeter(session, _):
                del self._box.meters[session]
            case DropCap(cap):
                self._box.budgets.pop(cap.key, None)
            case SetCap(cap, left_bytes):
                self._box.budgets[cap.key] = _Budget(cap.revision, left_bytes)
            case Block(mac) | Unblock(mac):
                blocked = self._box.blocked
                (blocked.add if isinstance(change, Block) else blocked.discard)(mac)
            case _:
                assert_never(change)

    def _shape(self, change: SetPool | DropPool | SetRate | FreeRate) -> None:
        match change:
            case SetPool(path, rate):
                self._box.pools[path] = rate
            case DropPool(path):
                del self._box.pools[path]
            case SetRate(session, rate, pool):
                assert not pool or pool in self._box.pools, "pools are made before their sessions"
                self._box.rates[session] = rate, pool
            case FreeRate(session):
                self._box.rates.pop(session, None)
            case _:
                assert_never(change)


def _counter(meter: _Meter) -> Counter:
    return Counter(meter.epoch, meter.down_bytes, meter.up_bytes)


def _drift_words(change: Change) -> str:
    match change:
        case OpenWay(session, _, address, _):
            return f"{address} of {session} was removed"
        case SetPool(path, _):
            return f"the pool {path[-1]} was changed"
        case SetGarden(_):
            return "the walled garden was changed"
        case _:
            return ""
