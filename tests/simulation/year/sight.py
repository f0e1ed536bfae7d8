"""The books as plain SQL sees them, over a connection of its own that only reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = dict[str, Any]


def moment(found: Any) -> datetime | None:
    """An instant as either database gives it."""
    if found is None:
        return None
    at = datetime.fromisoformat(found) if isinstance(found, str) else found
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class Sight:
    """Rows as dictionaries, instants as instants; of tables that only grow, the new rows alone."""

    def __init__(self, url: str) -> None:
        self._last: dict[str, Any] = {}
        self._lite: sqlite3.Connection | None = None
        self._pg: psycopg.Connection[tuple[Any, ...]] | None = None
        if url.startswith("sqlite"):
            self._lite = sqlite3.connect(f"file:{make_url(url).database}?mode=ro", uri=True)
        else:
            self._pg = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"))
            self._pg.autocommit = True

    def rows(self, query: str, *given: Any) -> list[Found]:
        """All rows of a query, whose places are ``?``."""
        names, found = self._ask(query, given)
        return [dict(zip(names, one, strict=True)) for one in found]

    def tuples(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """The same as tuples, which many rows are cheaper as."""
        return self._ask(query, given)[1]

    def new(self, table: str, columns: str, key: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a table that were not there the last time; none of it ever changes."""
        if self._lite is not None:
            last = self._last.get(table, 0)
            query = f"SELECT rowid, {columns} FROM {table} WHERE rowid > ? ORDER BY rowid"  # noqa: S608 - our own words
            for row_id, *found in self.tuples(query, last):
                self._last[table] = row_id
                yield tuple(found)
            return
        seen = self._last.setdefault(table, set())
        for name, *found in self.tuples(f"SELECT {key}, {columns} FROM {table} ORDER BY 1"):  # noqa: S608 - our own words
            if name not in seen:
                seen.add(name)
                yield tuple(found)

    def close(self) -> None:
        """Look no more."""
        for one in (self._lite, self._pg):
            if one is not None:
                one.close()

    def _ask(self, query: str, given: tuple[Any, ...]) -> tuple[list[str], list[tuple[Any, ...]]]:
        if self._lite is not None:
            told = tuple(_as_text(one) for one in given)
            with closing(self._lite.execute(query, told)) as cursor:
                return [one[0] for one in cursor.description], cursor.fetchall()
        assert self._pg is not None
        with self._pg.cursor() as asked:
            asked.execute(query.replace("%", "%%").replace("?", "%s").encode(), given)
            return [one.name for one in asked.description or ()], asked.fetchall()


def _as_text(given: Any) -> Any:
    """An instant as SQLAlchemy writes it into SQLite."""
    if isinstance(given, datetime):
        return given.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return given
