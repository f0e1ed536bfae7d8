"""A site: a real agent on a pretended box that is killed, loses its power, lies of the time."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from agent.courier import Courier
from agent.gate import SiteGate
from agent.journal import SEEN_STEP_MS, Journal, JournalError
from agent.loop import Loop
from agent.model import Instant, Redeemed, Sighted
from agent.running import settle
from billing.metering import Volume
from shaping.memory import MemoryPlane
from shaping.plane import (
    CapKey,
    Counter,
    MacAddress,
    MonotonicMs,
    Neighbour,
    PlaneError,
    SessionKey,
    Sight,
)
from tests.simulation.network import Link, SimulatedUplink
from tests.simulation.virtual import FIRST_S, true_wall, virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from agent.model import Fact
    from billing.ids import SiteId
    from shaping.plane import Applied, Desired
    from tests.simulation.office import Office

P = ParamSpec("P")
T = TypeVar("T")
SEEN_EVERY_S = 45
JOURNAL = "journal.db"
_FULL = 2

SURE_AFTER_S = 8.0
"""The agent looks at its clock at least this often, and charges what it finds."""

PAUSED_WITHIN_S = 2.0
"""Nothing passes on a grant that the agent has known as suspended for so long."""

PLANE_BACK_S = 12.0
"""So long after the kernel obeys again everything that was decided is done."""


class Clock:
    """A machine's clocks: its wall clock may be wrong by ``wrong``."""

    def __init__(self) -> None:
        self.wrong = timedelta(0)
        self.boots = 1
        self._booted_s = FIRST_S - 100

    def now(self) -> Instant:
        """What the machine believes."""
        mono = int((asyncio.get_running_loop().time() - self._booted_s) * 1000)
        return Instant(true_wall() + self.wrong, MonotonicMs(mono), f"boot-{self.boots}")

    def boot(self, wrong: timedelta) -> None:
        """Begin a life of the machine."""
        self.boots += 1
        self.wrong = wrong
        self._booted_s = asyncio.get_running_loop().time() - 2

    async def sleep(self, seconds: float) -> None:
        """As the real one."""
        await asyncio.sleep(seconds)

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """As the real one."""
        try:
            await asyncio.wait_for(awaited, at_most_ms / 1000)
        except TimeoutError:
            return False
        return True


class Box(MemoryPlane):
    """The pretended kernel, which tells what really passed.

    ``heard`` is called with what it is told; ``meanwhile`` in the middle of every call, since
    devices do not wait for the agent. While it is ``broken`` it goes on as it was and obeys nobody.
    ``spilled`` is what passed of a budget at the very moment when it was given anew.
    """

    def __init__(
        self,
        now: Callable[[], MonotonicMs],
        *,
        heard: Callable[[Desired], None],
        meanwhile: Callable[[], None],
    ) -> None:
        super().__init__(now)
        self.passed: dict[SessionKey, Volume] = {}
        self.lost: dict[SessionKey, Volume] = {}
        self.broken = False
        self.spilled: dict[CapKey, int] = {}
        self._just_now: tuple[MonotonicMs, dict[CapKey, int]] = (now(), {})
        self._heard, self._meanwhile = heard, meanwhile

    async def apply(self, desired: Desired) -> Applied:
        """As the real one; it may also refuse."""
        self._heard(desired)
        self._meanwhile()
        if self.broken:
            raise PlaneError("the kernel refuses")
        at, sizes = self._just_now
        for key, cap in desired.caps.items():
            budget = self._box.budgets.get(key)
            if at == self._now() and budget is not None and budget.revision != cap.revision:
                self.spilled[key] = self.spilled.get(key, 0) + sizes.get(key, 0)
        return await super().apply(desired)

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """As the real one; what passes afterwards is not in it."""
        if self.broken:
            raise PlaneError("the kernel does not answer")
        counted = await super().counters()
        self._meanwhile()
        return counted

    def offer(self, address: IPv4Address, mac: MacAddress, size: Volume) -> SessionKey | None:
        """Traffic comes; under which session it passed, if it did."""
        key, way = self._box.ways.get(address, (None, None))
        if not self.pass_bytes(address, mac, down=size.down_bytes, up=size.up_bytes):
            return None
        assert key is not None
        assert way is not None
        self.passed[key] = self.passed.get(key, Volume()) + size
        if way.cap is not None:
            if self._just_now[0] != self._now():
                self._just_now = (self._now(), {})
            sizes = self._just_now[1]
            sizes[way.cap.key] = sizes.get(way.cap.key, 0) + size.total_bytes
        return key

    def session_at(self, address: IPv4Address | IPv6Address) -> SessionKey | None:
        """Whose address it is."""
        found = self._box.ways.get(address)
        return None if found is None else found[0]

    def counts(self) -> Mapping[SessionKey, Counter]:
        """What the counters say, without asking through the seam."""
        return {
            key: Counter(meter.epoch, meter.down_bytes, meter.up_bytes)
            for key, meter in self._box.meters.items()
        }


class Disk(Executor):
    """Does the journal's work where it is asked.

    ``doomed``: power fails during the next piece. ``full``: it takes nothing. ``behind``: it took
    nothing the last time, so more is decided than is written.
    """

    def __init__(self) -> None:
        self.doomed: Callable[[Callable[[], object]], None] | None = None
        self.full = self.behind = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it now; or half of it, and then nothing more ever happens here."""
        future: Future[T] = Future()
        if self.full:
            self.behind = True
            future.set_exception(JournalError("database or disk is full"))
            return future
        if self.doomed is not None:
            doomed, self.doomed = self.doomed, None
            doomed(lambda: fn(*args, **kwargs))
            return future
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is told to whoever asked
            future.set_exception(error)
        else:
            self.behind = self.behind and not fn.__name__.startswith("commit")
        return future


@dataclass(slots=True)
class Granted:
    """What a session was opened on, as the box saw it the first time.

    ``devices`` are all that ever had it, ``latest`` those that the agent named last.
    """

    id: str
    devices: set[str]
    latest: frozenset[str]
    validity_s: int | None
    uptime_s: int | None
    quota_bytes: int | None
    devices_max: int
    opened_s: float


class Place:
    """One site. The box and its counters outlive the agent; the disk outlives the power."""

    def __init__(
        self,
        folder: Path,
        site_id: SiteId,
        office: Office,
        *,
        chance: random.Random,
        faults: list[str],
        meanwhile: Callable[[Place], None],
    ) -> None:
        self.site_id, self.office, self.chance = site_id, office, chance
        self.folder, self.lives, self.faults = folder, 0, faults
        self.clock = Clock()
        self.box = Box(
            now=lambda: self.clock.now().mono,
            heard=self._must_be_written,
            meanwhile=lambda: meanwhile(self),
        )
        self.link = Link(chance)
        self.devices: dict[IPv4Address, MacAddress] = {}
        self.up = False
        self.grants: dict[SessionKey, Granted] = {}
        self.redeemed: set[object] = set()
        self._first: dict[str, float] = {}
        self._suspended: dict[str, float] = {}
        self._lost_s = self._unsure_s = self._sure_at = 0.0
        self._full_since = self._obeyed_at = 0.0
        (folder / "0").mkdir(parents=True)

    @property
    def disk_folder(self) -> Path:
        """Where the present life's journal is."""
        return self.folder / str(self.lives)

    def start(self) -> None:
        """Start the agent on what is on the disk."""
        life, self._suspended = self._life, {}
        self.disk = Disk()
        self.journal = Journal(self.disk_folder / JOURNAL)
        self.loop = Loop(journal=self.journal, plane=self.box, clock=self.clock, disk=self.disk)
        self.loop.listen(self._listen)
        self.uplink = SimulatedUplink(self.office, self.site_id, self.link)
        courier = Courier(
            loop=self.loop, journal=self.journal, uplink=self.uplink, clock=self.clock
        )
        self.gate = SiteGate(
            loop=self.loop,
            uplink=self.uplink,
            resolve=self.devices.get,  # type: ignore[arg-type]  # v4 only
            secret=self.journal.id,
            link_up=lambda: courier.link_up,
            slow=Disk(),
        )
        always = settle(self.loop, self.journal, self.clock)
        for work in (self.loop.run(), courier.run(), self._watch(), always):
            virtual_loop().spawn(life, work)
        self.up = True

    def look(self) -> None:
        """Note what sessions there are, and on which grants."""
        if not self.up:
            return
        now = asyncio.get_running_loop().time()
        state = self.loop.state
        for session in state.sessions.values():
            grant = state.grants[session.grant_id].grant
            opened = self._first.setdefault(grant.id, now)
            limits = grant.limits
            known = self.grants.setdefault(
                SessionKey(session.id),
                Granted(
                    grant.id,
                    set(),
                    frozenset(),
                    limits.validity_s,
                    limits.uptime_s,
                    limits.quota_bytes,
                    limits.devices_max,
                    opened,
                ),
            )
            known.devices.update(grant.devices)
            known.latest = frozenset(grant.devices)
        suspended = [use.grant.id for use in state.grants.values() if use.suspended]
        self._suspended = {one: self._suspended.get(one, now) for one in suspended}

    def paused(self, key: SessionKey) -> bool:
        """Whether the agent has known for a while that the session's grant is suspended."""
        now = asyncio.get_running_loop().time()
        since = self._suspended.get(self.grants[key].id, now) if self.up else now
        return max(since, self._obeyed_at) + PAUSED_WITHIN_S < now and not self.box.broken

    @property
    def forgiven_s(self) -> float:
        """Time that may be given once more: lost for good, or off while the clock is wrong."""
        if not self.clock.wrong and asyncio.get_running_loop().time() > self._sure_at:
            self._unsure_s = 0.0
        return self._lost_s + self._unsure_s

    @property
    def lost_track(self) -> bool:
        """Whether this site may have lost count of time, by a wrong clock or a full disk."""
        return self._lost_s > 0 or self.disk.behind

    @property
    def able(self) -> bool:
        """Whether the agent runs, on a box that does as it is told."""
        settled = asyncio.get_running_loop().time() > self._obeyed_at
        return self.up and settled and not (self.box.broken or self.disk.full)

    def boot(self, *, wrong: timedelta, off_s: float) -> None:
        """The power is back after ``off_s``."""
        self._unsure_s += off_s + SEEN_STEP_MS / 1000
        if self.clock.wrong:  # nobody knows any more when it was that the power failed
            self._lost_s += self._unsure_s
            self._unsure_s = 0.0
        self.clock.boot(wrong)
        self._sure_at = asyncio.get_running_loop().time() + SURE_AFTER_S
        self.box.broken = False
        self.start()

    def fill_disk(self) -> None:
        """Nothing more can be written."""
        self._full_since = asyncio.get_running_loop().time()
        self.disk.full = True

    def obey(self) -> None:
        """The kernel does as it is told again."""
        if self.box.broken:
            self.box.broken = False
            self._obeyed_at = asyncio.get_running_loop().time() + PLANE_BACK_S

    def set_right(self) -> None:
        """The machine hears the right time."""
        if self.clock.wrong:
            self._sure_at = asyncio.get_running_loop().time() + SURE_AFTER_S
        self.clock.wrong = timedelta(0)

    def ask(self, work: Callable[[SiteGate], Any]) -> asyncio.Task[Any]:
        """Somebody at the portal; the answer may never come."""
        return virtual_loop().spawn(self._life, work(self.gate))

    async def kill(self, *, torn: bool = False) -> None:
        """As kill -9; ``torn``: in the middle of the next write, of which a part is on the disk."""
        assert self.up
        self.look()
        after = self.folder / str(self.lives + 1)
        after.mkdir()
        torn = torn and not self.disk.behind
        if torn:
            written = asyncio.Event()

            def tear(work: Callable[[], object]) -> None:
                _tear(self.disk_folder, after, work, self.chance)
                written.set()

            self.disk.doomed = tear
            try:
                await asyncio.wait_for(written.wait(), 60)
            except TimeoutError:
                self.disk.doomed = None
                torn = False
        if not torn:
            _copy(self.disk_folder, after, synced=self._synced)
        await virtual_loop().end_life(self._life)
        self.journal.close()
        self.up = False
        self.lives += 1
        if self.disk.behind:
            self._forget_unwritten()
            self._lost_s += asyncio.get_running_loop().time() - self._full_since

    def _listen(self, facts: tuple[Fact, ...], _resync: bool) -> None:  # noqa: FBT001 - a callback
        self.look()
        for fact in facts:
            if isinstance(fact, Redeemed):
                if fact.mark in self.redeemed:
                    self.faults.append(f"3: {self.site_id} took {fact.mark} a second time")
                self.redeemed.add(fact.mark)

    def _must_be_written(self, desired: Desired) -> None:
        """Invariant: the kernel is told nothing that the journal does not hold."""
        if self.disk.behind:
            return
        rows = self.journal._db.execute("SELECT id FROM session").fetchall()  # noqa: SLF001 - is it there?
        strange = desired.access.keys() - {SessionKey(key) for (key,) in rows}
        if strange:
            self.faults.append(f"7: the kernel of {self.site_id} was told of unwritten {strange}")

    def _forget_unwritten(self) -> None:
        """What was decided while the disk took nothing is lost with the agent, as it says."""
        written = {SessionKey(key) for key in self._sessions_on_disk()}
        for key, counter in self.box.counts().items():
            if key not in written:
                there = Volume(counter.down_bytes_total, counter.up_bytes_total)
                self.box.lost[key] = self.box.lost.get(key, Volume()) + there

    async def lose_power(self, *, torn: bool) -> None:
        """The agent, the kernel's tables and counters: all gone. Bytes not yet read are lost."""
        await self.kill(torn=torn)
        read, known = self._read_so_far(), self._sessions_on_disk()
        for key, counter in self.box.counts().items():
            if key not in known:
                continue  # counted out, or lost before
            there = Volume(counter.down_bytes_total, counter.up_bytes_total)
            kept = read.get((key, counter.epoch), Volume())
            unread = Volume(there.down_bytes - kept.down_bytes, there.up_bytes - kept.up_bytes)
            self.box.lost[key] = self.box.lost.get(key, Volume()) + unread
        self.box.reboot()

    async def stop(self) -> None:
        """End it."""
        if self.up:
            await virtual_loop().end_life(self._life)
            self.journal.close()
            self.up = False

    @property
    def _life(self) -> str:
        return f"{self.site_id}-{self.lives}"

    @property
    def _synced(self) -> bool:
        found = self.journal._db.execute("PRAGMA synchronous").fetchone()  # noqa: SLF001 - is it durable?
        return bool(found[0] >= _FULL)

    def _read_so_far(self) -> dict[tuple[SessionKey, str], Volume]:
        """What of the counters is on the disk."""
        journal = Journal(self.disk_folder / JOURNAL)
        try:
            return {
                (SessionKey(session.id), epoch): volume
                for session in journal.state.sessions.values()
                for epoch, volume in session.meter.epochs.items()
            }
        finally:
            journal.close()

    def _sessions_on_disk(self) -> set[str]:
        journal = Journal(self.disk_folder / JOURNAL)
        try:
            return set(map(str, journal.state.sessions))
        finally:
            journal.close()

    async def _watch(self) -> None:
        """The LAN shows its devices now and then."""
        while True:
            for address, mac in list(self.devices.items()):
                await self.loop.tell(Sighted(Neighbour(Sight.SEEN, mac, address)))
            await asyncio.sleep(SEEN_EVERY_S)


def _copy(before: Path, after: Path, *, synced: bool) -> None:
    """What a power cut leaves: everything that was synced, and nothing that was not."""
    for file in before.iterdir():
        if synced or not file.name.endswith("-wal"):
            shutil.copy(file, after / file.name)


def _tear(before: Path, after: Path, work: Callable[[], object], chance: random.Random) -> None:
    """Do ``work`` and keep a part of what it appended to the write-ahead log."""
    log = before / f"{JOURNAL}-wal"
    had = log.stat().st_size if log.exists() else 0
    there = (before / JOURNAL).read_bytes()
    work()
    if (before / JOURNAL).read_bytes() != there or log.stat().st_size <= had:
        _copy(before, after, synced=True)
        return
    _copy(before, after, synced=True)
    whole = (after / log.name).read_bytes()
    kept = chance.randrange(had, len(whole) + 1)
    garbage = chance.randbytes(min(64, len(whole) - kept))
    (after / log.name).write_bytes(whole[:kept] + garbage)
