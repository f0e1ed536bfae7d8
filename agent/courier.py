"""The tasks that talk to the controller: follow, report, and ask for money.

Each goes on for ever: when the link is down it tries again, less and less often, with jitter, so
that a thousand sites do not return in one second. Whenever one of them gets through, the others try
at once.

A report is as large as the link takes in a few seconds (`agent.pace`). When the backlog is longer
than one report, the newest state of sessions goes ahead of history. What is on a disk that cannot
be read is not reported, and what the disk cannot forget is reported again: both change nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from agent import log, orders
from agent.changes import NO_ITEMS
from agent.journal import JournalError
from agent.model import Answered, Changed, Reading, Unanswered
from agent.pace import Pace
from agent.uplink.seam import (
    NO_PARTS,
    REPORT_BATCH_MAX,
    AppliedState,
    Backlog,
    Order,
    OrderAnswer,
    UplinkError,
    UplinkRefused,
)
from agent.vitals import FRESH_MS, Calls
from billing.payment import OrderStage, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from agent.clock import Clock
    from agent.journal import Journal
    from agent.loop import Loop
    from agent.model import Fact, Instant, OrderNote
    from agent.uplink.seam import DesiredChange, Held, Uplink
    from agent.vitals import LinkSeen, Vitals
    from agent.wire import Record
    from billing.ids import OrderId

RETRY_MAX_S = 30
"""The longest wait between two tries to reach the controller."""

HEARTBEAT_MS = 60_000
"""A report is sent at least this often, even an empty one: silence means that the link is down."""

GATHER_MS = 2_000
"""Readings wait this long for company; openings, closings and notices do not wait."""

NEWEST_MS = 10_000
"""How often the newest state goes ahead of a long history."""

ASK_S = 2
"""How often an undecided order is asked about while the customer is watching."""

WATCHED_MS = 120_000
"""How long the customer is taken to be watching."""

ASK_SLOWLY_MAX_S = 60
"""How often an order is asked about at least, once nobody is watching."""

UNSENT_TRY_MAX_S = 3
"""How often an order that never got through is tried again at least."""

LAST_TRY_MS = orders.REACH_MS - 15_000
"""An order that never got through is not sent later than this: it is about to expire."""

LIVED_MS = 10_000
"""A stream of changes that lived this long is followed again without delay."""

ANEW_MAX_S = 60
"""The longest wait before a snapshot is asked for again."""

PURCHASES_MAX = 200
"""Orders looked after at the same time; further ones wait."""

PURCHASE_CALLS_MAX = 8
"""Orders asked about in one instant: follow and report must fit on the same connection."""

FINAL = frozenset({OrderStage.PAID, OrderStage.REFUSED, OrderStage.EXPIRED})


CUT_OFF_AFTER_MS = 60_000
"""A thin link loses one report now and then, and that is no outage."""


class Courier:
    """All traffic with the controller. ``link_up`` says whether the latest try got through."""

    def __init__(
        self,
        *,
        loop: Loop,
        journal: Journal,
        uplink: Uplink,
        clock: Clock,
        vitals: Callable[[Instant, LinkSeen], Vitals] | None = None,
    ) -> None:
        """``vitals`` looks how the box is; without it the controller is not told."""
        self.link_up = False
        self._lost_at = loop.now().mono
        self._vitals = vitals
        self._vitals_told: Vitals | None = None
        self._went = Calls()
        self._loop = loop
        self._journal = journal
        self._uplink = uplink
        self._clock = clock
        self._resync = asyncio.Event()
        self._urgent = asyncio.Event()
        self._readings = asyncio.Event()
        self._came_back = asyncio.Event()
        self._reported: AppliedState | None = None
        self._pace = Pace()
        self._newest_due = 0
        self._newest_seq = 0
        self._takes_parts = True
        self._purchases: dict[OrderId, asyncio.Task[None]] = {}
        self._calls = asyncio.Semaphore(PURCHASE_CALLS_MAX)
        loop.listen(self._heard)

    async def run(self) -> None:
        """Follow, report and purchase until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._report())
                self._start_purchases()
        finally:
            for task in self._purchases.values():
                task.cancel()

    def got_through(self) -> None:
        """The controller answered: whoever waits for the link tries at once."""
        if self.link_up:
            return  # nobody waits for it; who woke the others at each answer would never rest
        log.info("link_up")
        self.link_up = True
        self._came_back.set()
        self._came_back = asyncio.Event()

    @property
    def cut_off(self) -> bool:
        """Whether nothing got through for so long that customers are told of it."""
        return not self.link_up and self._loop.now().mono - self._lost_at >= CUT_OFF_AFTER_MS

    @property
    def link_seen(self) -> LinkSeen:
        """What the reports of the last minutes say of the link."""
        return self._went.seen(self._loop.now())

    def lost(self, error: UplinkError) -> None:
        """The controller was not reached, or refused."""
        if self.link_up or isinstance(error, UplinkRefused):
            log.warning("link_down", error=str(error))
        if self.link_up:
            self._lost_at = self._loop.now().mono
        self.link_up = False

    async def _follow(self) -> None:
        anew = 0
        while True:
            before = self._loop.state.generation
            self._resync.clear()
            await _first(self._persist(self._follow_once), self._resync.wait())
            if not self._resync.is_set():
                continue
            anew = 0 if self._loop.state.generation > before else anew + 1
            await self._nap(min(ANEW_MAX_S, 2**anew // 2))
            with suppress(UplinkError):
                await self._take(AppliedState(0, NO_ITEMS), one=True)

    async def _follow_once(self) -> None:
        """Follow until the stream breaks; one that lived for a while was no failed try."""
        state, began = self._loop.state, self._clock.now().mono
        try:
            await self._take(AppliedState(state.generation, state.digest or NO_ITEMS))
        except UplinkError as error:
            if self._clock.now().mono - began < LIVED_MS:
                raise
            self.lost(error)

    async def _take(self, known: AppliedState, *, one: bool = False) -> None:
        async with aclosing(self._uplink.follow(known, self._held(known))) as stream:
            async for part in stream:
                self.got_through()
                change = await self._whole(part)
                if change is None:
                    continue
                await self._loop.kept(Changed(change))
                await self._forget_parts()
                if one:
                    return
        raise UplinkError("the stream of changes ended")

    def _held(self, known: AppliedState) -> Held | None:
        """The parts to go on from, if they fit to what is known; None: no parts at all."""
        held = self._journal.held
        if not self._takes_parts:
            return None
        fits = held.generation > known.generation and held.from_generation in {0, known.generation}
        return held if fits else NO_PARTS

    async def _whole(self, part: DesiredChange) -> DesiredChange | None:
        """The change, once all of it is here; parts wait on the disk.

        A disk that takes none must not keep a site from what it should do: then it comes whole.
        """
        if not part.is_part:
            return part
        try:
            if not part.upto_key:
                return await self._loop.disk(self._journal.joined, part)
            await self._loop.disk(self._journal.hold, part)
        except JournalError as error:
            self._takes_parts = False
            raise UplinkError(f"a part was not kept: {error}") from error
        return None

    async def _forget_parts(self) -> None:
        self._takes_parts = True
        if self._journal.held is NO_PARTS:
            return
        try:
            await self._loop.disk(self._journal.forget_parts)
        except JournalError as error:
            log.warning("parts_stay", error=str(error))

    async def _report(self) -> None:
        while True:
            await self._clock.wait(self._something(), at_most_ms=self._rest_ms())
            self._urgent.clear()
            self._readings.clear()
            await self._persist(self._report_all)

    def _rest_ms(self) -> int:
        """How long a report may wait: not long while we know how our clock is and have not told.

        Whoever puts up a site waits for that word.
        """
        told = self._vitals_told
        knows = told is not None and self.link_seen.clock_skew_ms is not None
        untold = told is not None and told.clock_skew_ms is None
        return FRESH_MS if knows and untold else HEARTBEAT_MS

    async def _something(self) -> None:
        """Until a report is due: at once for what matters, after a while for readings."""
        while not self._urgent.is_set():
            if self._readings.is_set():
                await self._clock.wait(self._urgent.wait(), at_most_ms=GATHER_MS)
                return
            await _first(self._urgent.wait(), self._readings.wait())

    async def _report_all(self) -> None:
        more = True
        while more:
            applied = self._loop.applied
            records, backlog = await self._loop.disk(self._gathered)
            acked = await self._delivered(records, applied, backlog)
            self.got_through()
            self._reported = applied
            if backlog.newest:
                self._newest_due = self._loop.now().mono + NEWEST_MS
            more = bool(records) and acked >= records[0].seq and len(records) < backlog.records
            more |= acked < self._journal.acked_seq  # it came back from a backup: tell it again
            try:
                await self._loop.disk(self._journal.ack, acked)
            except JournalError as error:
                log.warning("not_acked", error=str(error))
                return

    async def _delivered(
        self, records: Sequence[Record], applied: AppliedState, backlog: Backlog
    ) -> int:
        """The seq that was acknowledged; how long that took says how large the next may be."""
        began, vitals = self._loop.now().mono, self._looked()
        try:
            acked = await self._uplink.report(self._journal.id, records, applied, backlog, vitals)
        except UplinkError as error:
            self._went.failed(self._loop.now())
            self._newest_seq = 0
            if error.sent and not isinstance(error, UplinkRefused):
                self._pace = self._pace.failed()
            raise
        now = self._loop.now()
        took_ms = now.mono - began
        size_bytes = sum(len(one.body) for one in (*records, *backlog.newest))
        self._went.answered(now, took_ms=took_ms, size_bytes=size_bytes, at=acked.at)
        self._pace = self._pace.answered(took_ms, full=len(records) < backlog.records)
        self._vitals_told = vitals or self._vitals_told
        return acked.seq

    def _looked(self) -> Vitals | None:
        """How the box is, unless the controller knows that already: it is never kept for later."""
        if self._vitals is None:
            return None
        vitals = self._vitals(self._loop.now(), self.link_seen)
        return None if vitals is self._vitals_told else vitals

    def _gathered(self) -> tuple[list[Record], Backlog]:
        """The next report: history, and, when that is long, the newest state ahead of it."""
        fill, size = self._journal.fill, self._pace.batch_bytes
        try:
            records = self._journal.unsent(REPORT_BATCH_MAX, bytes_max=size)
            newest = self._ahead_of(records)
            if newest:
                records = self._journal.unsent(REPORT_BATCH_MAX, bytes_max=size // 2)
        except JournalError as error:
            log.warning("outbox_unread", error=str(error))
            records, newest = [], ()
        return records, Backlog(newest, records=fill.records, records_max=fill.records_max)

    def _ahead_of(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """The newest state, when it is not in this report and was not told already."""
        last = self._journal.last_seq
        if not records or records[-1].seq >= last or last == self._newest_seq:
            return ()
        if self._loop.now().mono < self._newest_due:
            return ()
        self._newest_seq = last
        half = self._pace.batch_bytes // 2
        return tuple(self._journal.newest(after=records[-1].seq, bytes_max=half))

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``, again and again until it succeeds; what it needs may not be there now."""
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.5, max=RETRY_MAX_S),
            retry=retry_if_exception_type((UplinkError, JournalError)),
            sleep=self._nap,
        ):
            with attempt:
                try:
                    await work()
                except UplinkError as error:
                    self.lost(error)
                    raise

    async def _nap(self, seconds: float) -> None:
        await self._clock.wait(self._came_back.wait(), at_most_ms=max(1, int(seconds * 1000)))

    def _heard(self, facts: tuple[Fact, ...], resync: bool) -> None:  # noqa: FBT001 - a callback
        if resync:
            self._resync.set()
        if any(not isinstance(fact, Reading) for fact in facts):
            self._urgent.set()
        if facts:
            self._readings.set()
        if self._loop.applied != self._reported:
            self._urgent.set()
        self._start_purchases()

    def _worth_asking(self, note: OrderNote) -> bool:
        if note.stage not in orders.UNDECIDED:
            return False
        return note.sent or orders.age_ms(note, self._loop.now()) < LAST_TRY_MS

    def _start_purchases(self) -> None:
        for note in self._loop.state.orders.values():
            if len(self._purchases) >= PURCHASES_MAX:
                return
            if note.order_id not in self._purchases and self._worth_asking(note):
                task = asyncio.create_task(self._purchase(note.order_id))
                self._purchases[note.order_id] = task
                task.add_done_callback(partial(self._purchased, note.order_id))

    def _purchased(self, order_id: OrderId, task: asyncio.Task[None]) -> None:
        """One order's task is over; a bug in it must not pass unseen."""
        self._purchases.pop(order_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("purchase_task", error=repr(error))

    async def _purchase(self, order_id: OrderId) -> None:
        """Ask about one order until it is decided, or forgotten."""
        failures = 0
        while (note := self._loop.state.orders.get(order_id)) is not None:
            age_ms = orders.age_ms(note, self._loop.now())
            if not self._worth_asking(note):
                return
            try:
                async with self._calls:
                    answer = await self._uplink.purchase(_order(note, age_ms))
            except UplinkRefused as error:
                self.lost(error)
                if await self._given_up(note):
                    return
                failures += 1
            except UplinkError as error:
                self.lost(error)
                if error.sent:
                    await self._loop.kept(Unanswered(order_id))
                failures += 1
            else:
                self.got_through()
                failures = 0
                await self._loop.kept(Answered(order_id, answer))
                if answer.stage in FINAL:
                    return
            await self._nap(_pause_s(age_ms, failures, sent=note.sent))

    async def _given_up(self, note: OrderNote) -> bool:
        """An order that the controller will not have, and never had, is refused."""
        if note.sent:
            return False
        refusal = OrderAnswer(stage=OrderStage.REFUSED, reason=Reason.OUR_SIDE)
        await self._loop.kept(Answered(note.order_id, refusal))
        return True


def _order(note: OrderNote, age_ms: int) -> Order:
    return Order(
        order_id=note.order_id,
        plan_id=note.offer.plan_id,
        msisdn=note.msisdn,
        device_mac=note.mac,
        age_s=age_ms // 1000,
        rail=note.rail,
    )


def _pause_s(age_ms: int, failures: int, *, sent: bool) -> int:
    """How long to wait before asking about an order again."""
    if failures and not sent:
        return int(min(UNSENT_TRY_MAX_S, 2**failures // 2 or 1))
    if age_ms < WATCHED_MS:
        return ASK_S
    return int(min(ASK_SLOWLY_MAX_S, ASK_S + (age_ms - WATCHED_MS) // 10_000))


async def _first(*awaited: Awaitable[object]) -> None:
    """Until one of them is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in awaited]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
