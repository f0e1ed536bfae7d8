"""The one loop that changes what a site knows: drain, decide, journal, apply.

Everything that happens is an event in one queue. The loop takes all that are there as one batch,
decides them at one moment, makes one journal commit, and brings the plane to the new desired state
once. Nobody is told *done* before it is applied.

Reading the plane's counters happens here too, between batches, so that a reading and an `apply`
never cross. Errors of the plane and of the disk are logged when they begin and when they are over;
the loop goes on trying.

While the disk takes nothing, acknowledgements stop, not the customers. What the controller ordered
(it will say so again) and what the LAN and the plane show is decided and applied in memory, and
facts wait in bounded memory until they are journalled. What makes money or uses up a code
(`agent.model.BINDING`) is never decided without the disk: after a short patience it is refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from agent import log
from agent.decide import decide_all
from agent.desired import (
    POLL_CLOSING_MS,
    POLL_MS,
    Plan,
    planned,
    poll_in_ms,
    same_grounds,
    same_orders,
)
from agent.journal import JournalError
from agent.model import BINDING, Counted, Noticed, Resync, Ticked
from agent.outbox import Level, latest
from agent.uplink.seam import AppliedState
from shaping.plane import Desired, MonotonicMs, Partial, PlaneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from agent.clock import Clock
    from agent.journal import Journal
    from agent.model import Effect, Event, Fact, Instant, State
    from shaping.plane import DataPlane, SessionKey

R = TypeVar("R")

QUEUE_EVENTS_MAX = 50_000
"""Events that may wait; beyond it, whoever tells the loop something waits too."""

BATCH_EVENTS_MAX = 5_000
"""Events decided in one batch."""

REST_MS = 5_000
"""The longest time between two looks at the deadlines."""

MEND_MS = 30_000
"""How often the whole desired state is applied again, to mend what somebody else changed."""

COUNT_SHARE = 200
"""While nothing is near its end, counting takes at most one part in so many of the time ..."""

COUNT_MAX_MS = 3_500
"""... but happens at least this often: sooner than `agent.sessions.STALLED_MS`."""

REACH_MS = 2_000
"""When it is tried again to reach a box that did not answer while others did."""

RETRY_MS = (1_000, 2_000, 5_000, 10_000)
"""Waits before the plane or the disk is tried again; the last one repeats."""

DRIFT_NOTICES_MAX = 10
"""Pieces of drift, and of what was refused, reported from one `apply`."""

PATIENCE_MS = 3_000
"""How long what needs the disk waits for it before it is refused: somebody looks at a page."""

UNWRITTEN_MAX = 20_000
"""Facts that wait in memory for the disk, thinned out as the outbox is. When there are more that
must not be dropped, nothing further is decided until the disk is back; the kernel goes on."""

_OUTBOX = {
    Level.FILLING: ("outbox_filling", "when it is full, only the latest reading of each session"),
    Level.FULL: ("outbox_full", "from now on only the latest reading of each session"),
}


class NotKept(Exception):  # noqa: N818 - a sentence: the disk did not keep it
    """The disk took nothing for too long. What was asked is not done, and will not be."""


@dataclass(slots=True)
class _Waiting:
    event: Event
    until: int
    kept: asyncio.Future[None] | None = None
    done: asyncio.Future[bool] | None = None

    @property
    def binding(self) -> bool:
        return isinstance(self.event, BINDING)

    def refuse(self) -> None:
        for future in (self.kept, self.done):
            if future is not None and not future.done():
                future.set_exception(NotKept("the disk of this site takes nothing"))


@dataclass(slots=True)
class _Trouble:
    """Something outside that fails: how often in a row, and when to try again."""

    name: str
    failures: int = 0
    again_at: int = 0
    since: int = 0
    said: str = ""

    def failed(self, mono: MonotonicMs, error: Exception) -> None:
        if not self.failures:
            log.error("trouble", part=self.name, error=str(error))
            self.since = mono
        self.again_at = mono + RETRY_MS[min(self.failures, len(RETRY_MS) - 1)]
        self.failures += 1
        self.said = str(error)

    def hurry(self, mono: MonotonicMs) -> None:
        """Somebody waits: try again as soon as after the first failure."""
        self.again_at = min(self.again_at, mono + RETRY_MS[0])

    def over(self) -> None:
        if self.failures:
            log.info("trouble_over", part=self.name, failures=self.failures)
        self.failures, self.again_at = 0, 0


class Loop:
    """A site at work. ``state`` is what it knows now; it is changed by this loop alone.

    ``unreached`` are sessions at a box that does not answer while others of the site do.
    ``disk`` is where the journal's work is done, one piece at a time; a thread of its own unless
    something else is given. ``lines_at`` is as in `agent.desired.desired`.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        plane: DataPlane,
        clock: Clock,
        disk: Executor | None = None,
        unwritten_max: int = UNWRITTEN_MAX,
        lines_at: str = "",
    ) -> None:
        self.state: State = journal.state
        self.applied = AppliedState(generation=0, digest=b"")
        self._journal = journal
        self._plane = plane
        self._clock = clock
        self._lines_at = lines_at
        self._queue: deque[_Waiting] = deque()
        self._held: list[_Waiting] = []
        self._unwritten: list[tuple[Fact, datetime]] = []
        self._unwritten_max = unwritten_max
        self._told_level = journal.level
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._disk = disk or ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._listeners: list[Callable[[tuple[Fact, ...], bool], None]] = []
        self._plane_trouble = _Trouble("plane")
        self._disk_trouble = _Trouble("journal")
        self._plan = Plan()
        self._last = Desired()
        self._refused: tuple[str, ...] = ()
        self.unreached: frozenset[SessionKey] = frozenset()
        self._clean = False
        self._mend_at = 0
        self._count_at = 0
        self._count_ms = 0

    @property
    def healthy(self) -> bool:
        """Whether the plane and the disk last did what they were told."""
        troubled = self._plane_trouble.failures or self._disk_trouble.failures
        return not (troubled or self.unreached)

    @property
    def troubles(self) -> list[str]:
        """What keeps it from being healthy, for people."""
        parts = (self._plane_trouble, self._disk_trouble)
        found = [f"{one.name}: {one.said}" for one in parts if one.failures]
        if self.unreached:
            found.append(f"plane: {len(self.unreached)} sessions at a box that does not answer")
        return found

    def now(self) -> Instant:
        """The present moment, by the loop's clock."""
        return self._clock.now()

    def listen(self, listener: Callable[[tuple[Fact, ...], bool], None]) -> None:
        """Have ``listener(facts, resync)`` called after each batch that is journalled."""
        self._listeners.append(listener)

    def hint(self, event: Event) -> None:
        """Put an event into the queue if there is room; for what will be seen again anyway."""
        if len(self._queue) < QUEUE_EVENTS_MAX:
            self._queue.append(self._waiting(event))
            self._arrived.set()

    def mend(self) -> None:
        """Have the plane told again soon, though nothing new is wanted of it."""
        self._mend_at = 0
        self._arrived.set()

    async def tell(self, event: Event) -> None:
        """Put an event into the queue; waits only while the queue is full."""
        await self._put(self._waiting(event))

    async def kept(self, event: Event) -> None:
        """Put an event into the queue and wait until what follows from it is journalled.

        With a disk that fails, what can be told again is decided without it; what makes money or
        uses up a code raises `NotKept`, and then it did not happen.
        """
        waiting = self._waiting(event)
        waiting.kept = asyncio.get_running_loop().create_future()
        await self._put(waiting)
        assert waiting.kept is not None
        await waiting.kept

    async def done(self, event: Event) -> bool:
        """The same, and until it is applied; False when the plane could not be brought there."""
        waiting = self._waiting(event)
        waiting.done = asyncio.get_running_loop().create_future()
        await self._put(waiting)
        assert waiting.done is not None
        return await waiting.done

    async def disk(self, work: Callable[..., R], *arguments: object) -> R:
        """Do something with the journal, in the one thread that may."""
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self._disk, work, *arguments)

    async def wait(self, awaited: Awaitable[object], *, at_most_ms: int) -> bool:
        """As `agent.clock.Clock.wait`, by the loop's clock."""
        return await self._clock.wait(awaited, at_most_ms=at_most_ms)

    async def run(self) -> None:
        """Work until cancelled. What is journalled stays; the plane stays as it is."""
        try:
            while True:
                await self.turn()
                await self._rest()
        finally:
            await self._disk_rests()

    async def _disk_rests(self) -> None:
        """Wait for what is being done with the journal, and hold nobody else in this process."""
        last = asyncio.get_running_loop().run_in_executor(self._disk, int)
        try:
            await asyncio.gather(asyncio.shield(last), return_exceptions=True)
        finally:
            self._disk.shutdown(wait=True)

    async def turn(self) -> None:
        """One batch: drain, count if it is time, decide, journal, apply."""
        self._refuse_late(self._clock.now().mono)
        if self._stuck and self._clock.now().mono < self._disk_trouble.again_at:
            return
        batch = [*self._held, *self._drain()]
        self._held = []
        began = self._clock.now().mono
        counted = await self._count()
        now = self._clock.now()
        state, effects = self._decided(batch, counted, now)
        if counted is None and _refills(self.state, state):
            # Invariant: the plane is given a budget less all that has passed, not less all that
            # had passed when it was last looked at.
            counted = await self._count(at_once=True)
            now = self._clock.now()
            state, effects = self._decided(batch, counted, now)
        if counted is not None:
            self._count_ms = self._clock.now().mono - began
        told = await self._written(state, _facts(effects), now)
        if told is None:
            if self._stuck:
                self._held = batch
                return
            self._held = [waiting for waiting in batch if waiting.binding]
            if self._held:
                self._disk_trouble.hurry(now.mono)
            batch = [waiting for waiting in batch if not waiting.binding]
            state, effects = self._decided(batch, counted, now)
            self._remember(_facts(effects), now.wall)
            told = ()
        busy = state.sessions is not self.state.sessions
        self.state = state
        for waiting in batch:
            _settle(waiting.kept, None)
        clean = await self._apply()
        for waiting in batch:
            _settle(waiting.done, clean)
        self._plan_count(now.mono, sooner=busy and counted is None, again=counted is not None)
        resync = any(isinstance(effect, Resync) for effect in effects)
        for listener in self._listeners:
            listener(told, resync)

    def _decided(
        self, batch: Sequence[_Waiting], counted: Counted | None, now: Instant
    ) -> tuple[State, tuple[Effect, ...]]:
        events = [waiting.event for waiting in batch]
        if counted is not None:
            events.append(counted)
        return decide_all(self.state, events or (Ticked(),), now)

    async def _written(
        self, state: State, facts: tuple[Fact, ...], now: Instant
    ) -> tuple[Fact, ...] | None:
        """The facts that are journalled now, earlier ones included; None: the disk took nothing."""
        trouble = self._disk_trouble
        if now.mono < trouble.again_at:
            return None
        told = [*self._unwritten, *((fact, now.wall) for fact in facts)]
        try:
            if self._unwritten:
                await self.disk(self._journal.commit_dated, state, told)
            else:
                await self.disk(self._journal.commit, state, facts, now.wall)
        except JournalError as error:
            trouble.failed(now.mono, error)
            return None
        if trouble.failures:
            text = f"the disk took nothing for {(now.mono - trouble.since) // 1000} s"
            self.hint(Noticed(code="journal_failed", text=f"{text}; all is written down now"))
        trouble.over()
        self._unwritten = []
        self._watch_outbox()
        return tuple(fact for fact, _ in told)

    def _watch_outbox(self) -> None:
        """Say it once when the outbox fills, and once when it is full."""
        level, fill = self._journal.level, self._journal.fill
        if level > self._told_level:
            code, then = _OUTBOX[level]
            text = f"{fill.percent} % of the outbox waits for the controller; {then} is kept"
            self.hint(Noticed(code=code, text=text))
        self._told_level = level

    @property
    def _stuck(self) -> bool:
        """Whether more waits for the disk than memory is given for."""
        return len(self._unwritten) >= self._unwritten_max

    def _remember(self, facts: tuple[Fact, ...], at: datetime) -> None:
        self._unwritten += [(fact, at) for fact in facts]
        if self._stuck:
            self._unwritten = latest(self._unwritten)

    def _refuse_late(self, mono: MonotonicMs) -> None:
        """Refuse what needs the disk and has waited for it long enough."""
        if not self._disk_trouble.failures:
            return
        waits = [*self._held, *self._queue]
        late = {id(one) for one in waits if one.binding and one.until <= mono}
        if not late:
            return
        for waiting in waits:
            if id(waiting) in late:
                waiting.refuse()
        self._held = [one for one in self._held if id(one) not in late]
        self._queue = deque(one for one in self._queue if id(one) not in late)

    def _waiting(self, event: Event) -> _Waiting:
        return _Waiting(event, until=self._clock.now().mono + PATIENCE_MS)

    async def _put(self, waiting: _Waiting) -> None:
        while len(self._queue) >= QUEUE_EVENTS_MAX:
            self._room.clear()
            await self._room.wait()
        self._queue.append(waiting)
        self._arrived.set()

    def _drain(self) -> list[_Waiting]:
        count = min(len(self._queue), BATCH_EVENTS_MAX)
        batch = [self._queue.popleft() for _ in range(count)]
        if not self._queue:
            self._arrived.clear()
        self._room.set()
        return batch

    async def _count(self, *, at_once: bool = False) -> Counted | None:
        mono = self._clock.now().mono
        count_at = mono if at_once else self._count_at
        if not self.state.sessions or mono < max(count_at, self._plane_trouble.again_at):
            return None
        try:
            counters = await self._plane.counters()
        except PlaneError as error:
            self._plane_trouble.failed(mono, error)
            return None
        unread = counters.unread if isinstance(counters, Partial) else frozenset()
        if unread:
            self._mend_at = min(self._mend_at, mono + REACH_MS)
        return Counted(counters, applied=self._clean, unread=unread | self.unreached)

    async def _apply(self) -> bool:
        mono = self._clock.now().mono
        if mono < self._plane_trouble.again_at:
            # What is decided meanwhile is not done: a closed session is not yet closed.
            self._clean = False
            return False
        if self._clean and mono < self._mend_at and self._nothing_new(mono):
            self._note_applied()
            return True
        self._plan = planned(self.state, mono, self._plan, lines_at=self._lines_at)
        want = self._plan.desired
        if self._clean and mono < self._mend_at and same_orders(self._last, want):
            self._note_applied()
            return True
        self._clean = False
        try:
            applied = await self._plane.apply(want)
        except PlaneError as error:
            self._plane_trouble.failed(mono, error)
            return False
        self._plane_trouble.over()
        self._last, self._clean = want, True
        self.unreached = applied.unreached
        self._mend_at = mono + (REACH_MS if applied.unreached else MEND_MS)
        self._note_applied()
        for text in applied.drift[:DRIFT_NOTICES_MAX]:
            self.hint(Noticed(code="drift", text=text))
        self._tell_refused(applied.refused)
        return True

    def _tell_refused(self, refused: tuple[str, ...]) -> None:
        """Say once what a box does not take, however often it is told again."""
        for text in [one for one in refused if one not in self._refused][:DRIFT_NOTICES_MAX]:
            self.hint(Noticed(code="refused", text=text))
        self._refused = refused

    def _nothing_new(self, mono: MonotonicMs) -> bool:
        """Whether the plan of the last batch is still the plan, with no need to look closer."""
        return mono < self.state.due_at and same_grounds(self._plan.state, self.state)

    def _note_applied(self) -> None:
        self.applied = AppliedState(self.state.generation, self.state.digest)

    def _plan_count(self, mono: MonotonicMs, *, sooner: bool, again: bool) -> None:
        if again:
            self._count_at = mono + self._count_in_ms(mono)
        elif sooner:
            wait = POLL_CLOSING_MS if self.state.closing else POLL_MS
            self._count_at = min(self._count_at, mono + wait)

    def _count_in_ms(self, mono: MonotonicMs) -> int:
        wait = poll_in_ms(self.state, mono) or POLL_MS
        if wait < POLL_MS:
            return wait
        return max(wait, min(COUNT_MAX_MS, self._count_ms * COUNT_SHARE))

    async def _rest(self) -> None:
        """Until something happens, or the next deadline."""
        if self._queue and not self._stuck:
            await asyncio.sleep(0)
            return
        mono = self._clock.now().mono
        dues = [mono + REST_MS, self.state.due_at, self._mend_at]
        if self.state.sessions:
            dues.append(self._count_at)
        dues = [max(due, self._plane_trouble.again_at) for due in dues[2:]] + dues[:2]
        if self._plane_trouble.failures:
            dues.append(self._plane_trouble.again_at)
        if self._disk_trouble.failures:
            dues += [self._disk_trouble.again_at, *(one.until for one in self._held)]
        if self._stuck:
            await self._clock.sleep(max(1, self._disk_trouble.again_at - mono) / 1000)
            return
        await self._clock.wait(self._arrived.wait(), at_most_ms=max(1, min(dues) - mono))


def _refills(before: State, after: State) -> bool:
    """Whether the plane will be given a budget anew, in place of one that it is drawing on."""
    if after.grants is before.grants:
        return False
    return any(
        grant_id in before.grants
        and before.grants[grant_id].cap_revision != after.grants[grant_id].cap_revision
        for grant_id in before.index.by_grant
        if grant_id in after.grants
    )


def _facts(effects: Sequence[Effect]) -> tuple[Fact, ...]:
    return tuple(effect for effect in effects if not isinstance(effect, Resync))


def _settle(future: asyncio.Future[R] | None, value: R) -> None:
    if future is not None and not future.done():
        future.set_result(value)
