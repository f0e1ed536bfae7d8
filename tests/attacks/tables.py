"""What a SQLite database holds, seen from outside: what a request left behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.business import Business

Rows = dict[str, list[tuple[object, ...]]]

HEARD = {("staff_session", "seen_at"), ("api_token", "used_at")}
"""That a session and a key are in use is noted whatever is asked."""

TRIES = frozenset(("inbox", "staff_try", "staff_step"))
"""Tables that keep what was asked, also when it was refused."""


class Watcher:
    """A second connection, which sees what was committed."""

    _columns: ClassVar[dict[str, str]] = {}
    """By table; every business has the same."""

    def __init__(self, business: Business) -> None:
        """Look at the database of a business."""
        path = make_url(business.office.deps.db.url).database
        assert path is not None
        self._connection = sqlite3.connect(path)
        if not self._columns:
            self._columns.update({name: self._columns_of(name) for name in self._tables()})
        self._version = self.version()
        self._seen: Rows | None = None

    def close(self) -> None:
        """Look no more."""
        self._connection.close()

    def version(self) -> int:
        """A number that is another one after each commit of somebody else."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def rows(self) -> Rows:
        """Every row of every table, without what is noted of anybody who asks."""
        return {
            name: self._connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1").fetchall()  # noqa: S608 - names of our own tables
            for name, columns in self._columns.items()
        }

    def count(self, table: str) -> int:
        """How many rows a table has."""
        assert table in self._columns
        query = f"SELECT COUNT(*) FROM {table}"  # noqa: S608 - a name of our own tables
        return int(self._connection.execute(query).fetchone()[0])

    def seen(self) -> Rows:
        """Every row, as of the last look at all of them."""
        if self._seen is None or self.version() != self._version:
            self._seen, self._version = self.rows(), self.version()
        return self._seen

    def run(self, statement: str) -> None:
        """Run a statement of a test's own."""
        self._connection.execute(statement)
        self._connection.commit()

    def _tables(self) -> Iterator[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (name,) in self._connection.execute(query).fetchall():
            if not name.startswith(("sqlite_", "alembic_")) and name not in TRIES:
                yield name

    def _columns_of(self, table: str) -> str:
        with closing(self._connection.execute(f"PRAGMA table_info({table})")) as found:
            names = [row[1] for row in found]
        return ", ".join(f'"{name}"' for name in names if (table, name) not in HEARD)


def changed(before: Rows, after: Rows) -> dict[str, tuple[int, int]]:
    """The tables that are not as before, with how many rows each had and has."""
    if before is after:
        return {}
    return {
        name: (len(rows), len(after[name])) for name, rows in before.items() if rows != after[name]
    }
