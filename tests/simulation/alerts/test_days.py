"""Thirty days of one trouble, looked at every five seconds, by a seed: nobody is worn out."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from controller.alerts import states
from controller.alerts.rules import Mood, Rule, Seen, Severity, SiteFacts, Thresholds
from controller.alerts.states import Alert, State
from controller.alerts.telling import APART, Kind, Route, Told, due
from tests.support.clock import MORNING

EVERY_S = 5
DAYS_S = 30 * 86_400
BAD, WORST, WELL = Seen(Mood.BAD), Seen(Mood.BAD, Severity.CRITICAL), Seen(Mood.WELL)
SHORT_S, LONG_S = (6, 60, 110), (150, 700, 9_000)


def _never(_facts: SiteFacts, _thresholds: Thresholds) -> Seen:
    return WELL


RULE = Rule("hot", _never, holds_s=120, clears_s=300)
ROUTE = Route(Severity.WARN)


class Life:
    """One trouble, its alert, and what a desk is told of it."""

    def __init__(self) -> None:
        self.alert: Alert | None = None
        self.told: Told | None = None
        self.said: list[tuple[int, Kind]] = []

    def look(self, second: int, seen: Seen) -> None:
        """As the controller does it every few seconds."""
        now = MORNING + timedelta(seconds=second)
        over = self.alert is not None and self.alert.state is State.RECOVERED
        if over and self.alert is not None and states.is_forgotten(self.alert, now):
            self.alert, self.told = None, None
        self.alert = states.look(self.alert, seen, RULE, now)
        if self.alert is not None and self.alert.state is not State.PENDING:
            self._tell(self.alert, second)

    def _tell(self, alert: Alert, second: int) -> None:
        now = MORNING + timedelta(seconds=second)
        concerns = ROUTE.concerns(alert, site_id=None, branch_id=None)
        kind = due(alert, self.told, ROUTE, now, minute=600, concerns=concerns)
        if kind is None:
            return
        self.said.append((second, kind))
        if kind is Kind.RESOLVED and self.told is not None:
            self.told = replace(self.told, kind=kind)
        else:
            self.told = Told(kind, alert.severity, now)


def weather(seed: int, lasts_s: tuple[int, ...]) -> list[tuple[int, Seen]]:
    """From which second on what is seen: calm, troubles, and hours of coming and going."""
    dice, at = random.Random(seed), 0
    found = [(0, WELL)]
    while at < DAYS_S:
        at += dice.choice((7, 60, 400, 3_000, 40_000))
        found.append((at, dice.choice((BAD, BAD, WORST))))
        at += dice.choice(lasts_s)
        found.append((at, WELL))
    return found


def lived(story: list[tuple[int, Seen]]) -> Life:
    life, place = Life(), 0
    for second in range(0, DAYS_S + 7_200, EVERY_S):
        while place + 1 < len(story) and second >= story[place + 1][0]:
            place += 1
        life.look(second, story[place][1] if second < DAYS_S else WELL)
    return life


@pytest.mark.parametrize("seed", range(4))
def test_thirty_days_wear_nobody_out_and_every_end_is_told(seed: int) -> None:
    said = lived(weather(seed, SHORT_S + LONG_S)).said
    bad = [second for second, kind in said if kind is Kind.RAISED]
    kinds = [kind for _, kind in said]

    assert len(bad) > 20
    assert min(b - a for a, b in pairwise(bad)) >= APART.total_seconds()
    assert (Kind.RESOLVED, Kind.RESOLVED) not in set(pairwise(kinds))
    assert kinds[-1] is Kind.RESOLVED


@pytest.mark.parametrize("seed", range(2))
def test_what_never_lasts_is_never_told(seed: int) -> None:
    assert lived(weather(seed, SHORT_S)).said == []


@pytest.mark.parametrize("seed", range(2))
def test_what_lasts_after_a_calm_hour_is_told_within_seconds(seed: int) -> None:
    story = weather(seed, LONG_S)
    said = [second for second, kind in lived(story).said if kind is Kind.RAISED]
    ends = [at for at, seen in story if seen is WELL]
    after_calm = [
        at
        for (end, at) in zip(ends, (at for at, seen in story if seen is not WELL), strict=False)
        if at - end >= 3_000 and at < DAYS_S - 600
    ]

    assert len(after_calm) > 20
    for at in after_calm:
        assert any(RULE.holds_s <= second - at <= RULE.holds_s + 2 * EVERY_S for second in said)
