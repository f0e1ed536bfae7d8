"""Engine and transactions, and the little that SQLite and PostgreSQL do differently.

SQLite (embedded): WAL, ``synchronous=FULL`` (a commit is on disk), foreign keys on, and one writer
at a time in this process, taken before the first statement (``BEGIN IMMEDIATE``), so that a
transaction never fails half-way for want of the lock. PostgreSQL: READ COMMITTED, unique keys and
row locks decide races.

Row locks are always taken in this order, so that no two transactions wait for each other: the table
of plans, operator, logo (by hash), branch, journal, outage (by site), subscriber (by id), voucher
or token or phone code (of vouchers by hash, before tokens), batch of vouchers (by name), payment,
receipt (in the inbox), token key, grant (by id), session (by id), share of a grant at a site (by
grant and site), site (by id), series of numbers (a branch's invoices first). What belongs to one
subscriber (subscriptions, debts, money that came in, what promotions have left) is changed under
the subscriber's lock only, and then in any order. A row that one inserts is locked too, against
those who would insert the same. What alerts are made of (the right to look, alerts, routes,
webhooks, maintenance, messages to areas, credits of outages) is locked without any of these.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from controller import acting
from controller.store import collecting, one_step
from controller.store.known import share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy import Executable

    from controller.store.rows import Row

BUSY_TIMEOUT_MS = 10_000
"""How long a transaction waits for another process's lock before it gives up."""

SQLITE_CACHE_KIB = 16_000
"""Pages that a connection keeps in memory, at most. Keys are spread over a whole index, so with
SQLite's own 2 MB what is written next had just been given up."""

SQLITE_LOG_PAGES = 8_000
"""The log is copied into the file when it has grown to so many pages (of 4 kB).

What many commits change is then copied once. Durable it is without: ``synchronous=FULL`` flushes
the log at each commit.
"""

IDLE_TIMEOUT_MS = 60_000
POOL_SIZE = 10

CONFLICTS = ("40001", "40P01", "55P03")
"""PostgreSQL: serialization failure, deadlock, lock timeout."""

ROW_LOCK = {"key_share": True}
"""How rows are locked on PostgreSQL: against changes, but not against rows that refer to them.

A plain FOR UPDATE would deadlock: whoever inserts a payment already holds its site's key by the
foreign key, and two of them could then never both lock the site.
"""

Tx = AsyncSession
"""An open transaction. Functions that take one never commit it."""


class DatabaseBusy(Exception):  # noqa: N818 - a state, not a fault
    """Others held what the transaction needs for too long; nothing was done, try again."""


class Database:
    """The controller's database; `begin` is the only way to write, `read` the only way to look."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        connect: Callable[..., Awaitable[Any]] | None = None,
    ) -> None:
        """``connect`` opens a driver's connection in place of the driver itself (simulations)."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options = {} if self.is_sqlite else _postgres_options(busy_timeout_ms)
        if connect is not None:
            options["async_creator"] = connect
        self.engine = create_async_engine(url, **options)
        share(self.engine)
        self._writer = asyncio.Lock() if self.is_sqlite else None
        self._deeds: frozenset[str] = frozenset()
        self.groups: dict[object, Any] = {}
        """What is committed together on this database, by its work: see `group.group_of`."""
        if self.is_sqlite:
            _tune_sqlite(self.engine.sync_engine, busy_timeout_ms)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises.

        One of staff (`controller.acting`) leaves an audit row of what it changed, which is
        committed with it.
        Raises `DatabaseBusy`.
        """
        try:
            async with (
                self._writer or nullcontext(),
                AsyncSession(self.engine, expire_on_commit=False) as tx,
                tx.begin(),
            ):
                if self.is_sqlite:
                    await (await tx.connection()).exec_driver_sql("BEGIN IMMEDIATE")
                who = acting.actor()
                collected = None if who is None else await collecting.collect(tx, who)
                yield tx
                if collected is not None:
                    await collecting.write(tx, collected)
        except Exception as error:
            if _is_conflict(error):
                raise DatabaseBusy(str(getattr(error, "orig", error))) from error
            raise

    @asynccontextmanager
    async def alone(self, deed: str) -> AsyncIterator[bool]:
        """Whether nobody else, in any controller, is at this deed; so until the block ends.

        For what takes many transactions. It ends with the process too.
        """
        if self.is_sqlite:  # which has one process
            is_first = deed not in self._deeds
            self._deeds |= {deed}
            try:
                yield is_first
            finally:
                self._deeds -= {deed} if is_first else set()
            return
        key = int.from_bytes(hashlib.sha256(deed.encode()).digest()[:8], signed=True)
        async with self.engine.connect() as connection:
            # A lock of the connection, and not of a transaction that would stay open as long.
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            is_first = bool(await connection.scalar(select(func.pg_try_advisory_lock(key))))
            try:
                yield is_first
            finally:
                if is_first:
                    await connection.execute(select(func.pg_advisory_unlock(key)))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A look at one moment's state; nothing that it does is kept."""
        async with AsyncSession(self.engine, expire_on_commit=False) as tx:
            if self.is_sqlite:
                await (await tx.connection()).exec_driver_sql("BEGIN")
            else:
                await tx.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield tx
            # Closing rolls back. A rollback before it would make rows that were read forget
            # themselves, and they are shown after this block.

    def connections(self) -> dict[str, int]:
        """How many connections are in use, and how many wait to be."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        return {"in_use": pool.checkedout(), "idle": pool.checkedin()}

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def inserted(tx: Tx, row: type[Row], **values: object) -> bool:
    """Insert a row unless one of its unique keys is taken; whether it was inserted.

    On PostgreSQL this waits for another transaction that is inserting the same key.
    """
    await tx.flush()
    statement = _inserting_new(row, tx.get_bind().dialect.name)
    return (await (await tx.connection()).execute(statement, values)).first() is not None


@lru_cache(128)
def _inserting_new(row: type[Row], dialect: str) -> Executable:
    """Made once for each table: making it anew takes longer than inserting a row."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(row).on_conflict_do_nothing().returning(literal(1))


def inserting(tx: Tx, row: type[Row]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of this database's dialect, which knows ``on_conflict_…``."""
    if tx.get_bind().dialect.name == "sqlite":
        return sqlite.insert(row)
    return postgresql.insert(row)


async def upsert_many(
    tx: Tx, row: type[Row], *, keys: Sequence[str], values: Sequence[dict[str, object]]
) -> None:
    """Insert many rows at once; where ``keys`` exist already, the other columns are replaced."""
    if not values:
        return
    statement = inserting(tx, row)
    changed = {name: statement.excluded[name] for name in values[0] if name not in keys}
    await (await tx.connection()).execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=changed), list(values)
    )


def _postgres_options(busy_timeout_ms: int) -> dict[str, Any]:
    bounds = f"-c lock_timeout={busy_timeout_ms} -c idle_in_transaction_session_timeout="
    return {
        "pool_size": POOL_SIZE,
        "connect_args": {"options": f"{bounds}{IDLE_TIMEOUT_MS}"},
    }


def _is_conflict(error: Exception) -> bool:
    """Whether the driver says so: by way of SQLAlchemy, or to who speaks to it directly."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None) in CONFLICTS or "is locked" in str(error.orig)
    return getattr(error, "sqlstate", None) in CONFLICTS


def _tune_sqlite(engine: Any, busy_timeout_ms: int) -> None:
    @event.listens_for(engine, "do_connect")
    def _connecting(_dialect: Any, _record: Any, _where: Any, how: dict[str, Any]) -> None:
        how.setdefault("async_creator_fn", one_step.connect)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={busy_timeout_ms}",
            f"cache_size=-{SQLITE_CACHE_KIB}",
            f"wal_autocheckpoint={SQLITE_LOG_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
