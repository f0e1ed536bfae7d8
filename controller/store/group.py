"""Group commit: what many callers ask at the same time is made durable together.

A commit costs a disk's flush and some round trips, whatever is in it. Who asks while one is under
way is in the next. Alone nobody waits for others; among thousands a group takes its share of those
who wait, so that on PostgreSQL one is made ready while another is being written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from controller import acting
from controller.store.database import DatabaseBusy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from controller.store.database import Database, Tx

TOGETHER_MAX = 500
"""Items in one commit, but for a longer list that is handed over as one."""

TOGETHER_MIN = 64
"""So many are never divided among the commits that are under way at the same time."""

UNDER_WAY_MAX = 2
"""Commits at the same time. SQLite has one writer."""

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_Asked = tuple["Sequence[Item]", "asyncio.Future[Sequence[Outcome]]"]


class Group(Generic[Item, Outcome]):
    """Does a piece of work for many callers in one transaction, and tells each its outcome.

    ``work`` gets the items of a group in the order in which they were asked, and answers with an
    outcome for each. It changes nothing but what is in the transaction, for it may have to do the
    same again: when it raises, the group is done in halves, down to the caller whose items it
    cannot do, who alone is told the error. What an item is refused for is therefore better an
    outcome. Two groups may be under way at once: it takes locks in the order that
    `controller.store.database` says, whatever order its items have.
    """

    def __init__(
        self,
        db: Database,
        work: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[Outcome]]],
        *,
        together_max: int = TOGETHER_MAX,
    ) -> None:
        """Nothing runs until somebody asks."""
        self._db = db
        self._work = work
        self._together_max = together_max
        self._under_way_max = 1 if db.is_sqlite else UNDER_WAY_MAX
        self._asked: deque[_Asked[Item, Outcome]] = deque()
        self._waiting = 0
        self._under_way = 0
        self._running = set[asyncio.Task[None]]()

    async def do(self, item: Item) -> Outcome:
        """Do one; it is durable when this returns. Raises as `do_all`."""
        (outcome,) = await self.do_all((item,))
        return outcome

    async def do_all(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Do all of these, or none; they are durable when this returns.

        Who is cancelled does not know whether they were done, and may ask again. Raises
        `DatabaseBusy`, and whatever the work raises for these items alone.
        """
        asked: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        self._asked.append((items, asked))
        self._waiting += len(items)
        self._start()
        return await asked

    def _start(self) -> None:
        if self._asked and len(self._running) < self._under_way_max:
            with acting.aside():  # it is done for many, and for nobody by name
                task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._start()  # who asked after it had looked for the last time was not in it

    async def _run(self) -> None:
        while self._asked:
            together = self._next()
            count = sum(len(items) for items, _ in together)
            self._waiting -= count
            self._under_way += count
            try:
                await self._commit(together)
            finally:
                self._under_way -= count
            await asyncio.sleep(0)  # who was answered may ask at once, and be in the next

    def _next(self) -> list[_Asked[Item, Outcome]]:
        """Those who waited longest: as many as are to be in one commit."""
        share = -(-(self._waiting + self._under_way) // self._under_way_max)
        size = min(max(share, TOGETHER_MIN), self._together_max)
        together = [self._asked.popleft()]
        count = len(together[0][0])
        while self._asked and count + len(self._asked[0][0]) <= size:
            together.append(self._asked.popleft())
            count += len(together[-1][0])
        return together

    async def _commit(self, together: list[_Asked[Item, Outcome]]) -> None:
        """Do what belongs together; when that cannot be done, in halves."""
        every = [item for items, _ in together for item in items]
        try:
            async with self._db.begin() as tx:
                outcomes = await self._work(tx, every)
                assert len(outcomes) == len(every), "an outcome for each item"
        except Exception as error:  # noqa: BLE001 - it is told to who asked
            if len(together) == 1 or isinstance(error, DatabaseBusy):
                _refuse(together, error)
                return
            half = len(together) // 2
            await self._commit(together[:half])
            await self._commit(together[half:])
            return
        except BaseException as error:
            _refuse(together, error)
            raise
        _answer(together, outcomes)


def group_of(
    db: Database, work: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[Outcome]]]
) -> Group[Item, Outcome]:
    """The one group of a piece of work on a database, for all who ask in this process."""
    found: Group[Item, Outcome] | None = db.groups.get(work)
    if found is None:
        found = db.groups[work] = Group(db, work)
    return found


def _answer(together: list[_Asked[Item, Outcome]], outcomes: Sequence[Outcome]) -> None:
    first = 0
    for items, asked in together:
        if not asked.done():
            asked.set_result(outcomes[first : first + len(items)])
        first += len(items)


def _refuse(together: list[_Asked[Item, Outcome]], error: BaseException) -> None:
    for _, asked in together:
        if not asked.done():
            asked.set_exception(error)
