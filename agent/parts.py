"""The journal's keeping of a large change that comes in parts, until the last of them is here.

They stand beside what the site works by, on the disk and not in memory, and mean nothing before
the digest of the whole proves them. A link that breaks, or an agent that is killed, goes on from
what is here. The statements run inside the journal's own transactions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.uplink.seam import Held

if TYPE_CHECKING:
    import sqlite3

    from agent.uplink.seam import DesiredChange

SCHEMA = """
CREATE TABLE IF NOT EXISTS part (key TEXT PRIMARY KEY, body BLOB) STRICT;
"""
"""A body of NULL: the change removes this key."""


def add(cursor: sqlite3.Cursor, part: DesiredChange) -> None:
    """Put a part to those before it, or, if it begins a change, in their place."""
    if not part.continues:
        forget(cursor)
    cursor.executemany("INSERT OR REPLACE INTO part VALUES (?, ?)", _told(part))


def joined(db: sqlite3.Connection, last: DesiredChange) -> DesiredChange:
    """The whole change, of the parts that are kept and the last one."""
    told: dict[str, bytes | None] = dict(_told(last))
    if last.continues:
        told = dict(db.execute("SELECT key, body FROM part").fetchall()) | told
    return replace(
        last,
        upserts=tuple((key, body) for key, body in told.items() if body is not None),
        removals=tuple(key for key, body in told.items() if body is None),
        continues=False,
    )


def forget(cursor: sqlite3.Cursor) -> None:
    """Drop what is kept."""
    cursor.execute("DELETE FROM part")


def write_held(part: DesiredChange) -> str:
    """How far a change has come, in words."""
    return f"{part.generation} {part.from_generation} {part.digest.hex()} {part.upto_key}"


def read_held(words: str) -> Held:
    """The same read back."""
    generation, from_generation, digest, upto_key = words.split(" ", 3)
    return Held(
        generation=int(generation),
        digest=bytes.fromhex(digest),
        from_generation=int(from_generation),
        upto_key=upto_key,
    )


def _told(part: DesiredChange) -> list[tuple[str, bytes | None]]:
    return [*part.upserts, *((key, None) for key in part.removals)]
