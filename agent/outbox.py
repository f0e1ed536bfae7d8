"""The journal's outbox: what waits for the controller, in which order, and how much of it may.

The statements here run inside the journal's own transactions. What happens at the bound: records
that were never sent are thinned out. Of each session's readings in one epoch only the latest is
kept (readings are cumulative, so no byte is lost, only detail over time), and of the notices the
latest of each kind. Everything else (openings, closings, whatever spends money or a code) is never
dropped: a site that has that much to tell goes over its bound, and says so. What could not be
thinned out is tried again after a tenth more, so that a full outbox is not rewritten all the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from agent.model import Notice, Reading, SessionClosed, SessionOpened
from agent.wire import Record, Unreadable, readable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from agent.model import Fact
    from billing.ids import SessionId

OUTBOX_RECORDS_MAX = 100_000
"""Records kept for the controller before they are thinned out."""

OUTBOX_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of records kept before they are thinned out; ordinary ones are about 120 bytes each."""

FILLING_PERCENT = 80
"""From here on staff are told."""

FULL_PERCENT = 100
AGAIN_PERCENT = 10
"""How much more must come before what could not be thinned out is looked at again."""

SENT_MAX = 1_000
"""Records that may be on the way at most (one report): these keep their seq and their content."""

TOLD_KEPT_MAX = 20_000
"""Records kept after the controller has committed them, for a controller that comes back from a
backup and has not: some 2.5 MB, and days of an ordinary site."""

NEWEST_LOOK_MAX = 1_000
"""Records looked through, from the latest back, for the newest state of sessions."""

ADDED_AT_ONCE = 50
"""Records in one statement, which costs half of what as many statements do."""

_ADD = "INSERT INTO outbox VALUES (?, ?)"
_ADD_MANY = "INSERT INTO outbox VALUES "
_ADD_MANY += ", ".join(f"(?1 + {number}, ?{number + 2})" for number in range(ADDED_AT_ONCE))

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, body BLOB NOT NULL
) STRICT;
"""


class Level(IntEnum):
    """How full the outbox was at its fullest since the controller last made room."""

    ROOM = 0
    FILLING = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class Fill:
    """How much waits, beside how much may."""

    records: int
    records_max: int
    size_bytes: int
    bytes_max: int

    @property
    def percent(self) -> int:
        """The fuller of the two, in hundredths."""
        return max(100 * self.records // self.records_max, 100 * self.size_bytes // self.bytes_max)

    @property
    def level(self) -> Level:
        """What staff are told of it."""
        if self.percent >= FULL_PERCENT:
            return Level.FULL
        return Level.FILLING if self.percent >= FILLING_PERCENT else Level.ROOM


def topic(fact: Fact) -> str:
    """What a later fact of the same topic makes superfluous; "" when nothing ever does."""
    match fact:
        case Reading():
            return f"reading {fact.session_id} {fact.epoch}"
        case Notice():
            return f"notice {fact.code}"
        case _:
            return ""


def latest(facts: Iterable[tuple[Fact, datetime]]) -> list[tuple[Fact, datetime]]:
    """The facts without those that a later one makes superfluous, in their order."""
    seen, kept = set(), []
    for fact, at in reversed(list(facts)):
        name = topic(fact)
        if not name or name not in seen:
            kept.append((fact, at))
        seen.add(name)
    return kept[::-1]


def adopt(db: sqlite3.Connection) -> None:
    """Take over a journal of before, when each record had its topic beside it."""
    if any(name == "topic" for _, name, *_ in db.execute("PRAGMA table_info (outbox)").fetchall()):
        db.execute("ALTER TABLE outbox DROP COLUMN topic")


def add(cursor: sqlite3.Cursor, bodies: Sequence[bytes], first: int) -> None:
    """Write records at the end, numbered from ``first``."""
    whole = len(bodies) - len(bodies) % ADDED_AT_ONCE
    for start in range(0, whole, ADDED_AT_ONCE):
        cursor.execute(_ADD_MANY, (first + start, *bodies[start : start + ADDED_AT_ONCE]))
    cursor.executemany(_ADD, enumerate(bodies[whole:], first + whole))


def size(db: sqlite3.Connection | sqlite3.Cursor, *, after: int, upto: int | None = None) -> int:
    """Bytes of all records beyond a seq, or of those up to another."""
    query = "SELECT coalesce(sum(length(body)), 0) FROM outbox WHERE seq > ?"
    if upto is None:
        return int(db.execute(query, (after,)).fetchone()[0])
    return int(db.execute(f"{query} AND seq <= ?", (after, upto)).fetchone()[0])


def drop(cursor: sqlite3.Cursor, upto: int) -> None:
    """Forget the records up to a seq."""
    cursor.execute("DELETE FROM outbox WHERE seq <= ?", (upto,))


def first(db: sqlite3.Connection, *, last: int) -> int:
    """The seq of the oldest record that is kept; one more than the ``last`` when none is."""
    found = db.execute("SELECT min(seq) FROM outbox").fetchone()[0]
    return last + 1 if found is None else int(found)


def oldest(db: sqlite3.Connection, *, after: int, most: int, bytes_max: int) -> list[Record]:
    """The oldest records beyond a seq: at most so many, of so many bytes; one if there is one.

    Raises `Unreadable`.
    """
    query = "SELECT seq, body FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"
    found: list[tuple[int, bytes]] = []
    left = bytes_max
    for row in db.execute(query, (after, most)):
        left -= len(row[1])
        if found and left < 0:
            break
        found.append(row)
    return readable(found)


def newest(db: sqlite3.Connection, *, after: int, bytes_max: int) -> list[Record]:
    """The latest openings and readings of sessions that are not over, latest last, with seq 0.

    Of the records beyond ``after``; they acknowledge nothing. Raises `Unreadable`.
    """
    look = "SELECT body FROM outbox WHERE seq > ? ORDER BY seq DESC LIMIT ?"
    over: set[SessionId] = set()
    seen: set[str] = set()
    found: list[Record] = []
    left = bytes_max
    for (body,) in db.execute(look, (after, NEWEST_LOOK_MAX)):
        record = Record(0, body)
        match fact := record.fact:
            case SessionClosed():
                over.add(fact.session_id)
                continue
            case Reading() | SessionOpened():
                name = topic(fact)
                if fact.session_id in over or name in seen:
                    continue
            case _:
                continue
        left -= len(body)
        if left < 0:
            break
        if name:
            seen.add(name)
        found.append(record)
    return found[::-1]


def thin(cursor: sqlite3.Cursor, *, beyond: int) -> int:
    """Thin out the records after ``beyond``, and close the gaps in their numbers; the last seq."""
    seen: set[str] = set()
    gone: list[tuple[int]] = []
    newest_first = "SELECT seq, body FROM outbox WHERE seq > ? ORDER BY seq DESC"
    for seq, body in cursor.execute(newest_first, (beyond,)):
        name = _topic(seq, body)
        if name in seen:
            gone.append((seq,))
        elif name:
            seen.add(name)
    cursor.executemany("DELETE FROM outbox WHERE seq = ?", gone)
    left = cursor.execute("SELECT seq FROM outbox WHERE seq > ? ORDER BY seq", (beyond,))
    moves = [(new, old) for new, (old,) in enumerate(left.fetchall(), beyond + 1)]
    cursor.executemany(
        "UPDATE outbox SET seq = ? WHERE seq = ?", [m for m in moves if m[0] != m[1]]
    )
    return beyond + len(moves)


def _topic(seq: int, body: bytes) -> str:
    """The topic of a record; one that cannot be read is not touched."""
    try:
        return topic(Record(seq, body).fact)
    except Unreadable:
        return ""


def renumber(cursor: sqlite3.Cursor, by: int) -> None:
    """Let every record's number be smaller by so much."""
    seqs = cursor.execute("SELECT seq FROM outbox ORDER BY seq").fetchall()
    cursor.executemany("UPDATE outbox SET seq = ? WHERE seq = ?", [(s - by, s) for (s,) in seqs])
