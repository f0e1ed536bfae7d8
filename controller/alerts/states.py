"""The life of an alert. PURE.

::

    (nothing) --bad--> pending --bad for long enough--> raised --staff--> acknowledged
                          |                                |                  |
                        well                          well for long enough ---'
                          v                                v
                      (nothing)                        recovered --bad again soon--> raised

Beside its state an open alert may be silenced (staff want to hear no more of it until a time) or
held (its site's upstream is silent, or somebody works on it): then nobody is told of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.alerts.rules import Mood, Severity

if TYPE_CHECKING:
    from datetime import datetime

    from controller.alerts.rules import Rule, Seen

REOPENS_WITHIN = timedelta(minutes=30)
"""Bad again within this time after it was over, it is the same alert and not a new one."""

FREED_S = 60
"""Held no longer, an alert waits for so long before anybody is told: a site behind an upstream that
has just come back needs a moment to say that it is well."""

SECOND = timedelta(seconds=1)


class State(StrEnum):
    """Where an alert is in its life. A pending one is nobody's business yet."""

    PENDING = "pending"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    RECOVERED = "recovered"


OPEN = frozenset({State.RAISED, State.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class Alert:
    """One trouble: ``bad_at`` is when it was first seen, ``well_at`` since when it seems over.

    ``held_by`` says on whose account nobody is told ("" nobody's), ``freed_at`` when that ended.
    ``times`` counts how often it was raised.
    """

    state: State
    severity: Severity
    bad_at: datetime
    raised_at: datetime | None = None
    well_at: datetime | None = None
    acked_at: datetime | None = None
    recovered_at: datetime | None = None
    silenced_until: datetime | None = None
    held_by: str = ""
    freed_at: datetime | None = None
    times: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is an alert that is not over."""
        return self.state in OPEN


def look(
    alert: Alert | None, seen: Seen, rule: Rule[Any], now: datetime, *, held_by: str = ""
) -> Alert | None:
    """What becomes of an alert (None: there is none, or none of late) by a look at the facts."""
    if alert is None:
        alert = _begun(seen, now)
        if alert is None:
            return None
    elif alert.state is State.RECOVERED:
        alert = _again(alert, seen, now)
    elif seen.mood is Mood.BAD:
        alert = _still(alert, seen)
    elif seen.mood is Mood.WELL:
        alert = replace(alert, well_at=alert.well_at or now)
    if alert.state is State.PENDING:
        if alert.well_at is not None:
            return _dropped(alert)
        if now - alert.bad_at >= rule.holds_s * SECOND:
            alert = _raised(alert, now)
    elif alert.well_at is not None and now - alert.well_at >= rule.clears_s * SECOND:
        alert = _recovered(alert, now)
    return _held(alert, held_by, now)


def _begun(seen: Seen, now: datetime) -> Alert | None:
    if seen.mood is not Mood.BAD:
        return None
    return Alert(State.PENDING, seen.severity, bad_at=now)


def _again(alert: Alert, seen: Seen, now: datetime) -> Alert:
    """Bad soon after it was over: the same alert once more, as soon as it has lasted."""
    if seen.mood is not Mood.BAD:
        return alert
    return replace(alert, state=State.PENDING, severity=seen.severity, bad_at=now, well_at=None)


def _still(alert: Alert, seen: Seen) -> Alert:
    """Bad: an acknowledged alert that gets worse asks for attention once more."""
    worse = seen.severity.rank > alert.severity.rank
    state = alert.state
    if worse and state is State.ACKNOWLEDGED:
        state = State.RAISED
    severity = seen.severity if worse or state is State.PENDING else alert.severity
    return replace(alert, state=state, severity=severity, well_at=None)


def _raised(alert: Alert, now: datetime) -> Alert:
    times = alert.times + 1
    return replace(
        alert, state=State.RAISED, raised_at=now, acked_at=None, recovered_at=None, times=times
    )


def _dropped(alert: Alert) -> Alert | None:
    """It did not last: there is no alert, or the one that was over is over."""
    if alert.raised_at is None:
        return None
    return replace(alert, state=State.RECOVERED, well_at=None)


def _recovered(alert: Alert, now: datetime) -> Alert:
    assert alert.raised_at is not None, "only what was raised can recover"
    return replace(alert, state=State.RECOVERED, recovered_at=now, well_at=None)


def _held(alert: Alert, held_by: str, now: datetime) -> Alert:
    if held_by == alert.held_by:
        return alert
    return replace(alert, held_by=held_by, freed_at=None if held_by else now)


def is_forgotten(alert: Alert, now: datetime) -> bool:
    """Whether a trouble that begins now is another alert than this one, which is over."""
    assert alert.recovered_at is not None, "what is open is not over"
    return now - alert.recovered_at > REOPENS_WITHIN


def acknowledged(alert: Alert, now: datetime) -> Alert:
    """Somebody has it in hand. Once is enough."""
    if alert.state is not State.RAISED:
        return alert
    return replace(alert, state=State.ACKNOWLEDGED, acked_at=now)


def silenced(alert: Alert, until: datetime | None) -> Alert:
    """Nobody is told of it until then; None: told again from now on."""
    return replace(alert, silenced_until=until)


def is_quiet(alert: Alert, now: datetime) -> bool:
    """Whether nobody is to be told of an open alert just now."""
    is_silenced = alert.silenced_until is not None and now < alert.silenced_until
    is_freed = alert.freed_at is None or now - alert.freed_at >= FREED_S * SECOND
    return is_silenced or bool(alert.held_by) or not is_freed
