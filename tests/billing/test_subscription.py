"""The life of a subscription: every place it can be in, everything that happens to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import (
    BillingRefusal,
    SubscriptionEnded,
    SubscriptionNotStarted,
    SubscriptionPaused,
    SubscriptionSuspended,
)
from billing.subscription import Event, Hold, State, moved

# debt, unpaid and staff are why it is suspended. A dot: nothing new; no-…: refused, and why.
TABLE = """
                 pending   active  debt      unpaid    staff     paused    ended
  start          active    .       .         .         .         .         no-ended
  billed         active    .       .         active    .         .         .
  lapse          unpaid    unpaid  .         .         .         .         .
  overdue        .         debt    .         .         .         .         .
  paid           .         .       active    .         .         .         .
  staff_suspend  no-begun  staff   staff     staff     .         no-paused no-ended
  staff_resume   no-begun  .       active    no-susp   active    no-paused no-ended
  pause          no-begun  paused  no-susp   no-susp   no-susp   .         no-ended
  resume         no-begun  .       no-susp   no-susp   no-susp   active    no-ended
  end            ended     ended   ended     ended     ended     ended     .
"""
REFUSALS: dict[str, type[BillingRefusal]] = {
    "no-begun": SubscriptionNotStarted,
    "no-susp": SubscriptionSuspended,
    "no-paused": SubscriptionPaused,
    "no-ended": SubscriptionEnded,
}

Place = tuple[State, Hold | None]


def place_of(word: str) -> Place:
    if word in list(Hold):
        return State.SUSPENDED, Hold(word)
    return State(word), None


def cells() -> list[tuple[str, Event, str]]:
    heads, *rows = (line.split() for line in TABLE.strip().splitlines())
    return [
        (word, Event(event), target)
        for event, *targets in rows
        for word, target in zip(heads, targets, strict=True)
    ]


@pytest.mark.parametrize(
    ("word", "event", "target"), [cell for cell in cells() if cell[2] not in REFUSALS]
)
def test_an_event_leads_where_the_table_says(word: str, event: Event, target: str) -> None:
    move = moved(*place_of(word), event)

    expected = place_of(word if target == "." else target)
    assert (move.state, move.hold, move.changed) == (*expected, target != ".")


@pytest.mark.parametrize(
    ("word", "event", "target"), [cell for cell in cells() if cell[2] in REFUSALS]
)
def test_what_cannot_be_asked_for_is_refused_by_name(word: str, event: Event, target: str) -> None:
    with pytest.raises(REFUSALS[target]):
        moved(*place_of(word), event)


def test_the_table_knows_every_place_and_every_event() -> None:
    places: set[Place] = {(state, None) for state in State if state is not State.SUSPENDED}
    places |= {(State.SUSPENDED, hold) for hold in Hold}

    known = {(place_of(word), event) for word, event, _ in cells()}
    assert known == {(place, event) for place in places for event in Event}


def lived(events: list[Event], place: Place = (State.PENDING, None)) -> Place:
    for event in events:
        try:
            move = moved(*place, event)
        except BillingRefusal:
            continue
        place = (move.state, move.hold)
    return place


@given(st.lists(st.sampled_from(Event)))
def test_an_end_is_final(events: list[Event]) -> None:
    assert lived([*events, Event.END, *events]) == (State.ENDED, None)


@given(st.lists(st.sampled_from([e for e in Event if e not in {Event.STAFF_RESUME, Event.END}])))
def test_only_staff_lift_what_staff_decided(events: list[Event]) -> None:
    place = (State.SUSPENDED, Hold.STAFF)

    assert lived(events, place) == place


@given(st.lists(st.sampled_from(Event)), st.sampled_from(Event))
def test_what_is_heard_twice_changes_nothing_the_second_time(
    events: list[Event], event: Event
) -> None:
    once = lived([*events, event])

    assert lived([*events, event, event]) == once


@pytest.mark.parametrize("event", [Event.BILLED, Event.LAPSE, Event.OVERDUE, Event.PAID, Event.END])
@pytest.mark.parametrize(
    "word", ["pending", "active", "debt", "unpaid", "staff", "paused", "ended"]
)
def test_what_happens_by_itself_is_never_refused(word: str, event: Event) -> None:
    assert moved(*place_of(word), event).state in State


@pytest.mark.parametrize("place", [(State.SUSPENDED, None), (State.ACTIVE, Hold.DEBT)])
def test_only_a_suspension_has_a_reason(place: Place) -> None:
    with pytest.raises(AssertionError, match="reason"):
        moved(*place, Event.PAID)
