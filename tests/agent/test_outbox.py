"""The outbox at its bound: what is left out, what never is, and when staff are told."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.journal import Journal, JournalError
from agent.model import Notice, Reading, SessionClosed, SessionOpened, State, Why
from agent.outbox import ADDED_AT_ONCE, OUTBOX_RECORDS_MAX, SENT_MAX, Level
from agent.wire import record_bodies
from billing.ids import GrantId, SessionId
from tests.support.site import a_mac
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.model import Fact
    from agent.wire import Record

GRANT = GrantId("g1")
WEEK_ROUNDS = 7 * 24
"""A round an hour."""

DEVICES = 150


def a_reading(session: str, down: int, *, epoch: str = "e1") -> Reading:
    return Reading(SessionId(session), GRANT, epoch, down, down // 10, 0, 0)


def an_opening(session: str) -> SessionOpened:
    return SessionOpened(SessionId(session), GRANT, a_mac("a"), ("10.0.0.5",))


def a_closing(session: str) -> SessionClosed:
    return SessionClosed(SessionId(session), GRANT, Why.IDLE)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db", records_max=2_000, bytes_max=1_000_000)
    yield opened
    opened.close()


def test_a_journal_of_before_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL)"
            " STRICT"
        )
        db.execute("INSERT INTO outbox VALUES (1, 'x', ?)", record_bodies([(a_closing("s"), NOON)]))
        db.commit()
    journal = Journal(path)
    journal.commit(State(), [], NOON)
    found = [record.fact for record in journal.unsent()]
    journal.close()

    assert found == [a_closing("s")]


def drained(journal: Journal) -> Iterator[Record]:
    """Everything that a controller is told until it has acknowledged it all."""
    while batch := journal.unsent():
        yield from batch
        journal.ack(batch[-1].seq)


@pytest.mark.parametrize(
    "count", [1, ADDED_AT_ONCE - 1, ADDED_AT_ONCE, ADDED_AT_ONCE + 1, 3 * ADDED_AT_ONCE + 7]
)
def test_records_of_a_batch_of_any_size_keep_their_order(journal: Journal, count: int) -> None:
    facts: list[Fact] = [a_reading("s", number) for number in range(2 * count)]
    journal.commit(State(), facts[:count], NOON)
    journal.commit(State(), facts[count:], NOON)
    found = journal.unsent()

    assert [record.seq for record in found] == list(range(1, 2 * count + 1))
    assert [record.fact for record in found] == facts
    assert journal.fill.size_bytes == sum(len(record.body) for record in found)


def test_a_body_that_cannot_be_read_is_told(journal: Journal) -> None:
    journal.commit(State(), [a_reading("s", number) for number in range(9)], NOON)
    journal._db.execute("UPDATE outbox SET body = x'0aff' WHERE seq = 5")  # noqa: SLF001 - the disk

    with pytest.raises(JournalError, match="unreadable"):
        journal.unsent()


def test_a_week_offline_stays_within_the_bound_and_loses_no_byte(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    truth: dict[str, int] = defaultdict(int)
    spells: list[str] = []
    written = 0
    for hour in range(WEEK_ROUNDS):
        here = [f"{device}-{hour // 12}" for device in range(DEVICES)]
        facts: list[Fact] = []
        for number, name in enumerate(here):
            if name not in truth:
                facts.append(an_opening(name))
                spells.append(name)
            for _ in range(4):
                truth[name] += 1_000 * number + hour
                facts.append(a_reading(name, truth[name]))
            if hour % 12 == 11:
                facts.append(a_closing(name))
        journal.commit(State(), facts, NOON)
        written += len(facts)

        assert journal.fill.records <= OUTBOX_RECORDS_MAX
    level = journal.level
    told: dict[str, int] = {}
    opened, closed, seqs = [], [], []
    for record in drained(journal):
        seqs.append(record.seq)
        match record.fact:
            case Reading():
                told[record.fact.session_id] = record.fact.down_bytes_total
            case SessionOpened():
                opened.append(record.fact.session_id)
            case SessionClosed():
                closed.append(record.fact.session_id)
    journal.close()

    assert (written > OUTBOX_RECORDS_MAX, level) == (True, Level.FULL)
    assert told == truth
    assert (sorted(opened), sorted(closed)) == (sorted(spells), sorted(spells))
    assert seqs == list(range(1, len(seqs) + 1))


def test_what_is_never_dropped_goes_over_the_bound_and_says_so(journal: Journal) -> None:
    names = [f"s{number}" for number in range(2_500)]
    for name in names:
        journal.commit(State(), [an_opening(name)], NOON)

    assert (journal.fill.percent, journal.level) == (125, Level.FULL)
    assert [r.fact for r in drained(journal)] == [an_opening(name) for name in names]


def test_a_few_large_records_fill_it_by_their_bytes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", bytes_max=10_000)
    journal.commit(State(), [Notice("probe", "x" * 8_500)], NOON)
    filling = journal.level
    journal.commit(State(), [Notice("probe", "x" * 8_500)], NOON)
    level, seqs = journal.level, [r.seq for r in journal.unsent()]
    journal.close()

    assert (filling, level, seqs) == (Level.FILLING, Level.FULL, [1, 2])


def test_the_latest_notice_of_each_kind_outlives_thinning(journal: Journal) -> None:
    journal.commit(State(), [a_reading("s1", n) for n in range(SENT_MAX)], NOON)
    journal.commit(State(), [Notice("outbox_filling", "now")], NOON)
    journal.commit(State(), [Notice("drift", str(n)) for n in range(1_500)], NOON)
    tail = [r.fact for r in drained(journal) if r.seq > SENT_MAX]

    assert tail == [Notice("outbox_filling", "now"), Notice("drift", "1499")]


def test_levels_rise_before_the_bound_and_fall_when_there_is_room(journal: Journal) -> None:
    levels = []
    for count in (1_000, 599, 1, 399, 1):
        journal.commit(State(), [a_reading("s1", n) for n in range(count)], NOON)
        levels.append(journal.level)
    after_thinning = journal.fill.records
    journal.ack(1_000)

    assert levels == [Level.ROOM, Level.ROOM, Level.FILLING, Level.FILLING, Level.FULL]
    assert (after_thinning, journal.level) == (1_001, Level.ROOM)


def test_how_full_it_is_survives_a_restart(journal: Journal, tmp_path: Path) -> None:
    journal.commit(State(), [a_reading("s1", n) for n in range(1_700)], NOON)
    before = journal.fill
    journal.close()
    again = Journal(tmp_path / "journal.db", records_max=2_000, bytes_max=1_000_000)
    found = (again.fill, again.level)
    again.ack(1_700)
    empty = again.fill
    again.close()

    assert found == (before, Level.FILLING)
    assert empty == replace(before, records=0, size_bytes=0)


def test_a_batch_is_bounded_in_bytes_but_never_empty(journal: Journal) -> None:
    journal.commit(State(), [Notice("n", "x" * 1_000) for _ in range(10)], NOON)

    assert len(journal.unsent(bytes_max=3_500)) == 3
    assert len(journal.unsent(bytes_max=1)) == 1


def test_the_newest_are_openings_and_readings_of_sessions_that_are_not_over(
    journal: Journal,
) -> None:
    journal.commit(State(), [a_reading("old", 1)], NOON)
    facts: list[Fact] = [
        an_opening("gone"),
        an_opening("here"),
        a_reading("here", 1),
        a_reading("gone", 7),
        a_closing("gone"),
        Notice("drift", "x"),
        a_reading("here", 2),
    ]
    journal.commit(State(), facts, NOON)
    found = journal.newest(after=1, bytes_max=10_000)

    assert [r.fact for r in found] == [an_opening("here"), a_reading("here", 2)]
    assert {r.seq for r in found} == {0}
    assert [r.fact for r in journal.newest(after=1, bytes_max=40)] == [a_reading("here", 2)]
