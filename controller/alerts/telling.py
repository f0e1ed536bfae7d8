"""Who is told what of an alert now. PURE.

A route is told of an alert at most once in half an hour, however often the trouble comes and goes
or grows, and once more when it is over, if it had been told. A route that waits (``after_s``) is
told only of what nobody has acknowledged by then: that is escalation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.alerts.states import State, is_quiet

if TYPE_CHECKING:
    from datetime import datetime

    from controller.alerts.rules import Severity
    from controller.alerts.states import Alert

APART = timedelta(minutes=30)
MINUTES_OF_DAY = 24 * 60
SECOND = timedelta(seconds=1)


class Kind(StrEnum):
    """What a message says."""

    RAISED = "raised"
    ESCALATED = "escalated"  # raised, and nobody has acknowledged it
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Route:
    """To whom alerts go: those of a severity or worse, of one site or branch, or all.

    ``from_minute`` and ``until_minute`` are minutes of Nairobi's day, past midnight if the second
    is the smaller one; equal: at any time.
    """

    least: Severity
    site_id: str | None = None
    branch_id: str | None = None
    from_minute: int = 0
    until_minute: int = 0
    after_s: int = 0

    def concerns(self, alert: Alert, *, site_id: str | None, branch_id: str | None) -> bool:
        """Whether an alert of that site (None: of no site) is one for this route."""
        if alert.severity.rank < self.least.rank:
            return False
        if self.site_id is not None:
            return site_id == self.site_id
        return self.branch_id is None or branch_id == self.branch_id

    def is_awake(self, minute: int) -> bool:
        """Whether it may be told at that minute of the day."""
        assert 0 <= minute < MINUTES_OF_DAY, "a minute of the day"
        if self.from_minute == self.until_minute:
            return True
        if self.from_minute < self.until_minute:
            return self.from_minute <= minute < self.until_minute
        return minute >= self.from_minute or minute < self.until_minute


@dataclass(frozen=True, slots=True)
class Told:
    """What a route was told last of an alert; ``bad_at``: when last that it is bad."""

    kind: Kind
    severity: Severity
    bad_at: datetime


def due(
    alert: Alert,
    told: Told | None,
    route: Route,
    now: datetime,
    *,
    minute: int,
    concerns: bool,
) -> Kind | None:
    """What the route is to be told of the alert now, if anything."""
    if not route.is_awake(minute):
        return None
    knows = told is not None and told.kind is not Kind.RESOLVED
    if alert.state is State.RECOVERED:
        return Kind.RESOLVED if knows else None
    if alert.state is not State.RAISED or is_quiet(alert, now) or not concerns:
        return None
    if told is not None and _is_enough(told, alert, now):
        return None
    return Kind.RAISED if not route.after_s else _escalated(alert, route, now)


def _is_enough(told: Told, alert: Alert, now: datetime) -> bool:
    """Whether what was told last holds, or was told a short while ago."""
    holds = told.kind is not Kind.RESOLVED and told.severity.rank >= alert.severity.rank
    return holds or now - told.bad_at < APART


def _escalated(alert: Alert, route: Route, now: datetime) -> Kind | None:
    assert alert.raised_at is not None, "it is raised"
    began = max(alert.raised_at, alert.freed_at or alert.raised_at)
    return Kind.ESCALATED if now - began >= route.after_s * SECOND else None
