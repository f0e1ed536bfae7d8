"""Group commit: what many callers ask at the same time is made durable together.

A commit costs a disk's flush, whatever is in it. Whoever asks while one is under way is in the
next, which begins as soon as that has ended: alone nobody waits for others, and among thousands
nobody waits longer than for two commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from controller.store import ledger
from controller.store.database import DatabaseBusy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ledger import Transaction
    from controller.store.database import Database
    from controller.store.ledger import Posted

TOGETHER_MAX = 500
"""Transactions in one commit, but for a longer list that is handed over as one."""

_Asked = tuple["Sequence[Transaction]", "asyncio.Future[list[Posted]]"]


class PostingGroup:
    """Posts transactions of the ledger for many callers; what one hands over is all or nothing."""

    def __init__(self, db: Database, *, together_max: int = TOGETHER_MAX) -> None:
        """Nothing runs until somebody asks."""
        self._db = db
        self._together_max = together_max
        self._asked = deque[_Asked]()
        self._running: asyncio.Task[None] | None = None

    async def post(self, transaction: Transaction) -> Posted:
        """Post a transaction once; it is durable when this returns. Raises as `post_many`."""
        (posted,) = await self.post_many([transaction])
        return posted

    async def post_many(self, transactions: Sequence[Transaction]) -> list[Posted]:
        """Post each of these once; they are durable when this returns.

        Who is cancelled does not know whether they were posted, and may ask again. Raises
        `DatabaseBusy`, and whatever the database says to these transactions alone.
        """
        asked: asyncio.Future[list[Posted]] = asyncio.get_running_loop().create_future()
        self._asked.append((transactions, asked))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asked

    async def _run(self) -> None:
        try:
            while self._asked:
                await self._commit(self._next())
        finally:
            self._running = None

    def _next(self) -> list[_Asked]:
        together, count = [self._asked.popleft()], 0
        count = len(together[0][0])
        while self._asked and count + len(self._asked[0][0]) <= self._together_max:
            together.append(self._asked.popleft())
            count += len(together[-1][0])
        return together

    async def _commit(self, together: list[_Asked]) -> None:
        """Post what belongs together; when the database refuses it, each by itself."""
        try:
            async with self._db.begin() as tx:
                posted = await ledger.post_many(tx, [one for part, _ in together for one in part])
        except Exception as error:  # noqa: BLE001 - it is told to who asked
            if len(together) == 1 or isinstance(error, DatabaseBusy):
                _refuse(together, error)
                return
            for one in together:
                await self._commit([one])
            return
        for part, asked in together:
            if not asked.done():
                asked.set_result(posted[: len(part)])
            posted = posted[len(part) :]


def _refuse(together: list[_Asked], error: Exception) -> None:
    for _, asked in together:
        if not asked.done():
            asked.set_exception(error)
