"""What the agent must not forget: SQLite with fsync, one commit for each batch.

The journal is written before anything is done about what it says. It holds the items of desired
state, what was spent of each grant, sessions, orders, used codes, tries, probes begun, and the
outbox: records that wait for the controller's ack. Files are readable by their owner alone.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agent import keeping, outbox, parts
from agent.changes import shown
from agent.draft import Draft
from agent.model import State
from agent.outbox import SENT_MAX, Fill, Level
from agent.reserve import Reserve
from agent.uplink.seam import NO_PARTS
from agent.wire import Unreadable, parse_item, record_bodies
from billing.ids import GrantId
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.model import Fact
    from agent.uplink.seam import DesiredChange, Held
    from agent.wire import Record

V = TypeVar("V")

SEEN_STEP_MS = 60_000
"""How often the present moment is written down when there is nothing else to write. After a power
cut with a clock that cannot be right, a running validity may get back so much; it never loses any:
each write is a page of flash, and an idle site would make thousands of them a day."""

CHECKPOINT_PAGES = 2_000
"""The write-ahead log is carried over after so many pages (8 MB): what changes every minute is then
written once more for many changes, and not for each."""

CACHE_KB = 512
"""Of pages that SQLite keeps in memory. Rows are read at the start alone; the system has them."""

ROWS_AT_ONCE = 100
"""Rows read in one go: one by one they take longer, and all at once much memory."""

FORMAT = 1
_PRAGMAS = (
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=FULL",
    f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"cache_size=-{CACHE_KB}",
    # Some builds write zeros over whatever is deleted: on flash that hides nothing, and wears it.
    "secure_delete=OFF",
)
_WEIGHTY = ("generation", "digest", "counts", "asleep_since")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS item (key TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS grant_use (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS session_counts (
    id TEXT PRIMARY KEY, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grant_clock (
    id TEXT PRIMARY KEY, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS purchase (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS used (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS attempt (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS probed (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS hung_up (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS nas_restart (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
"""


class JournalError(Exception):
    """The journal could not be opened, read or written; nothing of the batch is in it."""


class Kept(Generic[V]):
    """One table of the journal, and the very mapping that it last agreed with.

    ``moved`` tells values apart that differ by enough to be written. Invariant: two that do not
    differ from a third by enough do not differ from each other, so the newest can stand for all.
    """

    def __init__(
        self,
        table: str,
        *,
        write: Callable[[V], str | bytes],
        moved: Callable[[V | None, V], bool],
        column: str = "id",
    ) -> None:
        self._agreed: Mapping[str, V] = {}
        self._write = write
        self._moved = moved
        self._put = (
            f"INSERT INTO {table} ({column}, body) VALUES (?, ?)"  # noqa: S608 - our own names
            f" ON CONFLICT ({column}) DO UPDATE SET body = excluded.body"
        )
        self._drop = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - our own names

    def adopt(self, now: Mapping[str, V]) -> None:
        """Take ``now`` for what is written down. It is never changed in place."""
        self._agreed = now

    def changes(self, now: Mapping[str, V]) -> tuple[list[tuple[str, V]], list[str]]:
        """What must be written and what removed, so that the table says ``now``."""
        before = self._agreed
        if now is before:
            return [], []
        puts = [
            (key, value)
            for key, value in now.items()
            if (old := before.get(key)) is not value and self._moved(old, value)
        ]
        if before.keys() <= now.keys():
            return puts, []
        return puts, [key for key in before if key not in now]

    def save(
        self, cursor: sqlite3.Cursor, puts: Sequence[tuple[str, V]], drops: Sequence[str]
    ) -> None:
        """Write and remove rows."""
        cursor.executemany(self._put, ((key, self._write(value)) for key, value in puts))
        cursor.executemany(self._drop, ((key,) for key in drops))


class Journal:
    """One open journal. Not for two threads at once; a second process is refused the file."""

    def __init__(
        self,
        path: Path,
        *,
        records_max: int = outbox.OUTBOX_RECORDS_MAX,
        bytes_max: int = outbox.OUTBOX_BYTES_MAX,
    ) -> None:
        """Open or make the journal. Raises `JournalError`."""
        self._records_max, self._bytes_max = records_max, bytes_max
        self._room = 0
        self._waiting_bytes = 0
        self._told = (0, 0)  # the last seq that was read to be reported, and the bytes up to it
        self.level = Level.ROOM
        self._meta: dict[str, str] = {}
        self._items: Kept[bytes] = Kept("item", write=bytes, moved=_differs, column="key")
        self._uses = Kept("grant_use", write=keeping.write_use, moved=keeping.use_moved)
        self._sessions = Kept("session", write=keeping.write_session, moved=keeping.session_moved)
        self._counts = Kept(
            "session_counts", write=keeping.write_counts, moved=keeping.counts_moved
        )
        self._clocks = Kept("grant_clock", write=keeping.write_clock, moved=keeping.clock_moved)
        self._orders = Kept("purchase", write=keeping.write_order, moved=_differs)
        self._used: Kept[GrantId] = Kept("used", write=str, moved=_differs)
        self._tries = Kept("attempt", write=keeping.write_try, moved=_differs)
        self._probed = Kept("probed", write=datetime.isoformat, moved=_differs)
        self._hung_up = Kept("hung_up", write=keeping.write_hung_up, moved=_differs)
        self._restarts: Kept[str] = Kept("nas_restart", write=str, moved=_differs)
        try:
            self._open(path)
            self.state = self._load()
            self._waiting_bytes = outbox.size(self._db, after=self.acked_seq)
            self._reserve = Reserve(path.with_suffix(".reserve"))
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as broken:
            raise JournalError(f"{path}: {_hint(broken)}") from broken
        self._seen_at = None if self.state.seen is None else self.state.seen.mono
        self._adopt(self.state)
        self.level = self.fill.level

    @property
    def fill(self) -> Fill:
        """How much waits for the controller, and how much may."""
        return Fill(
            records=self.last_seq - self.acked_seq,
            records_max=self._records_max,
            size_bytes=self._waiting_bytes,
            bytes_max=self._bytes_max,
        )

    @property
    def id(self) -> str:
        """Names this journal to the controller: 32 hexadecimal digits, made with the file."""
        return self._meta["journal"]

    @property
    def acked_seq(self) -> int:
        """The controller has committed all records up to here."""
        return int(self._meta["acked_seq"])

    @property
    def last_seq(self) -> int:
        """The newest record's place."""
        return int(self._meta["last_seq"])

    def commit(self, state: State, facts: Sequence[Fact], at: datetime) -> bool:
        """Write down what changed, and the facts for the controller, in one durable step.

        Answers whether anything had to be written. Raises `JournalError`; then nothing was.
        """
        return self._write(state, record_bodies(zip(facts, repeat(at))))

    def commit_dated(self, state: State, told: Sequence[tuple[Fact, datetime]]) -> bool:
        """The same for facts of different moments, which the disk would not take when they came."""
        return self._write(state, record_bodies(told))

    def _write(self, state: State, bodies: Sequence[bytes]) -> bool:
        changes = [(kept, now, *kept.changes(now)) for kept, now in self._tables(state)]
        meta = self._new_meta(state, len(bodies))
        seen = state.seen.mono if state.seen is not None else MonotonicMs(0)
        fresh = self._seen_at is None or not 0 <= seen - self._seen_at < SEEN_STEP_MS
        moved = any(meta.get(key) != self._meta.get(key) for key in _WEIGHTY)
        if not (bodies or fresh or moved or any(puts or drops for _, _, puts, drops in changes)):
            self._adopt(state)
            return False
        with self._transaction() as cursor:
            for kept, _, puts, drops in changes:
                kept.save(cursor, puts, drops)
            outbox.add(cursor, bodies, self.last_seq + 1)
            self._save_meta(cursor, meta)
        self._meta = meta
        self._seen_at = seen
        self._waiting_bytes += sum(map(len, bodies))
        self._adopt(state)
        self._bound()
        return True

    def unsent(
        self, most: int = SENT_MAX, *, bytes_max: int = outbox.OUTBOX_BYTES_MAX
    ) -> list[Record]:
        """The oldest records that are not acked, so many and so large at most.

        One in any case, if there is one. Raises `JournalError`.
        """
        assert most <= SENT_MAX, "records beyond this may still be thinned out"
        with _read():
            records = outbox.oldest(self._db, after=self.acked_seq, most=most, bytes_max=bytes_max)
        if records:
            self._told = (records[-1].seq, sum(len(body) for _, body in records))
        return records

    def newest(self, *, after: int, bytes_max: int) -> list[Record]:
        """The newest openings and readings beyond ``after``, with seq 0. Raises `JournalError`."""
        with _read():
            return outbox.newest(self._db, after=after, bytes_max=bytes_max)

    def ack(self, seq: int) -> None:
        """The controller has committed the records up to here. Raises `JournalError`.

        A controller that knows more than this journal ever wrote has seen a later version of it
        (our disk was restored from a copy): the journal takes a new name, so that its records are
        taken for what they are. One that knows less than it acked before came back from a backup:
        it is told again whatever it lost and is still kept here.
        """
        if seq > self.last_seq:
            self._rename(self.acked_seq)
            return
        if seq < self.acked_seq:
            self._tell_again(seq)
            return
        if seq == self.acked_seq:
            return
        try:
            self._forget(seq)
        except JournalError as error:
            if not (_is_full(error) and self._reserve.give_up()):
                raise
            self._forget(seq, kept=0)
            self._squeeze()
        self._reserve.keep()
        self._room = 0
        self.level = self.fill.level

    @property
    def held(self) -> Held:
        """How far a change has come that comes in parts."""
        words = self._meta.get("parts")
        return NO_PARTS if words is None else parts.read_held(words)

    def hold(self, part: DesiredChange) -> None:
        """Keep a part of a change until the rest of it is here. Raises `JournalError`."""
        meta = {**self._meta, "parts": parts.write_held(part)}
        with self._transaction() as cursor:
            parts.add(cursor, part)
            self._save_meta(cursor, meta)
        self._meta = meta

    def joined(self, last: DesiredChange) -> DesiredChange:
        """The whole change, with its last part. Raises `JournalError`."""
        with _read():
            return parts.joined(self._db, last)

    def forget_parts(self) -> None:
        """The change is taken, or another one was. Raises `JournalError`."""
        meta = {key: value for key, value in self._meta.items() if key != "parts"}
        with self._transaction() as cursor:
            parts.forget(cursor)
            self._save_meta(cursor, meta)
        self._meta = meta

    def _tell_again(self, seq: int) -> None:
        """Let the records after ``seq`` wait again; under a new name, where some are gone.

        Invariant: the records of one name follow each other without a gap.
        """
        with _read():
            first = outbox.first(self._db, last=self.last_seq)
        if first > seq + 1:
            self._rename(first - 1)
            return
        meta = {**self._meta, "acked_seq": str(seq)}
        with self._transaction() as cursor:
            self._save_meta(cursor, meta)
        self._meta, self._told = meta, (0, 0)
        self._waiting_bytes = outbox.size(self._db, after=seq)

    def _forget(self, seq: int, *, kept: int = outbox.TOLD_KEPT_MAX) -> None:
        meta = {**self._meta, "acked_seq": str(seq)}
        told, size_bytes = self._told
        with self._transaction() as cursor:
            was = self.acked_seq
            gone = size_bytes if seq == told else outbox.size(cursor, after=was, upto=seq)
            outbox.drop(cursor, seq - kept)
            self._save_meta(cursor, meta)
        self._meta = meta
        self._waiting_bytes -= gone
        self._told = (0, 0)

    def _squeeze(self) -> None:
        """Carry the log over and cut it off; what cannot be done now is done another time."""
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self._db.close()

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        for pragma in _PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._db.execute("BEGIN EXCLUSIVE")
        for statement in (_SCHEMA + outbox.SCHEMA + parts.SCHEMA).split(";"):
            self._db.execute(statement)
        outbox.adopt(self._db)
        fresh = {"format": str(FORMAT), "journal": secrets.token_hex(16)}
        fresh |= {"acked_seq": "0", "last_seq": "0", "generation": "0", "digest": "", "counts": "0"}
        self._db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", fresh.items())
        self._db.execute("COMMIT")
        self._meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        if int(self._meta["format"]) != FORMAT:
            raise ValueError(f"written by another version (format {self._meta['format']})")

    def _load(self) -> State:
        seen = self._meta.get("seen")
        if seen is None:
            return State()
        draft = Draft(State(), keeping.read_instant(seen))
        for key, body in self._rows_of("SELECT key, body FROM item ORDER BY rowid"):
            draft.items.put(key, body)
            _show(draft, key, body)
        self._load_paid(draft)
        for _, text in self._rows_of("SELECT id, body FROM purchase ORDER BY rowid"):
            note = keeping.read_order(text)
            draft.orders.put(note.order_id, note)
        for key, grant_id in self._rows_of("SELECT id, body FROM used ORDER BY rowid"):
            draft.used.put(key, GrantId(grant_id))
        for key, text in self._rows_of("SELECT id, body FROM attempt ORDER BY rowid"):
            draft.tries.put(key, keeping.read_try(text))
        for key, text in self._rows_of("SELECT id, body FROM probed ORDER BY rowid"):
            draft.probed.put(key, datetime.fromisoformat(text))
        for key, text in self._rows_of("SELECT id, body FROM hung_up ORDER BY rowid"):
            draft.hung_up.put(key, keeping.read_hung_up(text))
        for key, nas in self._rows_of("SELECT id, body FROM nas_restart ORDER BY rowid"):
            draft.restarts.put(key, nas)
        draft.generation = int(self._meta["generation"])
        draft.digest = bytes.fromhex(self._meta["digest"])
        draft.counts = int(self._meta["counts"])
        if "asleep_since" in self._meta:
            asleep = keeping.read_instant(self._meta["asleep_since"])
            draft.asleep_since, draft.woke_at = asleep.wall, asleep.mono
        draft.due_at = MonotonicMs(0)
        return draft.result()

    def _load_paid(self, draft: Draft) -> None:
        """Grants and sessions; of what is the same in many rows, one object is made."""
        share = keeping.Sharing()
        for use, clock in self._joined("grant_use", "grant_clock"):
            draft.put_use(keeping.read_use(use, clock, share))
        for session, counts in self._joined("session", "session_counts"):
            draft.put_session(keeping.read_session(session, counts, share))

    def _joined(self, table: str, beside: str) -> Iterator[tuple[Any, Any]]:
        """Each row of a table in its order, with what is kept beside it, if anything is."""
        rows = self._db.execute(
            f"SELECT a.body, coalesce(b.body, 'null') FROM {table} AS a"  # noqa: S608 - our own names
            f" LEFT JOIN {beside} AS b ON b.id = a.id ORDER BY a.rowid"
        )
        while some := rows.fetchmany(ROWS_AT_ONCE):
            yield from zip(*map(keeping.read_all, zip(*some, strict=True)), strict=True)

    def _rows_of(self, query: str) -> Iterator[tuple[str, Any]]:
        return iter(self._db.execute(query))

    def _tables(self, state: State) -> tuple[tuple[Kept[Any], Mapping[Any, Any]], ...]:
        return (
            (self._items, state.items),
            (self._uses, state.grants),
            (self._sessions, state.sessions),
            (self._counts, state.sessions),
            (self._clocks, state.grants),
            (self._orders, state.orders),
            (self._used, state.used),
            (self._tries, state.tries),
            (self._probed, state.probed),
            (self._hung_up, state.hung_up),
            (self._restarts, state.restarts),
        )

    def _adopt(self, state: State) -> None:
        for kept, now in self._tables(state):
            kept.adopt(now)

    def _new_meta(self, state: State, facts: int) -> dict[str, str]:
        meta = {
            **self._meta,
            "generation": str(state.generation),
            "digest": state.digest.hex(),
            "counts": str(state.counts),
            "last_seq": str(self.last_seq + facts),
        }
        meta.pop("asleep_since", None)
        if state.seen is not None:
            meta["seen"] = keeping.write_instant(state.seen)
            if state.asleep_since is not None:
                asleep = keeping.asleep(state.asleep_since, state.woke_at, state.seen)
                meta["asleep_since"] = keeping.write_instant(asleep)
        return meta

    def _save_meta(self, cursor: sqlite3.Cursor, meta: Mapping[str, str]) -> None:
        gone = [(key,) for key in self._meta if key not in meta]
        news = [(key, value) for key, value in meta.items() if self._meta.get(key) != value]
        cursor.executemany("DELETE FROM meta WHERE key = ?", gone)
        cursor.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", news)

    def _bound(self) -> None:
        """Keep to the bound, if the disk lets us; else it is tried again with the next commit."""
        fill = self.fill
        self.level = max(self.level, fill.level)
        if fill.percent < outbox.FULL_PERCENT + self._room:
            return
        with suppress(JournalError):
            self._thin()

    def _thin(self) -> None:
        """Thin out what was never sent."""
        sent = min(self.last_seq, self.acked_seq + SENT_MAX)
        with self._transaction() as cursor:
            last = outbox.thin(cursor, beyond=sent)
            meta = {**self._meta, "last_seq": str(last)}
            left = outbox.size(cursor, after=self.acked_seq)
            self._save_meta(cursor, meta)
        self._meta, self._waiting_bytes = meta, left
        over = self.fill.percent - outbox.FULL_PERCENT
        self._room = max(0, over + outbox.AGAIN_PERCENT)

    def _rename(self, after: int) -> None:
        """Take a new name, under which the records after a seq are the first."""
        meta = {**self._meta, "journal": secrets.token_hex(16)}
        meta |= {"acked_seq": "0", "last_seq": str(self.last_seq - after)}
        with self._transaction() as cursor:
            outbox.drop(cursor, after)
            outbox.renumber(cursor, after)
            self._save_meta(cursor, meta)
        self._meta, self._told = meta, (0, 0)
        self._waiting_bytes = outbox.size(self._db, after=0)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        cursor = self._db.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            cursor.execute("COMMIT")
        except sqlite3.Error as broken:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise JournalError(_hint(broken)) from broken
        finally:
            # A cursor that an error keeps alive would keep the file locked after `close`.
            cursor.close()


@contextmanager
def _read() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, Unreadable) as broken:
        raise JournalError(f"unreadable: {_hint(broken)}") from broken


def _show(draft: Draft, key: str, body: bytes) -> None:
    """Bring back what items mean; grants come from their own table."""
    try:
        parsed = None if key.startswith("grant/") else parse_item(key, body)
    except Unreadable:
        return
    if parsed is not None:
        shown(draft, key, parsed)


def _differs(kept: object, now: object) -> bool:
    return kept != now


def _is_full(error: JournalError) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode == sqlite3.SQLITE_FULL


def _hint(broken: Exception) -> str:
    if "locked" in str(broken):
        return "in use by another lango-agent"
    return str(broken) or type(broken).__name__
