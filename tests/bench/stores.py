"""The two databases that rows are measured on: made by the real migrations, cloned for each round.

What fills, measures and audits them here speaks to the drivers themselves (`Plain`), and knows
nothing of the product.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg

from controller.store.migrations import upgrade
from tests.support.postgres import cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from tests.support.postgres import Cluster

PREPARED, ROUND = "prepared", "round"
NAMES = ("postgresql", "sqlite")


class Plain(Protocol):
    """A driver's connection, in one transaction after the other."""

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows in the fastest way that the driver has."""

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """All rows that a query finds."""

    def do(self, statement: str) -> None:
        """Run a statement."""

    def commit(self) -> None:
        """Make it durable."""

    def moment(self, at: datetime) -> Any:
        """A moment as this database keeps it."""


class Store(Protocol):
    """A kind of database: ``url`` of the one that is used now, which begins as the prepared one."""

    name: str
    url: str

    def plain(self) -> Any:
        """A connection of the driver itself (a `Plain`), for as long as a block."""

    def keep(self) -> None:
        """What is in it now is what every round begins with."""

    def renew(self) -> None:
        """A new round: as it was kept."""


@dataclass(slots=True)
class _PostgresPlain:
    db: psycopg.Connection[Any]

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        statement = f'COPY "{table}" ({names}) FROM STDIN'.encode()
        with self.db.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        self.db.execute(statement.encode())

    def commit(self) -> None:
        self.db.commit()

    def moment(self, at: datetime) -> Any:
        return at


@dataclass(slots=True)
class _SqlitePlain:
    db: sqlite3.Connection

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        names, marks = ", ".join(f'"{c}"' for c in columns), ", ".join("?" * len(columns))
        self.db.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)  # noqa: S608

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query).fetchall()

    def do(self, statement: str) -> None:
        self.db.execute(statement)

    def commit(self) -> None:
        self.db.commit()

    def moment(self, at: datetime) -> Any:
        return f"{at:%Y-%m-%d %H:%M:%S.%f}"


class Postgres:
    """A cluster of its own; a round is a database made from the kept one."""

    name = "postgresql"

    def __init__(self, made: Cluster) -> None:
        """Make the first database, with the product's tables."""
        self.cluster = made
        made.run(f"CREATE DATABASE {PREPARED}")
        self.url = made.url(PREPARED)
        upgrade(self.url)

    @contextmanager
    def plain(self) -> Iterator[Plain]:
        """A connection of psycopg."""
        database = self.url.rpartition("/")[2]
        with psycopg.connect(
            host=str(self.cluster.folder), port=self.cluster.port, user="postgres", dbname=database
        ) as db:
            yield _PostgresPlain(db)

    def keep(self) -> None:
        """Let statistics be known, as they are in a database that is lived in."""
        with self.plain() as db:
            db.do("ANALYZE")

    def renew(self) -> None:
        """Another copy, on disk before the round begins."""
        self.cluster.run(f"DROP DATABASE IF EXISTS {ROUND} WITH (FORCE)")
        self.cluster.run(f"CREATE DATABASE {ROUND} TEMPLATE {PREPARED} STRATEGY file_copy")
        self.cluster.run("CHECKPOINT")
        self.url = self.cluster.url(ROUND)


class Sqlite:
    """A file; a round is a copy of it. WAL and ``synchronous=FULL``, as in the product."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        """Make the first file, with the product's tables."""
        self.path = folder / f"{PREPARED}.db"
        self.url = f"sqlite+aiosqlite:///{self.path}"
        upgrade(self.url)

    @contextmanager
    def plain(self) -> Iterator[Plain]:
        """A connection of sqlite3."""
        db = sqlite3.connect(self.url.partition("///")[2])
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                db.execute(f"PRAGMA {pragma}").fetchall()
            yield _SqlitePlain(db)
            db.commit()
        finally:
            db.close()

    def keep(self) -> None:
        """Let statistics be known, and nothing be left in the log."""
        with self.plain() as db:
            db.do("ANALYZE")
            db.commit()
            db.ask("PRAGMA wal_checkpoint(TRUNCATE)")

    def renew(self) -> None:
        """Another copy."""
        copied = self.path.with_name(f"{ROUND}.db")
        for old in copied.parent.glob(f"{ROUND}.db*"):
            old.unlink()
        shutil.copy(self.path, copied)
        self.url = f"sqlite+aiosqlite:///{copied}"


@contextmanager
def store(name: str, *, settings: Sequence[str] = ()) -> Iterator[Store]:
    """A fresh database of that kind; ``settings`` are PostgreSQL's."""
    if name == "postgresql":
        with cluster(durable=True, settings=settings) as made:
            yield Postgres(made)
        return
    folder = Path(tempfile.mkdtemp(prefix="lango-bench-"))
    try:
        yield Sqlite(folder)
    finally:
        shutil.rmtree(folder)
