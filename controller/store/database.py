"""Engine and transactions, and the little that SQLite and PostgreSQL do differently.

SQLite (embedded): WAL, ``synchronous=FULL`` (a commit is on disk), foreign keys on, and one writer
at a time in this process, taken before the first statement (``BEGIN IMMEDIATE``), so that a
transaction never fails half-way for want of the lock. PostgreSQL: READ COMMITTED, unique keys and
row locks decide races.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BUSY_TIMEOUT_MS = 10_000
POOL_SIZE = 10

Tx = AsyncSession
"""An open transaction. Functions that take one never commit it."""


class Database:
    """The controller's database; `begin` is the only way to write, `read` the only way to look."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": POOL_SIZE}
        self.engine = create_async_engine(url, **options)
        self._writer = asyncio.Lock() if self.is_sqlite else None
        if self.is_sqlite:
            _tune_sqlite(self.engine.sync_engine)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        async with (
            self._writer or nullcontext(),
            AsyncSession(self.engine, expire_on_commit=False) as tx,
            tx.begin(),
        ):
            if self.is_sqlite:
                await (await tx.connection()).exec_driver_sql("BEGIN IMMEDIATE")
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A look at one moment's state; nothing that it does is kept."""
        async with AsyncSession(self.engine, expire_on_commit=False) as tx:
            if self.is_sqlite:
                await (await tx.connection()).exec_driver_sql("BEGIN")
            yield tx
            await tx.rollback()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _tune_sqlite(engine: Any) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
