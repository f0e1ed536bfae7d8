"""Who is told what of an alert, as tables: the minute, what the alert is, what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.alerts.rules import Severity
from controller.alerts.states import Alert, State
from controller.alerts.telling import Kind, Route, Told, due
from tests.support.clock import MORNING

WARN = Route(Severity.WARN)
WORST = Route(Severity.CRITICAL)
BOSS = Route(Severity.WARN, after_s=900)
DAYTIME = Route(Severity.WARN, from_minute=8 * 60, until_minute=18 * 60)

TABLES: dict[str, tuple[Route, str]] = {
    "told once, and once more when it is over": (
        WARN,
        """
        0   raised        raised
        1   raised        -
        60  raised        -
        90  recovered     resolved
        91  recovered     -
        """,
    ),
    "what comes and goes is told once in half an hour": (
        WARN,
        """
        0   raised        raised
        10  recovered     resolved
        20  raised        -
        25  recovered     -
        29  raised        -
        30  raised        raised
        40  recovered     resolved
        """,
    ),
    "what gets worse is told again, half an hour later": (
        WARN,
        """
        0   raised        raised
        2   worse         -
        30  worse         raised
        90  worse         -
        """,
    ),
    "a route for the worst hears of it when it is that bad, and of its end": (
        WORST,
        """
        0   raised        -
        2   worse         raised
        9   recovered     resolved
        """,
    ),
    "who was never told is not told of the end": (
        WORST,
        """
        0   raised        -
        9   recovered     -
        """,
    ),
    "what somebody has in hand is told nobody else": (
        WARN,
        """
        0   acknowledged  -
        60  acknowledged  -
        90  recovered     -
        """,
    ),
    "an escalation waits, and is told of what nobody acknowledged": (
        BOSS,
        """
        0   raised        -
        14  raised        -
        15  raised        escalated
        16  raised        -
        20  recovered     resolved
        """,
    ),
    "an escalation is not told of what was acknowledged in time": (
        BOSS,
        """
        0   raised        -
        10  acknowledged  -
        60  acknowledged  -
        """,
    ),
    "held by a silent upstream it is told nobody": (
        WARN,
        """
        0   held          -
        60  held          -
        61  recovered     -
        """,
    ),
}


def alert_of(word: str) -> Alert:
    alert = Alert(State.RAISED, Severity.WARN, bad_at=MORNING, raised_at=MORNING, times=1)
    if word == "worse":
        return replace(alert, severity=Severity.CRITICAL)
    if word == "held":
        return replace(alert, held_by="site:ruiru")
    state = State(word)
    over = MORNING if state is State.RECOVERED else None
    return replace(alert, state=state, acked_at=MORNING, recovered_at=over)


def played(route: Route, table: str) -> list[tuple[str, str]]:
    told: Told | None = None
    found = []
    for line in filter(str.strip, table.splitlines()):
        minute, word, wanted = line.split()
        now = MORNING + timedelta(minutes=int(minute))
        alert = alert_of(word)
        concerns = route.concerns(alert, site_id="kahawa", branch_id="main")
        kind = due(alert, told, route, now, minute=600, concerns=concerns)
        if kind is Kind.RESOLVED and told is not None:
            told = replace(told, kind=kind)
        elif kind is not None:
            told = Told(kind, alert.severity, now)
        found.append((wanted, "-" if kind is None else kind.value))
    return found


@pytest.mark.parametrize(("route", "table"), TABLES.values(), ids=TABLES.keys())
def test_a_route_is_told_as_the_table_says(route: Route, table: str) -> None:
    found = played(route, table)

    assert [said for _, said in found] == [wanted for wanted, _ in found]


@pytest.mark.parametrize(
    ("from_minute", "until_minute", "minute", "awake"),
    [
        (0, 0, 0, True),
        (480, 1_080, 479, False),
        (480, 1_080, 480, True),
        (480, 1_080, 1_079, True),
        (480, 1_080, 1_080, False),
        (1_320, 360, 1_319, False),
        (1_320, 360, 1_320, True),
        (1_320, 360, 0, True),
        (1_320, 360, 360, False),
    ],
)
def test_a_route_is_awake_in_its_hours_also_past_midnight(
    from_minute: int, until_minute: int, minute: int, *, awake: bool
) -> None:
    route = Route(Severity.WARN, from_minute=from_minute, until_minute=until_minute)

    assert route.is_awake(minute) is awake


def test_what_happened_while_a_route_slept_is_told_when_it_wakes() -> None:
    alert = alert_of("raised")
    asleep = due(alert, None, DAYTIME, MORNING, minute=100, concerns=True)
    awake = due(alert, None, DAYTIME, MORNING + timedelta(hours=7), minute=480, concerns=True)

    assert (asleep, awake) == (None, Kind.RAISED)


def test_a_route_of_a_site_or_a_branch_hears_of_nothing_else() -> None:
    alert = alert_of("raised")
    of_site = Route(Severity.WARN, site_id="ruiru")
    of_branch = Route(Severity.WARN, branch_id="thika")

    assert not of_site.concerns(alert, site_id="kahawa", branch_id="thika")
    assert of_branch.concerns(alert, site_id="kahawa", branch_id="thika")
    assert not of_branch.concerns(alert, site_id=None, branch_id=None)
