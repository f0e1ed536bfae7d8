"""What is in a backup: versions, hashes, counts. PURE."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

FORMAT = 1
MANIFEST_BYTES_MAX = 256 * 1024
MEMBER_NAMES = ("database", "keys.json", "ca.key", "ca.pem", "audit-heads", "settings.toml")
"""All that a backup may hold beside its manifest, by the only names that are ever read."""

ROOMS = {name: name for name in MEMBER_NAMES if name not in {"database", "settings.toml"}}
"""Members that are files of the state directory, and what they are called there."""


class NotABackup(Exception):  # noqa: N818 - a sentence
    """A file cannot be used as a backup; it says why, and nothing of its content."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup: its size in bytes, and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Books:
    """What is counted to know a database by: rows of each table, and the ledger.

    ``ledger`` is the SHA-256 of every account's balance, ``posted_minor`` the sum of all postings.
    """

    rows: dict[str, int]
    ledger: str
    posted_minor: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. ``kind`` is the database's: sqlite or postgresql."""

    made_at: datetime
    version: str
    kind: str
    schema: str
    audit_head: str
    books: Books
    members: tuple[Member, ...]

    def written(self) -> bytes:
        """As JSON."""
        told = {"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps(told, sort_keys=True, indent=1).encode()


def read_manifest(raw: bytes) -> Manifest:
    """The manifest of a backup. Raises `NotABackup`."""
    try:
        told = json.loads(raw)
        if told.pop("format") != FORMAT:
            raise NotABackup("it is of a newer version of Lango; restore it with that version")
        books = Books(**told.pop("books"))
        members = tuple(Member(**one) for one in told.pop("members"))
        found = Manifest(
            **{**told, "made_at": datetime.fromisoformat(told["made_at"])},
            books=books,
            members=members,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as strange:
        raise NotABackup("its manifest cannot be read") from strange
    names = [one.name for one in members]
    if len(set(names)) != len(names) or not set(names) <= set(MEMBER_NAMES):
        raise NotABackup("its manifest names files that no backup has")
    if "database" not in names or any(one.size < 0 for one in members):
        raise NotABackup("its manifest names no database")
    return found


def differences(wanted: Books, found: Books) -> list[str]:
    """In what a restored database is not the one that was backed up, one sentence each."""
    told = [
        f"{table}: {found.rows.get(table, 0):,} rows, the backup had {count:,}"
        for table, count in sorted(wanted.rows.items())
        if found.rows.get(table, 0) != count
    ]
    if found.ledger != wanted.ledger or found.posted_minor != wanted.posted_minor:
        told.append("the balances of the ledger are not those of the backup")
    return told
