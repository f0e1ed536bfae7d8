"""A SQLite connection that asks its thread once for each statement.

`aiosqlite` asks it for the cursor, for the statement, for the rows, and for the cursor's end: four
turns of thread and event loop, which take far longer than the statement of a small transaction.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from aiosqlite import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROWS_AT_A_TIME = 64
"""As `aiosqlite.connect`; nothing here reads rows in parts."""


class OneStepCursor:
    """A cursor as SQLAlchemy's dialect wants one: executing fetches every row."""

    arraysize = 1

    def __init__(self, run: Callable[..., Any], new: Callable[[], sqlite3.Cursor]) -> None:
        self._run, self._new = run, new
        self._rows: list[Any] = []
        self.description: Sequence[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Iterable[Any] = ()) -> None:
        """Carry one statement out. Raises ``sqlite3.Error``."""
        await self._run(self._step, "execute", operation, parameters)

    async def executemany(self, operation: str, parameters: Iterable[Any]) -> None:
        """Carry one statement out for each. Raises ``sqlite3.Error``."""
        await self._run(self._step, "executemany", operation, parameters)

    async def fetchall(self) -> list[Any]:
        """Every row of the statement."""
        return self._rows

    async def close(self) -> None:
        """Nothing is open any more."""

    def _step(self, how: str, operation: str, parameters: Iterable[Any]) -> None:
        """All of it, in the connection's thread."""
        cursor = self._new()
        try:
            getattr(cursor, how)(operation, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class OneStepConnection(Connection):
    """A connection whose cursors cost nothing but their statement."""

    def cursor(self) -> OneStepCursor:  # type: ignore[override]  # what the dialect uses of it
        """A new cursor."""
        return OneStepCursor(self._execute, self._conn.cursor)


async def connect(path: str, **options: Any) -> OneStepConnection:
    """Open the file, as `aiosqlite.connect` does; the thread does not keep the process alive."""
    connection = OneStepConnection(partial(sqlite3.connect, path, **options), ROWS_AT_A_TIME)
    connection._thread.daemon = True  # noqa: SLF001 - as the dialect does with its own
    opened = await connection
    assert isinstance(opened, OneStepConnection)
    return opened
