"""Which backups were made and tried, and what a database is known by."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, func, inspect, literal, select, text, union_all, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from controller.backup.manifest import Books
from controller.store.audit_chain import GENESIS, Head
from controller.store.backup_rows import BackupRow
from controller.store.database import inserted
from controller.store.rows import PostingRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from controller.store.database import Tx

ASKING = 0x4C4E_4241
"""PostgreSQL's advisory lock of who asks whether a backup is due."""

RUNNING, DONE, FAILED = "running", "done", "failed"
PROBLEM_MAX = 300
BROKEN = (SQLAlchemyError,)
"""What these functions raise when a database cannot be read or written: "a database error"."""

_SCRATCH = re.compile(r"lango_trial_[0-9a-f]{16}")


async def begin(tx: Tx, name: str, now: datetime) -> bool:
    """Note that a backup is being made; False when another process makes one of that name."""
    return await inserted(tx, BackupRow, name=name, began_at=now, state=RUNNING)


async def one_at_a_time(tx: Tx) -> None:
    """Until this transaction ends no other process finds out whether a backup is due."""
    if tx.get_bind().dialect.name != "sqlite":
        await tx.execute(select(func.pg_advisory_xact_lock(ASKING)))


async def end(tx: Tx, name: str, now: datetime, *, size_bytes: int | None, problem: str) -> None:
    """Note what became of it."""
    row = await tx.get_one(BackupRow, name, with_for_update={"key_share": True})
    row.state = FAILED if problem else DONE
    row.ended_at, row.size_bytes, row.problem = now, size_bytes, problem[:PROBLEM_MAX]


async def give_up(tx: Tx, before: datetime, now: datetime) -> None:
    """Those that were begun before some time, and never ended, have failed."""
    died = update(BackupRow).where(BackupRow.state == RUNNING, BackupRow.began_at < before)
    await tx.execute(died.values(state=FAILED, ended_at=now, problem="it was cut short"))


async def tried(tx: Tx, name: str, now: datetime, problem: str) -> None:
    """Note how its restore into a scratch database went."""
    row = await tx.get(BackupRow, name, with_for_update={"key_share": True})
    if row is not None:
        row.tried_at, row.trial_problem = now, problem[:PROBLEM_MAX]


async def last_success(tx: Tx) -> BackupRow | None:
    """The newest backup that was made; None: none ever was."""
    return await _newest(tx, BackupRow.state == DONE)


async def last_failure(tx: Tx) -> BackupRow | None:
    """The newest that failed, or is under way."""
    return await _newest(tx, BackupRow.state != DONE)


async def last_trial(tx: Tx) -> BackupRow | None:
    """The newest that was tried; its ``trial_problem`` is "" when it is good."""
    query = select(BackupRow).where(BackupRow.tried_at.is_not(None))
    return (await tx.scalars(query.order_by(BackupRow.tried_at.desc()).limit(1))).first()


async def listed(tx: Tx, *, limit: int) -> list[BackupRow]:
    """Backups, newest first."""
    query = select(BackupRow).order_by(BackupRow.began_at.desc(), BackupRow.name.desc())
    return list(await tx.scalars(query.limit(limit)))


async def _newest(tx: Tx, condition: Any) -> BackupRow | None:
    query = select(BackupRow).where(condition).order_by(BackupRow.began_at.desc()).limit(1)
    return (await tx.scalars(query)).first()


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """A connection that sees one moment of a database. Raises a database error."""
    one_moment = {} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
    engine = create_engine(_plain(url), **one_moment)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def snapshot_of(connection: Connection) -> str:
    """PostgreSQL: the name by which another connection sees the same moment."""
    return str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())


def schema_of(connection: Connection) -> str:
    """The migration at which a database stands; "" when it is none of ours, or empty."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return ""
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found or "")


def is_empty(connection: Connection) -> bool:
    """Whether there is no table at all."""
    return not inspect(connection).get_table_names()


def audit_head_of(connection: Connection) -> Head:
    """The end of the audit log's chain in a database of any version."""
    if "audit" not in inspect(connection).get_table_names():
        return Head(0, GENESIS)
    query = text("SELECT seq, hash FROM audit WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
    found = connection.execute(query).first()
    return Head(0, GENESIS) if found is None else Head(*found)


def books_of(connection: Connection) -> Books:
    """What a database of any version is known by."""
    rows = {
        name: int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one())  # noqa: S608
        for name in sorted(inspect(connection).get_table_names())
    }
    row = PostingRow
    sides = union_all(
        select(row.source.label("account"), row.currency, (-row.amount_minor).label("minor")),
        select(row.target, row.currency, row.amount_minor),
    ).subquery()
    balances = select(sides.c.account, sides.c.currency, func.sum(sides.c.minor)).group_by(
        sides.c.account, sides.c.currency
    )
    lines = sorted(f"{a}\t{c}\t{int(m)}\n" for a, c, m in connection.execute(balances))
    total = connection.execute(select(func.coalesce(func.sum(row.amount_minor), literal(0))))
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Books(rows, digest, int(total.scalar_one()))


def others_of(url: str) -> int:
    """PostgreSQL: how many others are connected to this database. Raises a database error."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with looking(url) as connection:
        return int(connection.execute(text(f"{query} AND pid <> pg_backend_pid()")).scalar_one())


@contextmanager
def scratch_database(url: str, name: str) -> Iterator[str]:
    """PostgreSQL: the URL of an empty database that is dropped when the block ends.

    Raises a database error, such as for want of the right to create databases.
    """
    assert _SCRATCH.fullmatch(name), "a scratch database has a name of ours"
    engine = create_engine(_plain(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            made = make_url(url).set(database=name)
            yield made.render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def drop_scratches(url: str) -> None:
    """PostgreSQL: drop scratch databases that an earlier process left behind."""
    engine = create_engine(_plain(url), isolation_level="AUTOCOMMIT")
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'lango\\_trial\\_%'"
    try:
        with engine.connect() as connection:
            for name in connection.execute(text(query)).scalars().all():
                if _SCRATCH.fullmatch(name):
                    connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    except ProgrammingError:
        pass  # another one's, or no right to: the new one will say so
    finally:
        engine.dispose()


def _plain(url: str) -> str:
    return url.replace("+aiosqlite", "")
