"""The database as a file, and a file as a database.

SQLite: its online backup API ("SQLite Backup API", sqlite.org/backup.html), which copies one moment
while others write. PostgreSQL: ``pg_dump`` in its custom format, of the very snapshot in which
everything is counted, and ``psql`` in one transaction back. Programs are run by lists of words;
passwords are in their environment, never among the words.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from controller.store import backups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.backup.manifest import Books

SQLITE, POSTGRESQL = "sqlite", "postgresql"
RUN_MAX_S = 3 * 3_600
WORDS_MAX = 300
BUSY_TIMEOUT_S = 60


class DumpFailed(Exception):  # noqa: N818 - a sentence
    """The database could not be dumped or loaded; the program's own words, without secrets."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """Of which kind and version a dumped database was, and what it is known by."""

    kind: str
    schema: str
    audit_head: str
    books: Books


def kind_of(url: str) -> str:
    """Which database a URL is of."""
    return SQLITE if url.startswith("sqlite") else POSTGRESQL


def sqlite_path(url: str) -> Path:
    """Where a SQLite database is."""
    return Path(make_url(url).database or "")


def dump(url: str, target: Path) -> Dumped:
    """Write one moment of a database to a new file.

    Raises `DumpFailed`, ``OSError``, a database error.
    """
    if kind_of(url) == SQLITE:
        copy_sqlite(sqlite_path(url), target)
        return dumped(f"sqlite:///{target}")
    with backups.looking(url) as connection:
        moment = backups.snapshot_of(connection)
        words = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges"]
        _run("pg_dump", [*words, f"--snapshot={moment}", f"--file={target}"], url)
        return Dumped(
            POSTGRESQL,
            backups.schema_of(connection),
            str(backups.audit_head_of(connection)),
            backups.books_of(connection),
        )


def dumped(url: str) -> Dumped:
    """What a database is known by."""
    with backups.looking(url) as connection:
        head, books = str(backups.audit_head_of(connection)), backups.books_of(connection)
        return Dumped(kind_of(url), backups.schema_of(connection), head, books)


def load(url: str, source: Path, *, scratch: Path) -> None:
    """Let a PostgreSQL database be what was dumped, and nothing else; all of it or nothing.

    Raises `DumpFailed`, ``OSError``.
    """
    script = scratch / "script.sql"
    words = ["--no-owner", "--no-privileges", "--exit-on-error", f"--file={script}", str(source)]
    try:
        _run("pg_restore", words)
        anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        _run("psql", [*words, f"--command={anew}", f"--file={script}"], url)
    finally:
        script.unlink(missing_ok=True)


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy one moment of a database that others may be writing, as one file on disk.

    Raises `DumpFailed`.
    """
    try:
        # Opened for writing, as a database in WAL mode wants it; it has to be there.
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as one,
            closing(sqlite3.connect(target)) as other,
        ):
            one.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1_000}")
            one.backup(other)
            other.execute("PRAGMA journal_mode=DELETE")
            (verdict,) = other.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise DumpFailed(f"the database could not be copied: {error}") from error
    if verdict != "ok":
        raise DumpFailed(f"the database is damaged: {verdict}")


def _run(program: str, words: Sequence[str], url: str = "") -> None:
    path = shutil.which(program)
    if path is None:
        raise DumpFailed(f"{program} is not here: install Debian's package postgresql-client")
    at, env = _connection(url) if url else ([], {})
    try:
        done = subprocess.run(
            [path, *at, *words],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_MAX_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DumpFailed(f"{program} took more than {RUN_MAX_S} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-WORDS_MAX:]
        raise DumpFailed(f"{program} failed: {said}")


def _connection(url: str) -> tuple[list[str], Mapping[str, str]]:
    """Where the database is, as words and as environment of PostgreSQL's programs."""
    made = make_url(url)
    told = {"host": made.host, "port": made.port, "username": made.username}
    words = [f"--{name}={value}" for name, value in told.items() if value is not None]
    env = {f"PG{name.upper()}": str(value) for name, value in made.query.items()}
    if made.password is not None:
        env["PGPASSWORD"] = str(made.password)
    return [*words, f"--dbname={made.database}", "--no-password"], env
