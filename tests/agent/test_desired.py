"""What the plane is told, and how often it is read."""

from __future__ import annotations

from dataclasses import replace

from agent.decide import decide_all
from agent.desired import (
    POLL_CLOSING_MS,
    POLL_MIN_MS,
    POLL_MS,
    Plan,
    desired,
    planned,
    poll_in_ms,
    same_orders,
)
from agent.draft import DEVICES_KEPT_MAX
from agent.model import Sighted, State
from shaping.plane import Cap, MacAddress, MonotonicMs, Neighbour, Sight
from tests.support.site import Story

ONLINE = """
    0 | seen a 10.0.0.5 |
    0 | grant g1 for=a quota=1000000 | open a g1 10.0.0.5
"""


def a_site(table: str = ONLINE) -> Story:
    story = Story()
    story.tell(table)
    return story


def mono(story: Story) -> MonotonicMs:
    return MonotonicMs(story.mono)


def test_a_cap_says_what_is_left() -> None:
    story = a_site()
    story.tell("1 | count a 300000/0 |")

    assert list(desired(story.state, mono(story)).caps.values()) == [Cap(700_000)]


def test_only_the_controller_makes_a_cap_begin_anew() -> None:
    story = a_site()
    story.tell("1 | count a 300000/0 |\n2 | grant g1 for=a quota=2000000 |")

    assert list(desired(story.state, mono(story)).caps.values()) == [Cap(1_700_000, revision=1)]


def test_bytes_that_were_counted_are_no_news_to_the_plane() -> None:
    story = a_site()
    before = desired(story.state, mono(story))
    story.tell("1 | count a 300000/0 |")

    assert same_orders(before, desired(story.state, mono(story)))


def test_a_new_cap_is_news_to_the_plane() -> None:
    story = a_site()
    before = desired(story.state, mono(story))
    story.tell("1 | grant g1 for=a quota=2000000 |")

    assert not same_orders(before, desired(story.state, mono(story)))


def test_a_plan_taken_over_says_the_same_as_a_plan_from_nothing() -> None:
    story = a_site()
    plan = planned(story.state, mono(story), Plan())
    story.tell("1 | count a 300000/0 |\n2 | grant g1 for=a quota=2000000 validity=60 |\n3 | tick |")
    after = planned(story.state, mono(story), plan)

    assert after.desired == desired(story.state, mono(story))


def test_what_did_not_change_is_taken_over_as_it_is() -> None:
    story = a_site()
    first = planned(story.state, mono(story), Plan())
    again = planned(replace(story.state), mono(story), first)
    key = next(iter(first.desired.access))

    assert again.desired.access[key] is first.desired.access[key]


def test_access_is_closed_at_its_deadline_even_before_it_is_decided() -> None:
    story = a_site("0 | seen a 10.0.0.5 |\n0 | grant g1 for=a validity=60 | open a g1 10.0.0.5")
    plan = planned(story.state, mono(story), Plan())
    late = planned(story.state, MonotonicMs(story.mono + 60_000), plan)

    assert [access.closed for access in late.desired.access.values()] == [True]


def test_nothing_is_counted_while_nobody_is_online() -> None:
    assert poll_in_ms(State(), MonotonicMs(0)) is None


def test_a_site_is_counted_sooner_when_a_cap_is_near() -> None:
    story = a_site()
    story.tell("1 | count a 300000/0 |")
    far = poll_in_ms(story.state, mono(story))
    story.tell("2 | count a 900000/0 |")
    near = poll_in_ms(story.state, mono(story))

    assert far is not None
    assert near is not None
    assert POLL_MIN_MS <= near < far < POLL_MS


def test_a_closed_session_is_counted_out_at_once() -> None:
    story = a_site()
    story.tell("1 | drop g1 |")

    assert poll_in_ms(story.state, mono(story)) == POLL_CLOSING_MS


def test_after_a_session_is_counted_out_the_pace_is_as_before() -> None:
    story = a_site()
    story.tell("1 | drop g1 |\n1 | count a 0/0 | close a revoked")
    story.tell("2 | grant g2 for=a | open a g2 10.0.0.5")

    assert poll_in_ms(story.state, mono(story)) == POLL_MS


def test_a_flood_of_devices_forgets_strangers_but_no_session() -> None:
    story = a_site()
    numbers = range(DEVICES_KEPT_MAX + 5)
    macs = [f"06:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in numbers]
    flood = [Sighted(Neighbour(Sight.SEEN, MacAddress(mac), None)) for mac in macs]
    state, _ = decide_all(story.state, flood, story.now())

    assert len(state.devices) == DEVICES_KEPT_MAX
    assert len(state.sessions) == 1


def test_devices_of_one_grant_draw_on_one_budget() -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5
        0 | seen b 10.0.0.6
        1 | grant g1 for=a,b devices=2 quota=1000000 | open a g1 10.0.0.5; open b g1 10.0.0.6
    """)
    wanted = desired(story.state, MonotonicMs(story.mono))

    assert len(wanted.caps) == 1
    assert {access.cap for access in wanted.access.values()} == set(wanted.caps)
