"""``outbox``: records appended durably, then a day's backlog of them drained and acknowledged.

Ours is the product's journal: facts in, encoded, one commit for each batch, then read back,
rendered as reports and forgotten when acknowledged. The peer commits each record by itself; the
limit writes bodies that were encoded beforehand, in the same batches, and reads and deletes them
again. Both use the same SQLite with the same durability. The oracle decodes what went over the wire
and compares sums and numbers with arithmetic; and opens the file again with plain SQL.

``flash_mb_per_day`` is what a site with 1,000 devices online, all of them moving bytes, hands to
its disk: bytes that the kernel saw written in some virtual minutes, reckoned up to a day.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.changes import digest
from agent.decide import decide, decide_all
from agent.journal import Journal
from agent.model import Changed, Counted, Instant, Reading, Resync, Sighted, State
from agent.uplink.memory import grant_item
from agent.uplink.seam import NO_BACKLOG, AppliedState, DesiredChange
from agent.wire import record_bodies, render_report
from billing.ids import GrantId, SessionId
from shaping.plane import Counter, MonotonicMs, Neighbour, SessionKey, Sight
from tests.bench.booth import LIMITS, address_of, mac_of
from tests.bench.row import Row

ROUNDS = 5
RECORDS = 40_000
BATCH = 1_000
PEER_RECORDS = 2_000
DEVICES = 1_000
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DURABLE = ("journal_mode=WAL", "synchronous=FULL")
FLASH_MINUTES = 4
POLL_MS = 2_000
FLASH_TARGET_MB = 2_000
"""An 8 GB card that bears 3,000 rewritings, with each byte written four times inside it, then lasts
eight years."""


def run() -> list[Row]:
    """Measure."""
    ours, peer, limit, correct = [], [], [], True
    facts = [_reading(number) for number in range(RECORDS)]
    bodies = record_bodies((fact, AT) for fact in facts)
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
            rate, good = _ours(Path(folder) / "journal.db", facts)
            ours.append(rate)
            correct = correct and good
            peer.append(_plain(Path(folder) / "peer.db", bodies[:PEER_RECORDS], batch=1))
            limit.append(_plain(Path(folder) / "limit.db", bodies, batch=BATCH))
        print(f"  {number + 1}: {ours[-1]:.0f} {peer[-1]:.0f} {limit[-1]:.0f}", file=sys.stderr)
    flash = _flash_mb_per_day()
    return [
        Row(
            name="outbox",
            unit="records/s",
            ours=ours,
            peer=peer,
            peer_is="SQLite, one commit per record",
            limit=limit,
            limit_is="SQLite in the same batches, bodies encoded beforehand",
            lower_is_better=False,
            correct=correct,
            more={
                "flash_mb_per_day": round(flash),
                "flash_target_mb_per_day": FLASH_TARGET_MB,
                "devices": DEVICES,
            },
        )
    ]


def _reading(number: int) -> Reading:
    session = SessionId(f"{number % DEVICES:032x}")
    return Reading(session, GrantId(f"{number % DEVICES:032x}"), "e1", number, 1, 60, 60)


def _ours(path: Path, facts: list[Reading]) -> tuple[float, bool]:
    journal = Journal(path)
    began = time.perf_counter()
    for first in range(0, len(facts), BATCH):
        journal.commit(State(), facts[first : first + BATCH], AT)
    wires = []
    while records := journal.unsent():
        report = render_report(
            journal.id, records, applied=AppliedState(0, b""), backlog=NO_BACKLOG, version="0"
        )
        wires.append(report)
        journal.ack(records[-1].seq)
    took = time.perf_counter() - began
    level = journal._db.execute("PRAGMA synchronous").fetchone()[0]  # noqa: SLF001 - SQLite's word
    journal.close()
    return len(facts) / took, level == 2 and _told(wires, len(facts)) and _empty(path)


def _told(wires: list[bytes], count: int) -> bool:
    from wirepb.v1 import edge_pb2

    seqs, total = [], 0
    for wire in wires:
        report = edge_pb2.ReportRequest.FromString(wire)
        seqs += [record.seq for record in report.records]
        total += sum(record.reading.down_bytes_total for record in report.records)
    return seqs == list(range(1, count + 1)) and total == count * (count - 1) // 2


def _empty(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return bool(db.execute("SELECT count(*) FROM outbox").fetchone() == (0,))


def _plain(path: Path, bodies: list[bytes], *, batch: int) -> float:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in DURABLE:
            db.execute(f"PRAGMA {pragma}").fetchall()
        db.execute("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, body BLOB)")
        began = time.perf_counter()
        for first in range(0, len(bodies), batch):
            db.execute("BEGIN IMMEDIATE")
            fresh = enumerate(bodies[first : first + batch], first)
            db.executemany("INSERT INTO outbox VALUES (?, ?)", fresh)
            db.execute("COMMIT")
        while rows := db.execute("SELECT seq, body FROM outbox LIMIT ?", (BATCH,)).fetchall():
            db.execute("DELETE FROM outbox WHERE seq <= ?", (rows[-1][0],))
        return len(bodies) / (time.perf_counter() - began)


def _flash_mb_per_day() -> float:
    """Virtual minutes of a busy site on the real journal; what the kernel was given to write."""
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        journal = Journal(Path(folder) / "journal.db")
        now = Instant(AT, MonotonicMs(1_000_000), "boot")
        state = _signed_in(journal, now)
        steps, written = FLASH_MINUTES * 60_000 // POLL_MS, 0
        for step in range(1, 2 * steps + 1):
            if step == steps + 1:  # the first half only warms up
                written = _written_bytes()
            now = replace(
                now,
                wall=now.wall + timedelta(milliseconds=POLL_MS),
                mono=MonotonicMs(now.mono + POLL_MS),
            )
            counters = {
                SessionKey(key): Counter("e1", step * 9_000, step * 900) for key in state.sessions
            }
            state, effects = decide(state, Counted(counters), now)
            facts = [effect for effect in effects if not isinstance(effect, Resync)]
            journal.commit(state, facts, now.wall)
            if facts:
                journal.ack(journal.last_seq)
        written = _written_bytes() - written
        assert len(state.sessions) == DEVICES, "somebody is not online"
        journal.close()
    return written * (24 * 60 / FLASH_MINUTES) / 1e6


def _signed_in(journal: Journal, now: Instant) -> State:
    limits = replace(LIMITS, validity_s=30 * 86_400)
    items = dict(
        grant_item(f"{n:032x}", limits=limits, devices=(mac_of(n),)) for n in range(1, DEVICES + 1)
    )
    change = DesiredChange(1, 0, tuple(items.items()), (), digest(items))
    seen = [Sighted(Neighbour(Sight.SEEN, mac_of(n), address_of(n))) for n in range(1, DEVICES + 1)]
    state, _ = decide_all(State(), (Changed(change), *seen), now)
    journal.commit(state, [], now.wall)
    return state


def _written_bytes() -> int:
    """Bytes that this process handed to ``write`` so far: SQLite syncs each of its own."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])
