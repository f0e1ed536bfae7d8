# ruff: noqa: SLF001 - the reference is put together from the same parts
"""A count that looks closely only where something changed decides as one that looks at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import grants, orders, sessions, speeds
from agent.decide import _woken, decide
from agent.draft import Draft
from agent.model import FIRST, Counted, Why
from shaping.plane import MonotonicMs, SessionKey
from tests.support.site import Story

if TYPE_CHECKING:
    from agent.model import Effect, Instant, State

DEVICES = "abc"
GRANTS = ("g1", "g2", "g3")
QUOTA = 10_000_000


def slowly(state: State, event: Counted, now: Instant) -> tuple[State, tuple[Effect, ...]]:
    """A count that looks at every session and every deadline, each time."""
    draft = Draft(state, now)
    _woken(draft)
    closing = []
    for session in draft.sessions.values():
        after = sessions._metered(draft, session, event.counters.get(SessionKey(session.id)))
        if after.closed is not None:
            closing.append(after)
        elif sessions._report_due(draft, after):
            sessions._report(draft, after)
    _every_end(draft)
    for session in closing if event.applied else ():
        sessions.count_out(draft, session)
    if draft.due_at <= now.mono:
        orders.end_due(draft)
        _every_end(draft)
    return draft.result(), tuple(draft.effects)


def _every_end(draft: Draft) -> None:
    mono, nearest = draft.mono, [orders.due_at(draft)]
    for session in draft.sessions.values():
        if session.closed is not None:
            continue
        use = draft.grants[session.grant_id]
        why = sessions._end_of(draft, use, draft.sessions_of(session.grant_id))
        if why is None and mono - session.active_at >= sessions.IDLE_MS:
            why = Why.IDLE
        if why is not None:
            sessions.close(draft, session, why)
            continue
        ends = (
            session.active_at + sessions.IDLE_MS,
            grants.deadline(use),
            speeds.next_turn_at(use.grant.limits, draft.now, draft.asleep_since),
        )
        nearest += [MonotonicMs(end) for end in ends if end is not None]
    draft.due_at = min(nearest)


def _lines() -> st.SearchStrategy[str]:
    who, what = st.sampled_from(DEVICES), st.sampled_from(GRANTS)
    host = st.integers(5, 8)
    limits = st.sampled_from(
        (
            "validity=60",
            "validity=2000",
            "uptime=300 devices=2",
            f"quota={QUOTA}",
            f"quota={QUOTA} devices=3",
            f"quota={2 * QUOTA} handed_b={QUOTA}",
            "validity=9000 windows=902:907:1000000:1000000",
            "validity=900 suspended=yes",
            "validity=900 revoked=yes",
            f"quota={QUOTA} spent_b={QUOTA - 70_000}",
        )
    )
    owners = st.sampled_from(("a", "a,b", "a,b,c", "c"))
    return st.one_of(
        st.builds("seen {} 10.0.0.{}".format, who, host),
        st.builds("gone {} 10.0.0.{}".format, who, host),
        st.builds("ask {} 10.0.0.{}".format, who, host),
        st.builds("grant {} for={} {}".format, what, owners, limits),
        st.builds("drop {}".format, what),
        st.builds("boot off={}".format, st.integers(0, 900)),
        st.just("tick"),
    )


WAITS_MS = st.sampled_from((0, 20, 100, 2_000, 3_500, 4_000, 31_000, 60_000, 300_000, 600_000))
MOVES = st.sampled_from((0, 0, 0, 0, 1_000, 700_000, 60_000, 9_960_000, QUOTA))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_quick_count_decides_exactly_as_a_walk_over_everything(data: st.DataObject) -> None:
    story = Story()
    moved = dict.fromkeys(DEVICES, 0)
    for name in DEVICES:
        list(story.happen(f"seen {name} 10.0.0.{ord(name)}"))
        list(story.happen(f"grant g{ord(name) - 96} for={name} quota={QUOTA}"))
    for _ in range(data.draw(st.integers(1, 30))):
        story._go_to(story.mono + data.draw(WAITS_MS))
        if data.draw(st.integers(0, 3)) == 0:
            list(story.happen(data.draw(_lines())))
            continue
        for name in DEVICES:
            moved[name] += data.draw(MOVES)
        text = " ".join(f"{name} {count}/0" for name, count in moved.items())
        unapplied = " unapplied=yes" if data.draw(st.booleans()) else ""
        event = story._event("count", text.split(), {"unapplied": ""} if unapplied else {})
        assert isinstance(event, Counted)
        quick, effects = decide(story.state, event, story.now())
        slow, reference = slowly(story.state, event, story.now())
        story.state = quick

        assert effects == reference
        assert _but_when(quick) == _but_when(slow)
        assert quick.due_at <= slow.due_at


def _but_when(state: State) -> State:
    return replace(state, due_at=FIRST, watched=frozenset())
