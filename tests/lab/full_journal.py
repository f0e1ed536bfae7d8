"""A journal that fills its own disk while the link is cut; then the ack comes. Told as JSON.

``python -m tests.lab.full_journal FOLDER``, where FOLDER is a small file system of its own.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.journal import Journal, JournalError
from agent.model import SessionClosed, State, Why
from billing.ids import GrantId, SessionId
from tests.support.steered import NOON

BATCH = 20


def filled(journal: Journal) -> None:
    """Write what may not be left out, until the disk takes nothing more, however little."""
    for count in (BATCH, 1):
        with suppress(JournalError):
            while True:
                last = journal.last_seq
                facts = [
                    SessionClosed(SessionId(f"{n:032x}"), GrantId(f"{n:032x}"), Why.IDLE)
                    for n in range(last, last + count)
                ]
                journal.commit(State(), facts, NOON)


def lived(folder: Path) -> dict[str, Any]:
    """Twice: the disk is full, and every ack is taken, as if the reports were small."""
    path = folder / "journal.db"
    journal = Journal(path)
    told: dict[str, Any] = {"written": [], "left": []}
    for _ in range(2):
        filled(journal)
        told["written"].append(journal.fill.records)
        while records := journal.unsent(100):
            journal.ack(records[-1].seq)
        told["left"].append(journal.fill.records)
    told["reserve"] = path.with_suffix(".reserve").exists()
    journal.close()
    with sqlite3.connect(path) as db:
        (told["integrity"],) = db.execute("PRAGMA integrity_check").fetchone()
        (told["rows"],) = db.execute("SELECT count(*) FROM outbox").fetchone()
    return told


if __name__ == "__main__":
    print(json.dumps(lived(Path(sys.argv[1]))))
