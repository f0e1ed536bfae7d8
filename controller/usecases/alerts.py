"""Alerts: everything is looked at every few seconds; staff acknowledge, silence and assign.

A look gathers the facts of all sites in one reading transaction, and writes in one other: what each
alert has become, what happened to it, and the messages about it, which leave after the commit. So a
crash between any two loses nothing and doubles nothing. Of several controllers one looks at a time;
the database refuses a second open alert of a rule and a subject all the same.

A controller that has just started has heard of nobody and blames nobody: silence is counted only
while somebody was looking.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from billing.errors import InvalidField
from controller.alerts import states
from controller.alerts.rules import OFFICE_RULES, SITE_RULES, Mood, Thresholds
from controller.alerts.states import State
from controller.alerts.texts import TABLES
from controller.store import alerts
from controller.store.alerts import open_alerts
from controller.usecases.alert_facts import Looked, look_at_everything
from controller.usecases.alert_messages import tell_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.alerts.rules import Rule, Seen
    from controller.deps import Deps
    from controller.store.alert_rows import AlertRow
    from controller.store.database import Tx

__all__ = ["acknowledge", "assign", "look", "open_alerts", "silence"]

GAP = timedelta(seconds=60)
"""Nobody looked for longer than this: what sites said meanwhile, nobody heard."""

NOT_TWICE = timedelta(seconds=1)
"""What another controller looked at so shortly ago is not looked at again."""

SILENCE_MAX = timedelta(days=30)
NAME_MAX = 80
RULES: Mapping[str, Rule[Any]] = {
    **{rule.name: rule for rule in SITE_RULES},
    **{rule.name: rule for rule in OFFICE_RULES},
}


class AlertUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such alert."""


class AlertOver(Exception):  # noqa: N818 - a refusal, see style
    """The alert is over: there is nothing to acknowledge or to silence."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look works with."""

    deps: Deps
    now: datetime
    looked: Looked
    thresholds: Thresholds


async def look(deps: Deps) -> int:
    """Look at everything once; how many alerts were raised or came to an end.

    Raises `DatabaseBusy`.
    """
    now = deps.now()
    settings = deps.settings.alerts
    thresholds = Thresholds.of(settings.thresholds)
    async with deps.db.read() as tx:
        last = await alerts.round_read(tx)
        since = now if last is None else since_of(last.looked_at, last.since_at, now)
        looked = await look_at_everything(
            tx, now, since=since, thresholds=thresholds, off=settings.off
        )
    bad = looked.bad(thresholds)
    async with deps.db.begin() as tx:
        mine = await alerts.round_locked(tx, now)
        if mine is None or (last is not None and now - mine.looked_at < NOT_TWICE):
            return 0
        mine.looked_at, mine.since_at = now, since
        changed = await _step_in(tx, Turn(deps, now, looked, thresholds), bad)
        await tell_in(tx, deps, looked, now=now)
    if changed:
        deps.signals.wake("live")
        deps.signals.wake("alerts")
    return changed


def since_of(looked_at: datetime, since_at: datetime, now: datetime) -> datetime:
    """Since when somebody has been looking without a gap."""
    return now if now - looked_at > GAP else since_at


async def _step_in(tx: Tx, turn: Turn, bad: Mapping[tuple[str, str], Seen]) -> int:
    """Let every alert become what it has become."""
    changed = 0
    rows = await alerts.living(tx, turn.now)
    live: dict[tuple[str, str], AlertRow] = {}
    for row in sorted(rows, key=lambda one: (one.state == State.RECOVERED, one.bad_at)):
        known = live.setdefault((row.rule, row.subject), row)
        assert known is row or row.state == State.RECOVERED, "a trouble is open once"
    for (rule, subject), row in live.items():
        seen = bad.get((rule, subject)) or turn.looked.seen(rule, subject, turn.thresholds)
        changed += await _live_on(tx, turn, row, seen)
    for (rule, subject), seen in bad.items():
        if (rule, subject) not in live:
            changed += await _begin(tx, turn, rule, subject, seen)
    return changed


async def _begin(tx: Tx, turn: Turn, rule: str, subject: str, seen: Seen) -> int:
    held_by = turn.looked.held_by(subject)
    alert = states.look(None, seen, RULES[rule], turn.now, held_by=held_by)
    if alert is None:
        return 0
    row = await alerts.add(
        tx,
        rule=rule,
        subject=subject,
        alert=alert,
        text=sentence(rule, dict(seen.values), "en"),
        told=json.dumps(dict(seen.values)),
    )
    if row is None or alert.state is State.PENDING:
        return 0
    _note_deeds(tx, row, was=None, now=turn.now)
    return 1


async def _live_on(tx: Tx, turn: Turn, row: AlertRow, seen: Seen) -> int:
    """One look at an alert that is known; whether it was raised, or came to an end."""
    was = alerts.as_alert(row)
    if was.state is State.RECOVERED and states.is_forgotten(was, turn.now):
        return 0
    rule = RULES.get(row.rule)
    if rule is None:
        return 0
    alert = states.look(was, seen, rule, turn.now, held_by=turn.looked.held_by(row.subject))
    if alert is None:
        await alerts.drop(tx, row)
        return 0
    says_more = alert.state is not was.state or alert.severity is not was.severity
    if seen.mood is Mood.BAD and says_more:
        row.text = sentence(row.rule, dict(seen.values), "en")
        row.told = json.dumps(dict(seen.values))
    alerts.note(row, alert)
    _note_deeds(tx, row, was=was, now=turn.now)
    return int(alert.is_open != was.is_open)


def _note_deeds(tx: Tx, row: AlertRow, *, was: states.Alert | None, now: datetime) -> None:
    """What happened to it in this look, as its history tells."""
    is_open, was_open = alerts.as_alert(row).is_open, was is not None and was.is_open
    if is_open and not was_open:
        what = "raised" if row.times == 1 else "again"
        alerts.add_deed(tx, row.id, now=now, what=what, detail=row.text)
    elif was is not None and is_open and row.severity != was.severity:
        alerts.add_deed(tx, row.id, now=now, what="worse", detail=row.text)
    elif was_open and not is_open:
        alerts.add_deed(tx, row.id, now=now, what="recovered")
    before = "" if was is None or not was_open else was.held_by
    if is_open and row.held_by != before:
        what = "held" if row.held_by else "freed"
        alerts.add_deed(tx, row.id, now=now, what=what, detail=row.held_by)


def sentence(rule: str, values: Mapping[str, str], language: str) -> str:
    """What is wrong, in a language. Raises KeyError for an unknown rule."""
    return TABLES.get(language, TABLES["en"])[rule].format(**values)


async def acknowledge(deps: Deps, alert_id: str, *, who: str) -> AlertRow:
    """Somebody has it in hand: it is told nobody else. Repeating changes nothing.

    Raises `AlertUnknown`, `AlertOver`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row = await _locked(tx, alert_id)
        alert = states.acknowledged(alerts.as_alert(row), deps.now())
        if alert.state != row.state:
            alerts.note(row, alert)
            row.acked_by = who[:NAME_MAX]
            alerts.add_deed(tx, row.id, now=deps.now(), what="acknowledged", who=who)
    deps.signals.wake("live")
    return row


async def silence(deps: Deps, alert_id: str, *, until: datetime | None, who: str) -> AlertRow:
    """Tell nobody of it until then; None: do tell again.

    Raises `InvalidField` (``for_s``), `AlertUnknown`, `AlertOver`, `DatabaseBusy`.
    """
    now = deps.now()
    if until is not None and not now < until <= now + SILENCE_MAX:
        raise InvalidField("for_s", f"want a moment within the next {SILENCE_MAX.days} days")
    async with deps.db.begin() as tx:
        row = await _locked(tx, alert_id)
        alerts.note(row, states.silenced(alerts.as_alert(row), until))
        what, detail = ("silenced", f"{until:%Y-%m-%dT%H:%MZ}") if until else ("unsilenced", "")
        alerts.add_deed(tx, row.id, now=now, what=what, who=who, detail=detail)
    deps.signals.wake("live")
    return row


async def assign(deps: Deps, alert_id: str, *, to: str, who: str) -> AlertRow:
    """Say whose task it is; "" nobody's.

    Raises `InvalidField` (``to``), `AlertUnknown`, `AlertOver`, `DatabaseBusy`.
    """
    if len(to) > NAME_MAX:
        raise InvalidField("to", f"want at most {NAME_MAX} characters")
    async with deps.db.begin() as tx:
        row = await _locked(tx, alert_id)
        if row.assigned_to != to:
            row.assigned_to = to
            alerts.add_deed(tx, row.id, now=deps.now(), what="assigned", who=who, detail=to)
    deps.signals.wake("live")
    return row


async def _locked(tx: Tx, alert_id: str) -> AlertRow:
    row = await alerts.locked(tx, alert_id)
    if row is None or row.raised_at is None:
        raise AlertUnknown(f"there is no alert {alert_id[:40]}")
    if not alerts.as_alert(row).is_open:
        raise AlertOver("this alert is over")
    return row
