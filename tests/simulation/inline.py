"""A SQLite connection without a thread, as SQLAlchemy's asynchronous dialect wants one.

Every statement is carried out where it is asked for; now and then, as the seed says, others get a
turn before it, which is how transactions come to stand in each other's way.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterable

GIVE_WAY = 0.2
"""How often a statement lets others go first."""


def connecting(path: str, chance: random.Random) -> Callable[..., Awaitable[InlineConnection]]:
    """What `controller.store.database.Database` is told to open its connections with."""

    async def connect(*_: Any, **__: Any) -> InlineConnection:
        return InlineConnection(sqlite3.connect(path, check_same_thread=False), chance)

    return connect


class InlineCursor:
    """One cursor."""

    def __init__(self, cursor: sqlite3.Cursor, chance: random.Random) -> None:
        self._cursor = cursor
        self._chance = chance

    async def __aenter__(self) -> Self:
        return self

    def __getattr__(self, name: str) -> Any:
        """``description``, ``rowcount``, ``lastrowid`` and the like."""
        return getattr(self._cursor, name)

    async def execute(self, operation: str, parameters: Iterable[Any] = ()) -> None:
        """Carry one statement out."""
        if self._chance.random() < GIVE_WAY:
            await asyncio.sleep(0)
        self._cursor.execute(operation, parameters)  # type: ignore[arg-type]  # as the library gives it

    async def executemany(self, operation: str, parameters: Iterable[Any]) -> None:
        """Carry one statement out for each."""
        self._cursor.executemany(operation, parameters)

    async def fetchall(self) -> list[Any]:
        """Every row that is left."""
        return self._cursor.fetchall()

    async def fetchone(self) -> Any:
        """The next row."""
        return self._cursor.fetchone()

    async def close(self) -> None:
        """Give it back."""
        self._cursor.close()


class _AtOnce:
    """The queue that the library would have a thread read."""

    def put_nowait(self, told: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        """Do it now."""
        future, work = told
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is told to whoever asked
            future.set_exception(error)


class InlineConnection:
    """One connection. The attributes are those that the library looks for."""

    def __init__(self, connection: sqlite3.Connection, chance: random.Random) -> None:
        self._conn = connection
        self._connection: sqlite3.Connection | None = connection
        self._chance = chance
        self._tx = _AtOnce()

    @property
    def isolation_level(self) -> str | None:
        """As the driver's."""
        return self._conn.isolation_level

    def cursor(self) -> InlineCursor:
        """A new cursor."""
        return InlineCursor(self._conn.cursor(), self._chance)

    async def executemany(self, sql: str, rows: Iterable[Any]) -> InlineCursor:
        """Run a statement for each of many rows."""
        cursor = self.cursor()
        await cursor.executemany(sql, rows)
        return cursor

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        """Teach SQL a function."""
        self._conn.create_function(*arguments, **options)

    async def commit(self) -> None:
        """End the transaction well."""
        self._conn.commit()

    async def rollback(self) -> None:
        """End the transaction as if it had never begun."""
        self._conn.rollback()

    async def close(self) -> None:
        """Close it."""
        self._connection = None
        self._conn.close()

    def stop(self) -> None:
        """Close it, at once."""
        self._connection = None
        self._conn.close()
