"""The judge of the books: every night, by plain SQL and by reckoning of its own.

What it holds against the product are the world's own notes: who was served when (`served.py`), what
money really moved (`people.Tally`), and what things cost by the price list (`papers.py`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.simulation.year.naive import DAY, day_in_nairobi
from tests.simulation.year.sight import moment

if TYPE_CHECKING:
    from datetime import date, datetime

    from tests.simulation.year.papers import Papers
    from tests.simulation.year.people import Tally
    from tests.simulation.year.served import History, Witness
    from tests.simulation.year.sight import Sight

WALLET, OWED = "liability:wallet:", "asset:receivable:"
BILLED = """
    SELECT start_at, end_at, credited_from, document_id FROM billed_period
    WHERE subscription_id = ? ORDER BY start_at
"""
OVERDUE = """
    SELECT count(*) FROM debt WHERE subscriber_id = ? AND settled_at IS NULL AND open_minor >= 100
    AND due_at <= ? AND (promised_until IS NULL OR promised_until <= ?)
"""


@dataclass(slots=True)
class Judge:
    """Holds what the books said so far, so that a night reads what is new."""

    sight: Sight
    witness: Witness
    tally: Tally
    papers: Papers
    held: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    wallets: dict[str, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    not_lost: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    moved: set[str] = field(default_factory=set)
    excused: set[date] = field(default_factory=set)
    """Days on which nobody looked after what was due: served, perhaps, and not billed, or else."""

    def read(self) -> None:
        """Take in the postings that are new."""
        columns = "transaction_id, source, target, amount_minor"
        for name, source, target, minor in self.sight.new(
            "posting", columns, "transaction_id || '/' || n"
        ):
            self.held[source] -= minor
            self.held[target] += minor
            for account, sign in ((source, -1), (target, 1)):
                self._note(account, sign * minor)
            if name.endswith(":not-lost"):
                self.not_lost[target.removeprefix(OWED)] += minor

    def _note(self, account: str, minor: int) -> None:
        for start, of in ((WALLET, self.wallets), (OWED, self.owed)):
            if account.startswith(start):
                who = account.removeprefix(start)
                of[who] = of.get(who, 0) + (minor if of is self.owed else -minor)
                self.moved.add(who)

    def night(self, now: datetime) -> None:
        """All that must hold every night. Raises `AssertionError`."""
        self.read()
        self.papers.read()
        assert sum(self.held.values()) == 0
        query = (
            "SELECT subscriber_id, SUM(open_minor) FROM debt WHERE settled_at IS NULL GROUP BY 1"
        )
        open_of = {who: int(minor) for who, minor in self.sight.tuples(query)}
        assert {who: minor for who, minor in self.owed.items() if minor} == open_of
        below = {who: minor for who, minor in self.wallets.items() if minor < 0}
        assert not below, f"wallets that hold less than nothing: {below}"
        both = [who for who in open_of if self.wallets.get(who, 0)]
        assert not both, f"they owe, and their wallets hold money: {both}"
        for who in self.moved:
            self._explain(who)
        self._rewards_are_earned()
        touched = self.papers.billed | self.witness.changed
        for name in sorted(touched):
            self.tile(self.witness.histories[name], now)
        self.moved.clear()
        self.papers.billed.clear()
        self.witness.changed.clear()

    def fell(self, subscriber: str, name: str, now: datetime) -> None:
        """Nobody is suspended for a cent, or for a debt that is promised or not due."""
        found = self.sight.tuples(OVERDUE, subscriber, now, now)
        assert found[0][0], f"{name} was suspended, and nothing that counts is overdue"

    def _explain(self, who: str) -> None:
        """What somebody has is what was paid and given, less what was charged."""
        has = self.wallets.get(who, 0) - self.owed.get(who, 0)
        papers, tally = self.papers, self.tally
        want = tally.received[who] + tally.given[who] + tally.lost[who] - self.not_lost[who]
        want += papers.credited[who] - papers.charged[who] + self._rewarded(who)
        assert has == want, f"{who} has {has} and should have {want}"

    def _rewarded(self, who: str) -> int:
        query = """
            SELECT COALESCE(SUM(reward_minor), 0) FROM promotion_use
            WHERE subscriber_id = ? AND reversed_at IS NULL
        """
        return int(self.sight.tuples(query, who)[0][0])

    def _rewards_are_earned(self) -> None:
        """None stands for money that went back, or for an invoice that is open again."""
        query = """
            SELECT u.cause FROM promotion_use u JOIN received r ON r.id = u.cause
            WHERE u.reversed_at IS NULL AND r.reversed_at IS NOT NULL
        """
        assert not self.sight.tuples(query), "a reward stands, and its money went back"
        query = """
            SELECT u.cause FROM promotion_use u
            JOIN debt b ON b.document_id = substr(u.cause, 6, 32)
            WHERE u.cause LIKE 'paid:%' AND u.reversed_at IS NULL AND b.settled_at IS NULL
        """
        assert not self.sight.tuples(query), "a reward stands for an invoice that is not paid"

    def tile(self, one: History, now: datetime) -> None:
        """The billed days of a subscription are its served days: no gap, no overlap."""
        rows = [
            (moment(start), moment(cut) or moment(end), moment(end), document)
            for start, end, cut, document in self.sight.tuples(BILLED, one.line.id)
        ]
        for before, after in pairwise(rows):
            assert before[1] <= after[0], f"{one.line.id} is billed twice from {after[0]}"  # type: ignore[operator]
        for start, _, end, document in rows:
            period = self.papers.periods[document]
            assert period == (start, end), f"{document} is for {period}, not {start} to {end}"
        if one.line.rhythm.by_days:
            self._tile_days(one, rows, now)
        else:
            self._tile_hours(one, rows, now)

    def _tile_days(self, one: History, rows: list[tuple[Any, ...]], now: datetime) -> None:
        today, in_arrears = day_in_nairobi(now), one.line.mode == "arrears"
        billed: set[date] = set()
        for start, cut, _, _ in rows:
            day = day_in_nairobi(start)
            while day < min(day_in_nairobi(cut), today):
                billed.add(day)
                day += DAY
        served = {day for day in one.days(one.served, now) if day < today}
        free = served - billed - self.excused
        if in_arrears and one.state != "ended" and one.billed_until is not None:
            free = {day for day in free if day < day_in_nairobi(one.billed_until)}
        assert not free, f"{one} was served and not billed: {sorted(free)[:9]}"
        unserved = billed - served - self.excused
        if not in_arrears:
            unserved -= one.days(one.held, now)
            if one.kept_rest:
                unserved = {day for day in unserved if day <= max(served, default=today)}
        assert not unserved, f"{one} was billed and not served: {sorted(unserved)[:9]}"

    def _tile_hours(self, one: History, rows: list[tuple[Any, ...]], now: datetime) -> None:
        """The same by the second: what was billed less what was held is what was served."""
        if self.excused:
            return
        upto = now
        if one.line.mode == "arrears" and one.state != "ended":
            upto = min(now, one.billed_until or now)
        billed = _length([(start, cut) for start, cut, _, _ in rows], upto)
        served = _length([(span.since, span.until or now) for span in one.served], upto)
        held = _length([(span.since, span.until or now) for span in one.held], upto)
        if one.line.mode == "arrears":
            held = 0
        assert served <= billed, f"{one.line.id} was served {served} s and billed {billed}"
        if not one.kept_rest:
            assert billed <= served + held, f"{one.line.id}: {billed} s billed, {served} served"


def _length(spans: list[tuple[datetime, datetime]], upto: datetime) -> int:
    return sum(
        max(0, int((min(until, upto) - min(since, upto)).total_seconds())) for since, until in spans
    )
