"""The chain of audit rows: each row's hash covers the one before, so none changes alone.

``hash = SHA-256(hash of the row before, canonical JSON of the row)``, both as UTF-8 text; before
the first row stand 64 zeros. What it cannot show by itself is that its end was cut off, or that it
was made anew from some row on: for that its head is kept elsewhere (`controller.usecases.audit`),
and `Walk` is told these heads.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit row as it is sealed. ``changes`` is the text that is kept, not what it means."""

    id: str
    at: datetime
    staff_id: str
    staff_name: str
    address: str
    route: str
    request_id: str
    code: str
    about_kind: str
    about_id: str
    changes: str
    result: str

    def canonical(self, seq: int) -> str:
        """The one way in which this row is written as JSON, with its place in the chain."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told = {**fields, "at": self.at.isoformat(timespec="microseconds"), "seq": seq}
        return json.dumps(told, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row with its place and hash, as the database has them."""

    entry: Entry
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the end of the chain was at some time: a place and its hash. Place 0: no row at all."""

    seq: int
    hash: str

    def __str__(self) -> str:
        """As it is printed, sent and given back: ``17:4bf5…``."""
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: what became of which place. ``row_id`` is "" where none is."""

    what: str
    seq: int
    row_id: str = ""
    staff_name: str = ""
    at: datetime | None = None


CHANGED, REMOVED, INSERTED, CUT_OFF = "changed", "removed", "inserted", "cut_off"
REWRITTEN = "rewritten"
"""The chain holds in itself, and is not that of a head that was kept: at or before its place."""


def hash_of(previous: str, entry: Entry, seq: int) -> str:
    """The hash of a row that stands at ``seq``, after a row of hash ``previous``."""
    return hashlib.sha256(f"{previous}{entry.canonical(seq)}".encode()).hexdigest()


def sealed(head: Head, entries: Sequence[Entry]) -> list[Sealed]:
    """Rows in their order, put at the end of the chain."""
    found, previous = list[Sealed](), head.hash
    for seq, entry in enumerate(entries, start=head.seq + 1):
        previous = hash_of(previous, entry, seq)
        found.append(Sealed(entry, seq, previous))
    return found


@dataclass(slots=True)
class Walk:
    """A walk along the chain in order of places, by pieces; it ends at the first thing wrong."""

    heads: Sequence[Head] = ()
    head: Head = Head(0, GENESIS)
    fault: Fault | None = None
    _waiting: Sealed | None = None
    _wanted: dict[int, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Put the heads by their places."""
        self._wanted = {}
        for head in self.heads:
            self._wanted.setdefault(head.seq, set()).add(head.hash)
        if self._wanted.get(0, {GENESIS}) != {GENESIS}:
            self.fault = Fault(REWRITTEN, 0)

    def along(self, rows: Iterable[Sealed]) -> None:
        """Go on; one row is held back, for what follows shows what became of it."""
        for row in rows:
            if self.fault is not None:
                return
            if self._waiting is not None:
                self._step(self._waiting, row)
            self._waiting = row

    def end(self) -> None:
        """There are no more rows."""
        if self._waiting is not None and self.fault is None:
            self._step(self._waiting, None)
        beyond = [seq for seq in self._wanted if seq > self.head.seq]
        if self.fault is None and beyond:
            self.fault = Fault(CUT_OFF, self.head.seq + 1)

    def _step(self, row: Sealed, after: Sealed | None) -> None:
        what = self._wrong(row, after)
        if what:
            seq = min(row.seq, self.head.seq + 1) if what == REMOVED else row.seq
            self.fault = Fault(what, seq, row.entry.id, row.entry.staff_name, row.entry.at)
            return
        self.head = Head(row.seq, row.hash)
        if self._wanted.get(row.seq, {row.hash}) != {row.hash}:
            self.fault = Fault(REWRITTEN, row.seq, row.entry.id, row.entry.staff_name, row.entry.at)

    def _wrong(self, row: Sealed, after: Sealed | None) -> str:
        seq = self.head.seq + 1
        if row.seq != seq:
            return REMOVED if row.seq > seq else INSERTED
        if hash_of(self.head.hash, row.entry, seq) == row.hash:
            return ""
        if after is None:
            return CHANGED
        if hash_of(self.head.hash, after.entry, seq) == after.hash:
            return INSERTED  # what stands behind it follows what stands before it
        if hash_of(row.hash, after.entry, after.seq + 1) == after.hash:
            return REMOVED  # it and what stands behind it have moved up by one
        return CHANGED
