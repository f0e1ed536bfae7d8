"""The journal under restarts and crashes: nothing lost, nothing doubled, nothing half-done."""

from __future__ import annotations

import json
import shutil
import stat
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import grants
from agent.decide import decide
from agent.journal import Journal, JournalError
from agent.model import (
    Counted,
    Instant,
    Notice,
    Reading,
    Redeemed,
    Resync,
    SessionClosed,
    SessionOpened,
    State,
    VoucherMark,
    Why,
)
from agent.outbox import SENT_MAX, TOLD_KEPT_MAX
from agent.prepaid import voucher_hash
from billing.ids import GrantId, RedemptionId, SessionId, grant_of
from billing.metering import Volume
from shaping.plane import Counter, MonotonicMs, SessionKey
from tests.support.site import Story, a_mac
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.model import Event, Fact

AT = Instant(wall=NOON, mono=MonotonicMs(1), boot="boot-1")


def a_reading(session: str = "s1", *, down: int = 1, epoch: str = "e1") -> Reading:
    return Reading(SessionId(session), GrantId("g1"), epoch, down, 0, 0, 0)


def a_closing(session: str = "s1") -> SessionClosed:
    return SessionClosed(SessionId(session), GrantId("g1"), Why.TIME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, records_max=2_000)
    yield opened
    opened.close()


def kept(state: State) -> object:
    """What a restart must not change, in an order that does not matter."""
    still = MonotonicMs(0)
    sessions = {
        key: replace(s, meter=s.reported, active_at=still, heard_at=still, reported_at=still)
        for key, s in state.sessions.items()
    }
    uses = {key: replace(u, uptime_ms=0, uptime_at=None) for key, u in state.grants.items()}
    entitled = {mac: sorted(ids) for mac, ids in state.index.entitled.items()}
    by_grant = {key: sorted(ids) for key, ids in state.index.by_grant.items()}
    whole = (state.generation, state.digest, dict(state.items), state.counts, dict(state.orders))
    codes = (dict(state.used), dict(state.tries), dict(state.chunks))
    found = (dict(state.index.by_mac), by_grant, dict(state.index.owners), entitled)
    return whole, codes, sessions, uses, found, state.offers, state.face


def copied(path: Path, to: Path) -> Path:
    """The journal's files as a crash would leave them."""
    to.mkdir()
    for file in path.parent.glob("journal.db*"):
        shutil.copy(file, to / file.name)
    return to / path.name


class World:
    """A site whose plane counts for itself, and whose agent may be killed between any two steps."""

    def __init__(self, folder: Path) -> None:
        self.story = Story()
        self.folder = folder
        self.path = folder / "0" / "journal.db"
        self.journal = Journal(self.path)
        self.plane: dict[SessionKey, list[int]] = defaultdict(lambda: [0, 0])
        self.crashes = 0

    def happen(self, what: str) -> None:
        event = self.story._event(*_parsed(what))  # noqa: SLF001 - the story's own grammar
        self.decide(event)

    def decide(self, event: Event, *, crash: str = "") -> None:
        state, effects = decide(self.story.state, event, self.story.now())
        facts: list[Fact] = [e for e in effects if not isinstance(e, Resync)]
        if crash != "before commit":
            self.journal.commit(state, facts, NOON)
            self.story.state = state
        if crash:
            self.crash()

    def pass_time(self, ms: int) -> None:
        self.story._go_to(self.story.mono + ms)  # noqa: SLF001 - the story's own clock

    def traffic(self, down: int, up: int) -> None:
        """Every session that the plane lets pass moves some bytes."""
        for key, session in self.story.state.sessions.items():
            if session.closed is None:
                self.plane[SessionKey(key)][0] += down
                self.plane[SessionKey(key)][1] += up

    def count(self, *, crash: str = "") -> None:
        counters = {
            key: Counter("e1", down, up)
            for key, (down, up) in self.plane.items()
            if SessionId(key) in self.story.state.sessions
        }
        self.decide(Counted(counters), crash=crash)

    def crash(self) -> None:
        self.crashes += 1
        fresh = copied(self.path, self.folder / str(self.crashes))
        self.journal.close()
        self.path = fresh
        self.journal = Journal(fresh)
        self.story.state = self.journal.state

    def end_all(self) -> None:
        """The validity of everything ends; what is left is counted out."""
        self.pass_time(1_000_000)
        for _ in range(8):
            self.count()
            self.pass_time(1_000_000)


def _parsed(what: str) -> tuple[str, list[str], dict[str, str]]:
    word, *rest = what.split()
    given_ = dict(part.split("=", 1) for part in rest if "=" in part)
    return word, [part for part in rest if "=" not in part], given_


EVENTS = st.sampled_from(
    [
        "seen a 10.0.0.5",
        "seen a 10.0.0.7",
        "seen b 10.0.0.6",
        "gone a 10.0.0.5",
        "seen a 2001:db8::5",
        "grant g1 for=a validity=900",
        "grant g2 for=a,b uptime=400 devices=2",
        "grant g3 for=b quota=1000000",
        "grant g3 for=b quota=2000000",
        "grant g2 for=b uptime=400 spent_u=30",
        "drop g1",
        "chunk c1 codes=x,y validity=900",
        "chunk c2 codes=y quota=3000000",
        "take r1 a x",
        "take r2 b x",
        "take r3 b y",
        "grant of-r1 for=a validity=900",
        "grant g4 for=b validity=900 handed_b=500000 steps=9:9000:9000 burst=4000000:2000000:9",
        "forget vouchers/batch/c1",
        "snapshot",
        "delivered",
        "order o1 a",
        "answer o1 paid",
        "tick",
    ]
)
STEPS = st.lists(
    st.tuples(
        EVENTS,
        st.integers(0, 400_000),
        st.integers(0, 700_000),
        st.sampled_from(["", "", "before commit", "after commit"]),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_what_is_journalled_reads_back_the_same(
    steps: list[tuple[str, int, int, str]],
) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for what, down, ms, _ in steps:
            world.happen(what)
            world.traffic(down, down // 10)
            world.count()
            world.pass_time(ms)
        before = world.story.state
        world.crash()
        world.journal.close()

        assert kept(world.story.state) == kept(before)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_what_is_spent_never_falls(steps: list[tuple[str, int, int, str]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        most: dict[GrantId, tuple[int, int, int]] = {}
        for what, down, ms, _ in steps:
            world.happen(what)
            world.traffic(down, down // 10)
            world.count()
            world.pass_time(ms)
            state = world.story.state
            for key, use in state.grants.items():
                siblings = [state.sessions[s] for s in state.index.by_grant.get(key, ())]
                spent = grants.certain(use, siblings, MonotonicMs(world.story.mono))
                now = (spent.validity_s, spent.uptime_s, spent.used_bytes)
                before = most.get(key, (0, 0, 0))
                assert all(a >= b for a, b in zip(now, before, strict=True)), (key, before, now)
                most[key] = now
            most = {key: value for key, value in most.items() if key in state.grants}
        world.journal.close()


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_no_byte_is_lost_or_doubled_by_crashes(steps: list[tuple[str, int, int, str]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for what, down, ms, crash in steps:
            world.happen(what)
            world.traffic(down, down // 10)
            world.count(crash=crash)
            world.pass_time(ms)
        world.end_all()
        facts = [record.fact for record in world.journal.unsent()]
        world.journal.close()
        reported: dict[tuple[str, str], Volume] = {}
        for fact in facts:
            if isinstance(fact, Reading):
                volume = Volume(fact.down_bytes_total, fact.up_bytes_total)
                if volume != Volume():  # time that passed is told though no byte moved
                    reported[fact.session_id, fact.epoch] = volume
        moved = {(key, "e1"): Volume(*v) for key, v in world.plane.items() if any(v)}
        opened = [f.session_id for f in facts if isinstance(f, SessionOpened)]
        closed = [f.session_id for f in facts if isinstance(f, SessionClosed)]

        assert reported == moved
        assert redeemed_well(facts)
        assert sorted(opened) == sorted(set(opened)) == sorted(closed)


def redeemed_well(facts: list[Fact]) -> bool:
    """Whether every code was redeemed once at most, and before anybody had access by it."""
    marks, given = list[bytes](), set[str]()
    for fact in facts:
        if isinstance(fact, Redeemed):
            assert isinstance(fact.mark, VoucherMark)
            marks.append(fact.mark.code_hash)
            given.add(fact.grant_id)
        elif isinstance(fact, SessionOpened) and fact.grant_id == grant_of(RedemptionId("r3")):
            assert fact.grant_id in given
    same_code = {voucher_hash("y", salt, 1) for salt in (b"c1" + b"." * 14, b"c2" + b"." * 14)}
    return len(set(marks)) == len(marks) and len(same_code & set(marks)) <= 1


def test_a_voucher_that_was_taken_is_known_before_anybody_has_access(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    story = Story()
    story.tell("0 | seen a 10.0.0.5 |\n0 | chunk c1 codes=x |")
    journal.commit(story.state, [], NOON)
    event = story._event("take", ["r1", "a", "x"], {})  # noqa: SLF001 - the story's own grammar
    state, effects = decide(story.state, event, story.now())
    facts = [e for e in effects if not isinstance(e, Resync)]
    before = Journal(copied(path, tmp_path / "before"))
    journal.commit(state, facts, NOON)
    after = Journal(copied(path, tmp_path / "after"))
    unknown, known = before.state, after.state
    records = [type(record.fact) for record in after.unsent()]
    before.close()
    after.close()

    assert (unknown.used, dict(unknown.grants)) == ({}, {})
    assert dict(known.used) == dict(state.used)
    assert known.grants == state.grants
    assert next(iter(known.grants.values())).made_here
    assert records == [Redeemed, SessionOpened]


def test_tries_are_on_the_disk(journal: Journal, path: Path) -> None:
    story = Story()
    story.tell("0 | wrong a x5 |\n0 | order o1 a |")
    journal.commit(story.state, [], NOON)
    journal.close()
    again = Journal(path)
    again.close()

    assert again.state.tries == story.state.tries
    assert len(again.state.tries) == 6


def test_a_journal_of_an_earlier_version_is_read(journal: Journal, path: Path) -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5 |
        0 | grant g1 for=a uptime=300 | open a g1 10.0.0.5
        9 | count a 10/10 |
    """)
    journal.commit(story.state, [], NOON)
    for table, new in (("grant_use", NEW_OF_A_GRANT), ("session", ("port",))):
        for key, text in journal._rows_of(f"SELECT id, body FROM {table}"):  # noqa: S608, SLF001
            old = {k: v for k, v in json.loads(text).items() if k not in new}
            values = (json.dumps(old), key)
            journal._db.execute(f"UPDATE {table} SET body = ? WHERE id = ?", values)  # noqa: S608, SLF001
    journal.close()
    again = Journal(path)
    again.close()

    assert kept(again.state) == kept(story.state)


NEW_OF_A_GRANT = (
    "burst",
    "steps",
    "windows",
    "elsewhere_uptime_ms",
    "allowance",
    "suspended",
    "pool_id",
    "proofs",
    "made_here",
    "settled",
    "joined",
    "left",
    "companions",
)


def test_files_are_for_their_owner_alone(journal: Journal, path: Path) -> None:
    journal.commit(replace(State(), seen=AT), [], NOON)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes == {0o600}


def test_a_second_agent_is_refused_the_journal(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalError, match="another lango-agent"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database, whatever its name says" * 100)

    with pytest.raises(JournalError, match=str(path)):
        Journal(path)


def test_the_journal_keeps_its_name(journal: Journal, path: Path) -> None:
    name = journal.id
    journal.close()

    assert (Journal(path).id, len(name)) == (name, 32)


def test_records_are_kept_until_they_are_acked(journal: Journal) -> None:
    journal.commit(State(), [a_reading(down=n) for n in range(1, 6)], NOON)
    journal.ack(3)

    assert [record.seq for record in journal.unsent()] == [4, 5]


def test_numbers_go_on_after_everything_was_acked(journal: Journal, path: Path) -> None:
    journal.commit(State(), [a_reading(), a_closing()], NOON)
    journal.ack(2)
    journal.close()
    again = Journal(path)
    again.commit(State(), [a_reading()], NOON)
    seqs = [record.seq for record in again.unsent()]
    again.close()

    assert seqs == [3]


def test_a_full_outbox_keeps_the_latest_reading_of_each_session(journal: Journal) -> None:
    for n in range(1, 31):
        facts: list[Fact] = [a_reading(down=n * 100 + i) for i in range(99)]
        journal.commit(State(), [*facts, a_closing(f"c{n}")], NOON)
    records = []
    while batch := journal.unsent():
        records += batch
        journal.ack(batch[-1].seq)
    tail = [record.fact for record in records if record.seq > SENT_MAX]
    readings = [fact.down_bytes_total for fact in tail if isinstance(fact, Reading)]

    assert max(readings) == 30 * 100 + 98
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert sum(isinstance(r.fact, SessionClosed) for r in records) == 30
    assert len(records) < 2_200


def test_a_full_outbox_never_changes_what_may_have_been_sent(journal: Journal) -> None:
    journal.commit(State(), [a_reading(down=n) for n in range(1_500)], NOON)
    sent = journal.unsent()
    journal.commit(State(), [Notice("drift", "x")] * 600, NOON)

    assert journal.unsent() == sent


def test_an_ack_from_another_life_gives_the_journal_a_new_name(journal: Journal) -> None:
    journal.commit(State(), [a_reading(), a_closing()], NOON)
    journal.ack(1)
    name = journal.id
    journal.ack(500)

    assert journal.id != name
    assert [(r.seq, r.fact) for r in journal.unsent()] == [(1, a_closing())]


def test_a_controller_that_came_back_from_a_backup_is_told_again_what_it_lost(
    journal: Journal,
) -> None:
    journal.commit(State(), [a_reading(), a_closing()], NOON)
    journal.ack(2)
    journal.commit(State(), [a_reading(down=9)], NOON)
    name = journal.id
    journal.ack(1)

    assert journal.id == name
    assert [(r.seq, r.fact) for r in journal.unsent()] == [
        (2, a_closing()),
        (3, a_reading(down=9)),
    ]
    assert journal.fill.records == 2


def test_what_is_told_again_is_told_again_after_a_restart_too(journal: Journal, path: Path) -> None:
    journal.commit(State(), [a_reading(), a_closing()], NOON)
    journal.ack(2)
    journal.ack(0)
    journal.close()
    again = Journal(path)
    seqs, size = [record.seq for record in again.unsent()], again.fill.size_bytes
    again.ack(2)
    left = again.fill
    again.close()

    assert (seqs, size > 0, left.records, left.size_bytes) == ([1, 2], True, 0, 0)


def test_a_controller_that_lost_more_than_is_kept_is_told_the_rest_under_a_new_name(
    journal: Journal,
) -> None:
    for n in range(5):
        facts: list[Fact] = [a_closing(f"{n}-{m}") for m in range(TOLD_KEPT_MAX // 4)]
        journal.commit(State(), facts, NOON)
        journal.ack(journal.last_seq)
    journal.commit(State(), [a_reading(down=9)], NOON)
    name = journal.id
    journal.ack(3)

    assert journal.id != name
    assert journal.unsent(1)[0] == (1, journal.unsent(1)[0].body)
    assert journal.fill.records == TOLD_KEPT_MAX + 1
    assert journal.unsent(1)[0].fact == a_closing("1-0")


def test_nothing_new_is_not_written(journal: Journal) -> None:
    state = replace(State(), seen=AT)
    journal.commit(state, [], NOON)

    assert not journal.commit(replace(state), [], NOON)


def test_the_plan_of_an_order_survives_its_withdrawal(journal: Journal, path: Path) -> None:
    story = Story()
    story.tell("0 | order o1 a day |")
    journal.commit(story.state, [], NOON)
    journal.close()
    again = Journal(path)
    again.close()

    assert again.state.orders == story.state.orders
    assert again.state.orders[next(iter(again.state.orders))].mac == a_mac("a")


def test_the_wallet_of_an_order_is_on_the_disk(journal: Journal, path: Path) -> None:
    story = Story()
    story.tell("0 | order o1 a rail=airtel |")
    journal.commit(story.state, [], NOON)
    journal.close()
    again = Journal(path)
    again.close()

    assert [note.rail for note in again.state.orders.values()] == ["airtel"]


def test_an_order_of_a_version_that_knew_no_wallets_names_none(
    journal: Journal, path: Path
) -> None:
    story = Story()
    story.tell("0 | order o1 a |")
    journal.commit(story.state, [], NOON)
    ((key, text),) = journal._rows_of("SELECT id, body FROM purchase")  # noqa: SLF001
    old = {name: value for name, value in json.loads(text).items() if name != "rail"}
    journal._db.execute("UPDATE purchase SET body = ? WHERE id = ?", (json.dumps(old), key))  # noqa: SLF001
    journal.close()
    again = Journal(path)
    again.close()

    assert "rail" in json.loads(text)
    assert again.state.orders == story.state.orders
