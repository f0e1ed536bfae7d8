"""Every rule of the edge, in one pure function. PURE.

``decide`` takes what a site knows, something that happened, and the moment, and answers what the
site knows then and what follows from it. The rules themselves live beside it, by subject:
`agent.changes`, `agent.grants`, `agent.sessions`, `agent.devices`, `agent.joining`, `agent.orders`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from agent import (
    changes,
    daytime,
    devices,
    dialling,
    grants,
    joining,
    orders,
    prepaid,
    sessions,
    tries,
)
from agent.draft import Draft
from agent.model import (
    Accepted,
    Accounted,
    Answered,
    Asked,
    Changed,
    CodeUsed,
    Counted,
    Delivered,
    Joined,
    Lined,
    Lost,
    Notice,
    Noticed,
    Ordered,
    ProbeBegun,
    ProbeEnded,
    Redialled,
    Sighted,
    State,
    Steered,
    Ticked,
    Tried,
    Unanswered,
)
from agent.probes import turns
from shaping.plane import Sight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent.model import Effect, Event, Instant

WAKING_MS = 15 * 60_000
"""For so long after a boot a clock that is set forward tells how long the machine was off."""

SLOW_BY = timedelta(seconds=10)
"""Less than this is how clocks drift."""


def decide(state: State, event: Event, now: Instant) -> tuple[State, tuple[Effect, ...]]:
    """What the site knows after ``event``, and what follows from it."""
    return decide_all(state, (event,), now)


def decide_all(
    state: State, events: Sequence[Event], now: Instant
) -> tuple[State, tuple[Effect, ...]]:
    """The same for a batch of events that are decided at one moment, in their order.

    A state that has lived through a boot of the machine, or time that was missed, is mended first.
    """
    draft = Draft(state, now)
    _woken(draft)
    for event in events:
        _step(draft, event)
    if draft.due_at <= now.mono:
        orders.end_due(draft)
        sessions.end_due(draft)
    dialling.settle(draft)
    return draft.result(), tuple(draft.effects)


def _step(draft: Draft, event: Event) -> None:  # noqa: C901, PLR0912 - one for each kind
    match event:
        case Changed():
            changes.changed(draft, event.change)
        case Sighted():
            devices.sighted(draft, event.neighbour)
            sessions.plugged(draft, event.neighbour.mac)
            if event.neighbour.sight is not Sight.GONE:
                sessions.open_for(draft, event.neighbour.mac)
        case Asked():
            joining.make_room(draft, event.mac)
            sessions.open_for(draft, event.mac, address=event.address)
        case Counted():
            sessions.counted(draft, event.counters, applied=event.applied, unread=event.unread)
        case Ordered():
            orders.placed(draft, event)
        case Answered():
            orders.answered(draft, event.order_id, event.answer)
        case Unanswered():
            orders.unanswered(draft, event.order_id)
        case Joined():
            joining.joined(draft, event)
        case Accepted():
            prepaid.accepted(draft, event)
        case CodeUsed():
            prepaid.taken(draft, event.key, event.grant_id)
        case Delivered():
            prepaid.settle(draft)
        case Tried():
            tries.note(draft, event.attempt, name=event.name)
        case ProbeBegun():
            turns.begun(draft, event.probe_id)
        case ProbeEnded():
            turns.ended(draft, event.probe_id, event.body)
        case Accounted():
            dialling.accounted(draft, event.account)
        case Lined():
            for account in event.accounts:
                dialling.lined(draft, account)
        case Lost():
            dialling.lost(draft, event.session_id)
        case Redialled():
            dialling.redialled(draft, event.session_id)
        case Steered():
            dialling.steered(draft, event.session_id, event.told)
        case Noticed():
            draft.say(Notice(code=event.code, text=event.text))
        case Ticked():
            pass
        case _:
            assert_never(event)


def _woken(draft: Draft) -> None:
    """Bring clocks of an earlier boot to this one, and make up for time that was missed."""
    last = draft.before.seen
    if last is not None and last.boot != draft.now.boot:
        _booted(draft, last)
    elif last is not None and draft.asleep_since is None and daytime.jumped(last, draft.now):
        # Whatever the clock says now, it was `last.wall` at `last.mono`: nothing was missed.
        draft.asleep_since, draft.woke_at = last.wall, last.mono
    if draft.asleep_since is not None:
        _make_up(draft)
    elif draft.slept_since is not None:
        _make_up_more(draft, draft.slept_since)


def _booted(draft: Draft, last: Instant) -> None:
    """Every clock is read off at the last moment known of the earlier boot, and runs on from now.

    How long the machine was off is known only once its wall clock can be right.
    """
    mono = draft.mono
    if draft.asleep_since is None:
        draft.asleep_since = last.wall
        for use in draft.grants.values():
            if use.valid_at is not None:
                draft.put_use(replace(use, owes=True))
    else:
        draft.asleep_since += timedelta(milliseconds=last.mono - draft.woke_at)
    draft.woke_at, draft.slept_since = mono, None
    for use in draft.grants.values():
        draft.put_use(grants.rebooted(use, last.mono, mono))
    tries.rebooted(draft, last.mono)
    for session in draft.sessions.values():
        draft.put_session(replace(session, active_at=mono, heard_at=mono, reported_at=mono))
    draft.due_at = mono


def _make_up(draft: Draft) -> None:
    """Charge the time that the machine was off, as soon as the wall clock can be right."""
    assert draft.asleep_since is not None, "only a machine that slept has time to make up"
    missed = _missed(draft, draft.asleep_since)
    if draft.now.wall < daytime.EARLIEST:
        return
    if draft.asleep_since < daytime.EARLIEST or missed < -daytime.PLAUSIBLE:
        # It was the earlier clock that was wrong: how much was missed will never be known.
        missed = timedelta(0)
    if timedelta(0) <= missed <= daytime.PLAUSIBLE:
        grants.charge(draft, missed // timedelta(milliseconds=1))
        draft.slept_since, draft.asleep_since = draft.asleep_since + missed, None
        draft.due_at = draft.mono


def _make_up_more(draft: Draft, since: datetime) -> None:
    """Charge what a clock says it was slow by, when it is set right soon after a boot.

    A box without a clock of its own often starts at the last time that it wrote down, which looks
    right, and hears of the true time only once its link is up.
    """
    if draft.mono - draft.woke_at >= WAKING_MS:
        draft.slept_since = None
        grants.paid_off(draft)
        return
    missed = _missed(draft, since)
    if SLOW_BY <= missed <= daytime.PLAUSIBLE:
        grants.charge(draft, missed // timedelta(milliseconds=1))
        draft.slept_since = since + missed
        draft.due_at = draft.mono


def _missed(draft: Draft, since: datetime) -> timedelta:
    """How much more time passed than is accounted for, if the wall clock is right."""
    return draft.now.wall - timedelta(milliseconds=draft.mono - draft.woke_at) - since
