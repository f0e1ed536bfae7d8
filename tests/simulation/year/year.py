"""The year itself: nights on which all that is due is done and the books are judged, and days."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from controller.store.billing_rows import DebtRow
from controller.store.database import Database
from controller.usecases import pauses
from controller.usecases.billing_run import bill_due
from controller.usecases.dunning import dun_due
from controller.usecases.sites import NewSite, add_site
from tests.simulation.inline import connecting
from tests.simulation.year import people
from tests.simulation.year.judge import Judge
from tests.simulation.year.naive import DAY, day_in_nairobi, midnight_in_nairobi
from tests.simulation.year.papers import Papers
from tests.simulation.year.people import Tally
from tests.simulation.year.provider import GOODS, MANY, at_day, opening, set_up, taken_over
from tests.simulation.year.served import History, Witness
from tests.simulation.year.sight import Sight, moment
from tests.support.books import assert_the_books_are_right
from tests.support.builders import SITE, a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from datetime import datetime
    from pathlib import Path

    from controller.deps import Deps
    from controller.store.database import Tx
    from tests.simulation.year.provider import Person
    from tests.support.builders import World
    from tests.support.clock import Clock

ROUNDS_MAX = 2_000
NEXT = """
    SELECT (SELECT MIN(bill_at) FROM subscription),
           (SELECT MIN(resume_at) FROM subscription WHERE state = 'paused')
"""


class Torn(BaseException):
    """The process is gone, as by SIGKILL."""


class Steady(random.Random):
    """Nobody gets a turn in between."""

    def random(self) -> float:
        """Never."""
        return 1.0


class FrailDatabase(Database):
    """A database whose process dies, while ``armed``, where a chance says so.

    Before a transaction, in it when all was said and nothing committed, or after its commit.
    """

    armed = False
    chance = random.Random(0)
    deaths = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """As the real one, while it lives."""
        moments = ("before", "inside", "after", *("",) * 6)
        dies = self.chance.choice(moments) if self.armed else ""
        self.deaths += bool(dies)
        if dies == "before":
            raise Torn
        async with super().begin() as tx:
            yield tx
            if dies == "inside":
                raise Torn
        if dies == "after":
            raise Torn


@dataclass(slots=True)
class Figures:
    """What the year came to."""

    nights: int = 0
    rounds: int = 0


@dataclass(slots=True)
class Year:
    """A provider's year on a database that is migrated and empty."""

    world: World
    sight: Sight
    everybody: list[Person]
    witness: Witness
    tally: Tally
    judge: Judge
    crashes: bool = False
    twin: Deps | None = None
    is_down: bool = False
    batch_max: int = 1_000
    owner: dict[str, Person] = field(default_factory=dict)
    joined: list[Person] = field(default_factory=list)
    friends: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    old_grants: dict[str, str | None] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    _agenda: defaultdict[int, list[tuple[datetime, int, int, str, tuple[Any, ...]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _planned: int = 0

    @property
    def deps(self) -> Deps:
        """The controller."""
        return self.world.deps

    @property
    def clock(self) -> Clock:
        """The clock that the controller reads."""
        return self.world.clock

    def now(self) -> datetime:
        """The present moment."""
        return self.clock()

    def midnight(self, at: datetime) -> datetime:
        """When the day of an instant began."""
        return midnight_in_nairobi(day_in_nairobi(at))

    @property
    def day(self) -> int:
        """Today, counted from the first."""
        return (self.now() - at_day(0)) // DAY

    @property
    def is_big(self) -> bool:
        """Whether people are so many that each does less."""
        return len(self.everybody) >= MANY

    def plan(self, person: Person, days: int, what: str, *given: Any) -> None:
        """Let somebody do something in so many days (at least one), by day."""
        at = at_day(self.day + max(1, days)) + timedelta(
            minutes=person.chance.randrange(6 * 60, 22 * 60)
        )
        self._plan_at(at, person, what, *given)

    def plan_whim(self, person: Person) -> None:
        """Let somebody change their mind some day."""
        often = 300 if self.is_big else 25
        self.plan(person, person.chance.randrange(1, 2 * often), "whim")

    def _plan_at(self, at: datetime, person: Person, what: str, *given: Any) -> None:
        self._planned += 1
        self._agenda[(at - at_day(0)) // DAY].append((at, person.n, self._planned, what, given))

    async def take_over(self) -> None:
        """Let all who are there on the first day be subscribers at once."""
        first = [person for person in self.everybody if person.joins == 0]
        for person in first:
            person.joins = -1
            self.tally.given[person.id] += opening(person)
            for line in person.lines:
                plans = [(self.now(), line.plan_id, line.bespoke)]
                self.witness.histories[line.id] = History(line, [self.now()], plans)
                self.owner[line.id] = person
                if GOODS[line.plan_id].steps is not None:
                    self.plan(person, person.chance.randrange(1, 9), "use", line.id)
            self.plan_whim(person)
        self.joined += first
        await taken_over(self.deps, first)

    async def live(self, days: int) -> None:
        """So many days from the night on that has come; and the night after them."""
        for _ in range(days):
            await self.night()
            await self.daytime()
        await self.night()

    async def night(self) -> None:
        """Midnight: all that is due is done, and judged."""
        await self.work()
        self.figures.nights += 1
        self.react()
        self.judge.night(self.now())

    async def daytime(self) -> None:
        """Until the next midnight: people come and go, and what falls due meanwhile is done."""
        today, noon = self.day, at_day(self.day) + timedelta(hours=12)
        for person in self.everybody:
            if person.joins == today:
                minutes = person.chance.randrange(6 * 60, 22 * 60)
                self._plan_at(at_day(today) + timedelta(minutes=minutes), person, "join")
        entries = sorted(self._agenda.pop(today, []), key=lambda one: one[:3])
        by_n = self._by_n()
        rested = False
        for at, n, _, what, given in entries:
            if at >= noon and not rested:
                await self._until(noon)
                rested = True
            await self._until(at, exactly=False)
            self.clock.to(max(at, self.now()))
            person = by_n[n]
            if what == "join":
                self.joined.append(person)
            await people.act(self, person, what, *given)
            for one in {person.id, person.referred_by or "", *self.friends}:
                self.witness.look(self.sight, self.now(), one)
            self.friends.clear()
            self.judge.read()
            self._fell()
        if not rested:
            await self._until(noon)
        await self._until(at_day(today + 1), exactly=False)
        self.clock.to(at_day(today + 1))

    async def begin(self, person: Person) -> None:
        """Let somebody join now who does nothing but to have what was agreed on."""
        await people.begin_only(self, person)

    async def bill(self) -> None:
        """Bill what is due, and no more."""
        await bill_due(self.deps)

    async def stand_still(self) -> None:
        """Nobody does anything any more; pauses end."""
        self._agenda.clear()
        for name, history in self.witness.histories.items():
            if history.state == "paused":
                await pauses.resume(self.deps, name)
        self.witness.look(self.sight, self.now())

    async def down(self, days: int) -> None:
        """The scheduler is down for so many days, on which people do what they do."""
        first = day_in_nairobi(self.now())
        self.is_down = True
        for n in range(days):
            self.judge.excused.add(first + n * DAY)
            await self.daytime()
        self.is_down = False
        await self.night()

    async def _until(self, at: datetime, *, exactly: bool = True) -> None:
        """Let time pass, doing what falls due on its moment; at that one too when ``exactly``."""
        if self.is_down:
            self.clock.to(max(at, self.now()))
            return
        while (due := self.next_due()) is not None and due < at:
            if due > self.now():
                self.clock.to(due)
            await self.work(dunning=False)
            if self.next_due() == due:
                break  # refused: it is due for ever
        if exactly:
            self.clock.to(at)
            await self.work()

    def next_due(self) -> datetime | None:
        """When the next thing is due that the scheduler bills or resumes."""
        found = [at for at in map(moment, self.sight.tuples(NEXT)[0]) if at is not None]
        return min(found, default=None)

    async def work(self, *, dunning: bool = True) -> None:
        """What the scheduler does: all that is due, whatever happens to its process."""
        self.figures.rounds += 1
        await self._done(lambda deps: bill_due(deps, batch_max=self.batch_max))
        for _ in range(ROUNDS_MAX if dunning else 0):
            await self._done(dun_due)
            if not await self._steps_due():
                break
        self.witness.look(self.sight, self.now())
        self._fell()

    async def _done(self, job: Callable[[Deps], Coroutine[Any, Any, int]]) -> None:
        """Do a job until a process lived to its end; where there are two, at the same time."""
        frail = self.deps.db
        if self.crashes:
            assert isinstance(frail, FrailDatabase)
            while True:
                frail.armed = True
                try:
                    await job(self.deps)
                    break
                except Torn:
                    continue
                finally:
                    frail.armed = False
        elif self.twin is not None:
            async with asyncio.TaskGroup() as group:
                group.create_task(job(self.deps))
                group.create_task(job(self.twin))
        await job(self.deps)

    async def _steps_due(self) -> bool:
        query = select(func.count()).where(DebtRow.step_at <= self.now())
        async with self.deps.db.read() as tx:
            return bool(await tx.scalar(query))

    def _fell(self) -> None:
        for name in self.witness.fell:
            self.judge.fell(self.owner[name].id, name, self.now())
        self.witness.fell.clear()

    def react(self) -> None:
        """Let people hear of their invoices, and of what lapsed, and decide when to pay."""
        self.judge.read()
        self.judge.papers.read()
        fresh = [one for one in self.judge.papers.fresh if one.kind == "invoice"]
        self.judge.papers.fresh.clear()
        who = self._by_id()
        for paper in sorted(
            fresh, key=lambda one: (who[one.subscriber_id].n, one.issued_at, one.cause)
        ):
            person = who[paper.subscriber_id]
            names = [line.subscription_id for line in paper.lines if line.subscription_id]
            mode = self.witness.histories[names[0]].line.mode if names else ""
            people.react(self, person, owed=paper.sums[3], mode=mode, until=paper.period[1])
        for name in sorted(self.witness.lapsed):
            person = self.owner[name]
            if person.chance.random() < 0.9:
                self.plan(person, person.chance.randrange(1, 9), "pay", 3_000_00)
        self.witness.lapsed.clear()

    async def close_books(self) -> None:
        """The last look at everything, the whole of the books once more. Raises."""
        for name, history in self.witness.histories.items():
            self.judge.tile(history, self.now())
            self.judge.papers.check_volume(name, self.tally.used)
        await assert_the_books_are_right(self.deps.db)

    def _by_n(self) -> dict[int, Person]:
        return {person.n: person for person in self.everybody}

    def _by_id(self) -> dict[str, Person]:
        return {person.id: person for person in self.everybody}


async def opened(url: str, folder: Path, everybody: list[Person], **how: Any) -> Year:
    """A year that is about to begin. On SQLite ``inline`` spares the threads."""
    inline = how.pop("inline", False)
    path = url.partition("///")[2]
    db = FrailDatabase(url, connect=connecting(path, Steady()) if inline else None)
    world = a_world(db, folder)
    world.clock.to(at_day(0))
    await add_site(world.deps, NewSite(SITE, "Kahawa West", "Lango Net", "0700 000 000"))
    await set_up(world.deps)
    sight, witness, tally = Sight(url), Witness(), Tally()
    papers = Papers(sight, witness.histories, {one.id: one for one in everybody})
    judge = Judge(sight, witness, tally, papers)
    return Year(world, sight, everybody, witness, tally, judge, **how)
