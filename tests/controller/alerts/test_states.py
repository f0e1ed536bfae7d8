"""The life of an alert, as tables that somebody on duty can read.

Each line is one moment: the second, what is seen, and what becomes of it. ``held`` names whose
account it is held on; staff's deeds stand where what is seen would.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.alerts import states
from controller.alerts.rules import Mood, Rule, Seen, Severity, SiteFacts, Thresholds
from controller.alerts.states import Alert, State
from tests.support.clock import MORNING


def _never(_facts: SiteFacts, _thresholds: Thresholds) -> Seen:
    return Seen(Mood.BETWEEN)


RULE = Rule("disk_full", _never, holds_s=60, clears_s=300)
MOODS = {
    "well": Seen(Mood.WELL),
    "between": Seen(Mood.BETWEEN),
    "bad": Seen(Mood.BAD),
    "BAD": Seen(Mood.BAD, Severity.CRITICAL),
}

TABLES = {
    "what is bad for a moment only is nobody's business": """
        0    bad      pending
        30   bad      pending
        50   well     nothing
        55   bad      pending
        114  bad      pending
    """,
    "what lasts is raised, and over when it has been well for long enough": """
        0    bad      pending
        60   bad      raised
        100  well     raised
        399  well     raised
        400  well     recovered
    """,
    "a moment of well within the trouble starts the count anew": """
        0    bad      pending
        60   bad      raised
        100  well     raised
        390  bad      raised
        395  well     raised
        690  well     raised
        695  well     recovered
    """,
    "what is not known changes nothing": """
        0    between  nothing
        10   bad      pending
        70   bad      raised
        80   between  raised
        9999 between  raised
    """,
    "bad again soon is the same alert, once it has lasted": """
        0    bad      pending
        60   bad      raised
        100  well     raised
        400  well     recovered
        500  bad      pending again
        530  well     recovered
        600  bad      pending again
        660  bad      raised again
    """,
    "acknowledged it stays so, until it is over": """
        0    bad      pending
        60   bad      raised
        70   ack      acknowledged
        80   bad      acknowledged
        90   well     acknowledged
        390  well     recovered
    """,
    "acknowledged and then worse, it asks for attention again": """
        0    bad      pending
        60   bad      raised
        70   ack      acknowledged
        80   BAD      raised critical
        90   bad      raised critical
    """,
    "raised again it is not acknowledged any more": """
        0    bad      pending
        60   bad      raised
        70   ack      acknowledged
        80   well     acknowledged
        380  well     recovered
        400  bad      pending again
        460  bad      raised again
    """,
}


def played(table: str) -> list[tuple[str, str]]:
    """What the table says, and what happens."""
    alert: Alert | None = None
    found = []
    for line in table.strip().splitlines():
        second, seen, wanted = line.split(maxsplit=2)
        now = MORNING + timedelta(seconds=int(second))
        if seen == "ack":
            assert alert is not None
            alert = states.acknowledged(alert, now)
        else:
            alert = states.look(alert, MOODS[seen], RULE, now)
        found.append((wanted, said(alert)))
    return found


def said(alert: Alert | None) -> str:
    if alert is None:
        return "nothing"
    words = [alert.state.value]
    words += ["critical"] if alert.severity is Severity.CRITICAL else []
    again = alert.times + (alert.state is State.PENDING) > 1 and alert.state is not State.RECOVERED
    return " ".join([*words, "again"] if again else words)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_an_alert_lives_as_the_table_says(table: str) -> None:
    found = played(table)

    assert [happens for _, happens in found] == [wanted for wanted, _ in found]


def at(second: int) -> timedelta:
    return timedelta(seconds=second)


def raised(*, held_by: str = "") -> Alert:
    alert = states.look(None, MOODS["bad"], RULE, MORNING, held_by=held_by)
    alert = states.look(alert, MOODS["bad"], RULE, MORNING + at(60), held_by=held_by)
    assert alert is not None
    return alert


def test_behind_a_silent_upstream_it_is_raised_and_kept_quiet() -> None:
    alert = raised(held_by="site:ruiru")

    assert (alert.state, alert.held_by) == (State.RAISED, "site:ruiru")
    assert states.is_quiet(alert, MORNING + at(9_999))


def test_freed_it_stays_quiet_for_a_minute_in_which_it_may_recover() -> None:
    freed = states.look(raised(held_by="site:ruiru"), MOODS["bad"], RULE, MORNING + at(100))
    assert freed is not None

    assert states.is_quiet(freed, MORNING + at(159))
    assert not states.is_quiet(freed, MORNING + at(160))


def test_silenced_it_is_quiet_until_then() -> None:
    alert = states.silenced(raised(), MORNING + at(500))

    assert states.is_quiet(alert, MORNING + at(499))
    assert not states.is_quiet(alert, MORNING + at(500))


def test_silence_outlives_a_short_recovery() -> None:
    """Who is tired of something that comes and goes is not told of its next coming."""
    alert: Alert | None = states.silenced(raised(), MORNING + at(5_000))
    for second, mood in ((100, "well"), (400, "well"), (500, "bad"), (560, "bad")):
        alert = states.look(alert, MOODS[mood], RULE, MORNING + at(second))
    assert alert is not None

    assert alert.times == 2
    assert states.is_quiet(alert, MORNING + at(561))


def test_only_what_is_raised_is_acknowledged_and_once_is_enough() -> None:
    pending = states.look(None, MOODS["bad"], RULE, MORNING)
    assert pending is not None
    first = states.acknowledged(raised(), MORNING + at(70))
    again = states.acknowledged(first, MORNING + at(90))

    assert states.acknowledged(pending, MORNING + at(10)) == pending
    assert again.acked_at == MORNING + at(70)


def test_what_was_over_for_half_an_hour_is_forgotten() -> None:
    alert: Alert | None = raised()
    for second in (100, 400):
        alert = states.look(alert, MOODS["well"], RULE, MORNING + at(second))
    assert alert is not None

    assert not states.is_forgotten(alert, MORNING + at(400 + 1_800))
    assert states.is_forgotten(alert, MORNING + at(401 + 1_800))
