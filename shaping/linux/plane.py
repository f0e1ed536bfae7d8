"""LinuxPlane: a Linux gateway behind the three methods of the seam."""

from __future__ import annotations

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from shaping.diff import (
    DEADLINE_TOLERANCE_MS,
    CloseWay,
    DropCap,
    DropPool,
    FreeRate,
    Observed,
    OpenWay,
    SetCap,
    SetPool,
    SetRate,
    Standing,
    collapsed,
    diff,
    same_way,
    touched,
)
from shaping.linux.adopt import adopt
from shaping.linux.netlink import NETLINK_ROUTE, NetlinkError, NetlinkSocket
from shaping.linux.nft import CutCounter, PutCounter, meter_names, ops, pool_name
from shaping.linux.pins import Pins
from shaping.linux.shaper import Shaper
from shaping.linux.tables import COUNTERS_BY_NAME, OvertakenError, Tables
from shaping.linux.tc import group_of, same_rate
from shaping.one import compact
from shaping.plane import Applied, Counter, Desired, MonotonicMs, PlaneError, SessionKey
from shaping.portions import portions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from shaping.diff import Address, Change, Garden, Step
    from shaping.linux.adopt import Adopted
    from shaping.linux.nft import LinuxConfig, Op
    from shaping.plane import CapKey, MacAddress, Rate
    from shaping.pools import PoolPath

VERIFY_EVERY_MS = 10_000
"""The shapers, which tell of no change by themselves, are read whole at least this often."""

VERIFY_SHARE = 50
"""Reading everything takes at most one part in so many of the time."""

DEAR_MS = 100
"""When reading everything takes longer than this, a stranger's change of nftables may wait for the
next regular look; otherwise it is looked into at once, unless strangers come too often: a DNS
server that fills the garden by name changes something every few seconds."""

TRIES = 3
"""An apply that somebody else's change came in between of looks again this often."""

Answer = TypeVar("Answer")


def boot_clock() -> MonotonicMs:
    """The boot-time clock, which also runs while the machine sleeps."""
    return MonotonicMs(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


def _spent_ms() -> int:
    """Processor time of this thread: what looking costs, however busy the machine is."""
    return time.thread_time_ns() // 1_000_000


@dataclass(slots=True)
class _Mirror:
    """What we believe the kernel to hold; thrown away whenever in doubt."""

    sessions: dict[SessionKey, Standing] = field(default_factory=dict)
    owners: dict[Address, SessionKey] = field(default_factory=dict)
    caps: dict[CapKey, int] = field(default_factory=dict)
    blocked: frozenset[MacAddress] = frozenset()
    pins: dict[Address, MacAddress] = field(default_factory=dict)
    pools: dict[PoolPath, Rate] = field(default_factory=dict)
    garden: Garden = frozenset()
    strays: tuple[Op, ...] = ()
    generation: int = 0
    verified_at: int = 0
    verify_ms: int = 0
    fresh: bool = True
    suspect: bool = False


class LinuxPlane:
    """A gateway made of nftables and HTB, in the network namespace of the thread that makes this.

    All work is done in one thread of its own, so the event loop never waits for the kernel. The
    kernel's state outlives this object: a new one adopts it. Needs CAP_NET_ADMIN.
    """

    def __init__(self, config: LinuxConfig, *, now: Callable[[], MonotonicMs] = boot_clock) -> None:
        self._config = config
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plane")
        # A thread is born into the namespace of its maker, so it is started here and now.
        self._thread.submit(int).result()
        self._box: _Box | None = None

    async def apply(self, desired: Desired) -> Applied:
        """As `shaping.plane.DataPlane.apply`. Raises `PlaneError`."""
        return await self._run(lambda box: box.apply(desired))

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """As `shaping.plane.DataPlane.counters`. Raises `PlaneError`."""
        return await self._run(lambda box: box.counters())

    async def clear(self) -> None:
        """As `shaping.plane.DataPlane.clear`. Raises `PlaneError`."""
        await self._run(lambda box: box.clear())

    async def verify(self) -> None:
        """Make the next `apply` read everything anew, whatever it believes."""
        await self._run(lambda box: box.forget())

    def close(self) -> None:
        """Give thread and sockets back. The kernel keeps doing what it was told."""
        box, self._box = self._box, None
        if box is not None:
            self._thread.submit(box.close).result()
        self._thread.shutdown()

    async def _run(self, work: Callable[[_Box], Answer]) -> Answer:
        def inside() -> Answer:
            if self._box is None:
                self._box = _Box(self._config, self._now)
            try:
                return work(self._box)
            except (OSError, NetlinkError) as error:
                raise PlaneError(f"the kernel refused: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, inside)


class _Box:
    """The kernel's side of the plane; lives in the plane's thread."""

    def __init__(self, config: LinuxConfig, now: Callable[[], MonotonicMs]) -> None:
        self._now = now
        self._netlink = NetlinkSocket(NETLINK_ROUTE)
        self._tables = Tables(config)
        self._shaper = Shaper(config, self._netlink)
        self._pins = Pins(config.lan, self._netlink)
        self._mirror: _Mirror | None = None
        self._before: _Mirror | None = None
        self._last = Desired()
        self._read: dict[SessionKey, Counter] = {}
        self._void: set[str] = set()
        self._named: tuple[int, Collection[str]] | None = None
        self._startled_at: MonotonicMs | None = None
        self._gained = False

    def close(self) -> None:
        self._netlink.close()
        self._tables.close()

    def forget(self) -> None:
        self._before = self._mirror or self._before
        self._mirror = None

    def apply(self, desired: Desired) -> Applied:
        drift: tuple[str, ...] = ()
        tries = TRIES
        while tries:
            self._gained = False
            try:
                mirror, found = self._current()
                drift += found
                changes = self._bring(mirror, desired)
            except OvertakenError:
                self.forget()
                # What a part of a large step reached stays: the next look begins there.
                tries -= not self._gained
                continue
            except Exception:
                # Whatever went wrong, what we believe may no longer be so.
                self.forget()
                raise
            self._void.clear()
            return Applied(changes, drift)
        raise PlaneError("somebody else keeps changing nftables")

    def counters(self) -> dict[SessionKey, Counter]:
        generation = self._tables.generation() if self._mirror is None else None
        found = self._tables.counted(self._many_names())
        if generation is not None:
            self._named = generation, tuple(found)
        read: dict[SessionKey, Counter] = {}
        sessions = self._mirror.sessions if self._mirror else {}
        # Of the names, which are there in every reading, the copy that we have anyway is kept.
        known = {one: one for key, standing in sessions.items() for one in (key, standing.epoch)}
        for name, down_bytes in found.items():
            way, _, rest = name.partition(".")
            key, _, epoch = rest.partition(".")
            up_bytes = found.get(f"u.{rest}")
            if way == "d" and up_bytes is not None:
                epoch = known.setdefault(epoch, epoch)
                read[SessionKey(known.get(key, key))] = Counter(epoch, down_bytes, up_bytes)
        fallen = [key for key, counter in read.items() if _fell(self._read.get(key), counter)]
        for key in fallen:
            # Somebody set it to zero by hand: the next apply begins a new life of it.
            self._void.update(meter_names(key, read.pop(key).epoch))
            self.forget()
        self._read = read | {key: self._read[key] for key in fallen} if fallen else read
        return read

    def _many_names(self) -> list[str]:
        """The counters that we believe in, where it is cheaper to ask for some by name."""
        sessions = self._mirror.sessions if self._mirror else {}
        if 2 * len(sessions) < COUNTERS_BY_NAME:
            return []
        return [
            name for key, standing in sessions.items() for name in meter_names(key, standing.epoch)
        ]

    def clear(self) -> None:
        self._pins.release(self._pins.held())
        self._tables.remove()
        self._shaper.remove()
        self._mirror = self._before = None
        self._last = Desired()
        self._read = {}
        self._startled_at = None

    def _current(self) -> tuple[_Mirror, tuple[str, ...]]:
        """The mirror, read anew when it is old or when somebody changed nftables since."""
        mirror = self._mirror
        if mirror is None:
            return self._observe()
        age_ms = self._now() - mirror.verified_at
        due = age_ms > max(VERIFY_EVERY_MS, VERIFY_SHARE * mirror.verify_ms)
        generation = self._tables.generation()
        if generation != mirror.generation:
            if self._may_look_now(mirror):
                self._startled_at = self._now()
                self.forget()
                return self._observe()
            mirror.generation = generation
            mirror.suspect = True
        if due and mirror.suspect:
            self.forget()
            return self._observe()
        return mirror, self._recheck(mirror) if due else ()

    def _may_look_now(self, mirror: _Mirror) -> bool:
        if mirror.verify_ms >= DEAR_MS:
            return False
        at = self._startled_at
        return at is None or self._now() - at > VERIFY_SHARE * mirror.verify_ms

    def _recheck(self, mirror: _Mirror) -> tuple[str, ...]:
        """Read what has no generation to tell of changes: the shapers and the pins."""
        began = _spent_ms()
        drift = [*self._shaper.observe(), *self._shaper.evicted()]
        pins = self._pins.held()
        if pins != mirror.pins:
            drift += _lost_pins(mirror.pins, pins)
            mirror.pins = pins
        pools, mirror.pools = mirror.pools, self._shaper.pools()
        drift += _changed_pools(pools, mirror.pools)
        rates, places = self._shaper.rates(), self._shaper.places()
        for key, slot in self._shaper.slots().items():
            standing = mirror.sessions[key]
            rate, pool = rates.get(slot), places[group_of(slot)]
            if not _same(standing.rate, rate) or standing.pool != pool:
                drift.append(f"the speed of {key} was changed")
                mirror.sessions[key] = Standing(standing.epoch, rate, standing.ways, pool)
        mirror.fresh = bool(drift)
        mirror.verified_at = self._now()
        mirror.verify_ms = _spent_ms() - began
        return tuple(drift)

    def _observe(self) -> tuple[_Mirror, tuple[str, ...]]:
        before, self._before = self._before, None
        began = _spent_ms()
        drift = [*filter(None, [self._tables.ensure_installed()]), *self._shaper.observe()]
        evicted = self._shaper.evicted()
        generation = self._tables.generation()
        now = self._now()
        # Who begins has just counted: what exists is not asked for twice.
        (named_at, named), self._named = self._named or (None, None), None
        held = self._tables.held(self._now, named if named_at == generation else None)
        nameless = self._shaper.know(held.pools)
        places, void = self._shaper.places(), frozenset(self._void)
        adopted = adopt(held, self._shaper.rates(), places=places, now=now, void=void)
        self._shaper.adopt(adopted.slots)
        mirror = _mirror_of(adopted, before)
        mirror.strays += tuple(CutCounter(pool_name(held.pools[n], n)) for n in nameless)
        mirror.pools = self._shaper.pools()
        mirror.pins = self._pins.held()
        mirror.generation = generation
        mirror.verified_at = self._now()
        mirror.verify_ms = _spent_ms() - began
        self._mirror = mirror
        if before is None:
            # The first look of this process: what is missing may never have been there.
            return mirror, tuple(evicted)
        return mirror, (*drift, *evicted, *_losses(before, mirror, now=now))

    def _bring(self, mirror: _Mirror, desired: Desired) -> int:
        only = None if mirror.fresh else touched(self._last, desired)
        observed = _observed(mirror)
        step = diff(
            observed,
            desired,
            now=self._now(),
            epoch=secrets.token_hex(6),
            only=only,
            same=same_rate,
        )
        pins = _pins_after(step, mirror)
        self._name_pools(step, mirror)
        changes = len(step.changes) + len(mirror.strays)
        opened: set[Address] = set()
        for part in portions(step, observed):
            ways = {change.address for change in part if isinstance(change, OpenWay)}
            opened |= ways
            self._shape(part)
            self._pins.pin({who: mac for who in ways if (mac := pins.get(who))})
            table = ops(part, slot_of=self._shaper.slot_of, now=self._now())
            self._commit((*mirror.strays, *table), mirror)
            mirror.strays = ()
            self._gained = bool(ways)
        # Those of addresses that were open before: no way of theirs waited for it.
        self._pins.pin({who: mac for who, mac in pins.items() if mac and who not in opened})
        self._pins.release(who for who, mac in pins.items() if mac is None)
        self._thin_out(step, mirror)
        _note(mirror, step, desired, pins=pins)
        self._last = desired
        return changes

    def _commit(self, table: Sequence[Op], mirror: _Mirror) -> None:
        if table:
            self._tables.commit(table, generation=mirror.generation)
            mirror.generation = (mirror.generation + 1) & 0xFFFFFFFF

    def _name_pools(self, step: Step, mirror: _Mirror) -> None:
        """Write down which pool has which number, before there is a class with that number."""
        paths = [change.path for change in step.changes if isinstance(change, SetPool)]
        fresh = self._shaper.number_pools(paths)
        self._commit([PutCounter(pool_name(key, n)) for n, key in fresh.items()], mirror)

    def _shape(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, FreeRate):
                self._shaper.free(change.session)
        for change in changes:
            if isinstance(change, SetPool):
                self._shaper.set_pool(change.path, change.rate)
            elif isinstance(change, SetRate):
                self._shaper.set_rate(change.session, change.rate, change.pool)
        self._shaper.flush()

    def _thin_out(self, step: Step, mirror: _Mirror) -> None:
        """Take away what nobody is led to any more, and then what tells of it."""
        self._shaper.settle()
        for change in step.changes:
            if isinstance(change, DropPool):
                self._shaper.drop_pool(change.path)
        gone = self._shaper.sweep()
        self._commit([CutCounter(pool_name(key, n)) for n, key in gone.items()], mirror)


def _observed(mirror: _Mirror) -> Observed:
    return Observed(
        mirror.sessions, mirror.caps, mirror.blocked, mirror.owners, mirror.pools, mirror.garden
    )


def _same(one: Rate | None, other: Rate | None) -> bool:
    return bool(one and other and same_rate(one, other))


def _mirror_of(adopted: Adopted, before: _Mirror | None) -> _Mirror:
    """What was read, with our own exact figures where the kernel's mean the same."""
    sessions = {
        key: _exact(standing, before.sessions.get(key) if before else None)
        for key, standing in adopted.observed.sessions.items()
    }
    observed = adopted.observed
    mirror = _Mirror(sessions, dict(observed.owners), dict(observed.caps), observed.blocked)
    mirror.garden, mirror.strays = observed.garden, adopted.strays
    return mirror


def _exact(read: Standing, believed: Standing | None) -> Standing:
    if believed is None or believed.epoch != read.epoch:
        return read
    ways = {
        address: believed.ways[address] if same_way(believed.ways.get(address), way) else way
        for address, way in read.ways.items()
    }
    rate = believed.rate if _same(believed.rate, read.rate) else read.rate
    return Standing(read.epoch, rate, compact(ways), read.pool)


def _losses(before: _Mirror, read: _Mirror, *, now: MonotonicMs) -> Iterator[str]:
    """What was there when we last looked, should be still, and is not."""
    for key, standing in before.sessions.items():
        found = read.sessions.get(key)
        if found is None or found.epoch != standing.epoch:
            yield f"the counters of {key} were removed"
            continue
        for address, way in standing.ways.items():
            over = way.open_until is not None and way.open_until <= now + DEADLINE_TOLERANCE_MS
            if found.ways.get(address) != way and not over:
                yield f"the access of {address} of {key} was changed"
        if found.ways and (found.rate, found.pool) != (standing.rate, standing.pool):
            yield f"the speed of {key} was changed"
    yield from (f"the budget {cap} was removed" for cap in before.caps if cap not in read.caps)
    yield from _changed_pools(before.pools, read.pools)
    if before.garden != read.garden:
        yield "the walled garden was changed"
    yield from _lost_pins(before.pins, read.pins)
    yield from (f"the block of {mac} was removed" for mac in sorted(before.blocked - read.blocked))


def _changed_pools(before: Mapping[PoolPath, Rate], read: Mapping[PoolPath, Rate]) -> list[str]:
    return [
        f"the pool {path[-1]} was changed"
        for path, rate in before.items()
        if not _same(rate, read.get(path))
    ]


def _lost_pins(
    before: Mapping[Address, MacAddress], read: Mapping[Address, MacAddress]
) -> list[str]:
    return [f"the pin of {who} was removed" for who in before if before[who] != read.get(who)]


def _pins_after(step: Step, mirror: _Mirror) -> dict[Address, MacAddress | None]:
    """Pins to make (a MAC) and to release (None)."""
    pins: dict[Address, MacAddress | None] = {}
    for change in step.changes:
        if isinstance(change, CloseWay):
            pins[change.address] = None
    if mirror.fresh:
        pins.update(dict.fromkeys(mirror.pins))
    for standing in step.after.values():
        for address, way in standing.ways.items() if standing else ():
            pins[address] = way.mac
    # What is so already needs no message.
    return {who: mac for who, mac in pins.items() if mirror.pins.get(who) != mac}


def _note(
    mirror: _Mirror,
    step: Step,
    desired: Desired,
    *,
    pins: Mapping[Address, MacAddress | None],
) -> None:
    """Write down what was done."""
    _note_sessions(mirror, step)
    for change in step.changes:
        if isinstance(change, DropCap):
            del mirror.caps[change.cap.key]
        elif isinstance(change, SetCap):
            mirror.caps[change.cap.key] = change.cap.revision
        elif isinstance(change, SetPool):
            mirror.pools[change.path] = change.rate
        elif isinstance(change, DropPool):
            del mirror.pools[change.path]
    mirror.blocked = desired.blocked
    mirror.garden = collapsed(desired.garden)
    mirror.strays = ()
    if mirror.fresh:
        # What was read goes with its copies of every address.
        every = mirror.sessions.values()
        mirror.pins = {who: way.mac for one in every for who, way in one.ways.items()}
    mirror.fresh = False
    mirror.pins.update({address: mac for address, mac in pins.items() if mac is not None})
    for address in (address for address, mac in pins.items() if mac is None):
        mirror.pins.pop(address, None)


def _note_sessions(mirror: _Mirror, step: Step) -> None:
    for key in step.after:
        gone = mirror.sessions.pop(key, None)
        for address in gone.ways if gone else ():
            if mirror.owners.get(address) == key:
                del mirror.owners[address]
    for key, standing in step.after.items():
        if standing is not None:
            mirror.sessions[key] = standing
            mirror.owners.update(dict.fromkeys(standing.ways, key))


def _fell(before: Counter | None, now: Counter) -> bool:
    if before is None or before.epoch != now.epoch:
        return False
    return now.down_bytes_total < before.down_bytes_total or (
        now.up_bytes_total < before.up_bytes_total
    )
