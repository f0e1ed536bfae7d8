"""How fast, when, and in which pool: seconds | what happens | what follows. It is noon at 0."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import daytime, speeds
from agent.decide import decide
from agent.desired import (
    Plan,
    desired,
    planned,
    poll_in_ms,
    same_grounds,
    same_orders,
    shared_rates,
)
from agent.model import Blocked, Garden, Instant, SitePool, Ticked
from billing import speed
from billing.plan import Window
from shaping.plane import POOL_DEPTH_MAX, MacAddress, MonotonicMs, Pool, PoolKey, Rate
from tests.support.site import Story, some_limits
from tests.support.steered import NOON

STORIES = {
    "a plan's own speed, with its burst": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a burst=9000000:9000000:500 | open a g1 10.0.0.5
        0    | speed a                              | 4000000/2000000 burst 500
    """,
    "fair use slows down once its bytes are used, and leaves no burst": """
        0    | seen a 10.0.0.5                      |
        0 | grant g1 for=a steps=1000000:512000:256000 burst=9000000:9000000:5 | open a g1 10.0.0.5
        2    | count a 999999/0                     |
        2    | speed a                              | 4000000/2000000 burst 5
        4    | count a 999999/1                     |
        4    | speed a                              | 512000/256000
    """,
    "one device's use slows down the others of its grant": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=b devices=2 steps=1000000:512000:256000 | open b g1 10.0.0.6
        1    | grant g1 for=b,a devices=2 steps=1000000:512000:256000 | open a g1 10.0.0.5
        2    | count a 1000000/0 b 0/0              |
        2    | speed b                              | 512000/256000
    """,
    "the night rate begins on its minute and ends on it": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a windows=721:723:9000000:8000000 | open a g1 10.0.0.5
        59   | speed a                              | 4000000/2000000
        60   | tick                                 |
        60   | speed a                              | 9000000/8000000
        179  | tick                                 |
        179  | speed a                              | 9000000/8000000
        180  | tick                                 |
        180  | speed a                              | 4000000/2000000
    """,
    "a happy hour goes before fair use": """
        0    | seen a 10.0.0.5                      |
        0 | grant g1 for=a steps=9:512000:256000 windows=721:722:9000000:800000 | open a g1 10.0.0.5
        2    | count a 1000000/0                    |
        60   | count a 1000000/0                    | read a 1000000/0 v60 u2
        60   | speed a                              | 9000000/800000
        120  | tick                                 |
        120  | speed a                              | 512000/256000
    """,
    "while nobody knows the time there is no happy hour": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a windows=720:780:9000000:8000000 | open a g1 10.0.0.5
        0    | speed a                              | 9000000/8000000
        9    | boot off=300 years=-56               |
        0    | speed a                              | 4000000/2000000
        9    | clock years=56                       |
        9    | speed a                              | 9000000/8000000
    """,
    "a device is in the pool of the port where it is": """
        0    | pool ap1 ports=wlan1 rate=20         |
        0    | pool ap2 ports=wlan2 rate=20         |
        0    | seen a 10.0.0.5 port=wlan1           |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        0    | speed a                              | 4000000/2000000 in ap1
        1    | seen a 10.0.0.5 port=wlan2           | notice mac_contested
        1    | speed a                              | 4000000/2000000 in ap2
        2    | forget pool/ap2                      |
        2    | speed a                              | 4000000/2000000
    """,
    "a grant's own pool goes before that of the place": """
        0    | pool ap1 ports=wlan1                 |
        0    | pool vip rate=50                     |
        0    | seen a 10.0.0.5 port=wlan1           |
        0    | grant g1 for=a pool=vip              | open a g1 10.0.0.5
        0    | speed a                              | 4000000/2000000 in vip
        1    | grant g1 for=a pool=gone             |
        1    | speed a                              | 4000000/2000000
        2    | pool gone                            |
        2    | speed a                              | 4000000/2000000 in gone
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_speeds(story: str) -> None:
    Story().tell(STORIES[story])


WINDOW = """
    0 | seen a 10.0.0.5 |
    0 | grant g1 for=a windows=721:723:9000000:8000000 | open a g1 10.0.0.5
"""


def test_the_turn_of_a_window_is_a_deadline() -> None:
    story = Story()
    story.tell(WINDOW)
    first = story.state.due_at - story.mono
    story.tell("60 | tick |")

    assert (first, story.state.due_at - story.mono) == (60_000, 120_000)


def test_a_plan_does_not_outlive_its_minute() -> None:
    story = Story()
    story.tell(WINDOW)
    before, plan = story.state, planned(story.state, MonotonicMs(story.mono), Plan())
    story.tell("59 | tick |")
    same = same_grounds(before, story.state)
    story.tell("60 | tick |")
    after = planned(story.state, MonotonicMs(story.mono), plan).desired

    assert same
    assert not same_grounds(before, story.state)
    assert not same_orders(plan.desired, after)
    assert after == desired(story.state, MonotonicMs(story.mono))


def test_a_plan_does_not_outlive_its_pools() -> None:
    story = Story()
    story.tell("""
        0 | pool ap1 ports=wlan1 |
        0 | seen a 10.0.0.5 port=wlan1 |
        0 | grant g1 for=a | open a g1 10.0.0.5
    """)
    before, plan = story.state, planned(story.state, MonotonicMs(story.mono), Plan())
    story.tell("1 | forget pool/ap1 |\n1 | pool ap2 ports=wlan1 |")
    after = planned(story.state, MonotonicMs(story.mono), plan).desired

    assert not same_grounds(before, story.state)
    assert not same_orders(plan.desired, after)
    assert after == desired(story.state, MonotonicMs(story.mono))


def test_the_plane_is_counted_sooner_when_a_step_is_near() -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5 |
        0 | grant g1 for=a steps=1000000:512000:256000 | open a g1 10.0.0.5
        1 | count a 900000/0 |
    """)
    near = poll_in_ms(story.state, MonotonicMs(story.mono))
    story.tell("2 | count a 1000000/0 |")

    assert (near, poll_in_ms(story.state, MonotonicMs(story.mono))) == (100, 2_000)


def test_pools_are_told_with_their_parents() -> None:
    story = Story()
    story.tell("0 | pool p0 rate=50 |\n0 | pool p1 rate=8 in=p0 |\n0 | pool p2 in=moon |")

    assert desired(story.state, MonotonicMs(story.mono)).pools == {
        "p0": Pool(Rate(50_000_000, 50_000_000)),
        "p1": Pool(Rate(8_000_000, 8_000_000), PoolKey("p0")),
        "p2": Pool(Rate(8_000_000, 8_000_000)),
    }


KEYS = st.sampled_from([PoolKey(f"p{n}") for n in range(9)])


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.none() | KEYS))
def test_going_up_from_a_pool_always_comes_to_an_end(
    parents: dict[PoolKey, PoolKey | None],
) -> None:
    pools = {
        key: SitePool(key, Rate(8_000, 8_000), parent, frozenset())
        for key, parent in parents.items()
    }
    told = shared_rates(pools)
    for key in told:
        deep, at = 1, told[key].parent
        while at is not None:
            deep, at = deep + 1, told[at].parent

            assert deep <= POOL_DEPTH_MAX


def test_a_change_of_the_garden_is_news_to_the_plane() -> None:
    story = Story()
    before = desired(story.state, MonotonicMs(story.mono))
    state = replace(story.state, garden=Garden(networks=frozenset({ip_network("192.0.2.0/24")})))
    after = desired(state, MonotonicMs(story.mono))

    assert after.garden == {ip_network("192.0.2.0/24")}
    assert not same_orders(before, after)
    assert not same_grounds(story.state, state)


def test_a_blocked_device_is_news_to_the_plane() -> None:
    story = Story()
    before = desired(story.state, MonotonicMs(story.mono))
    state = replace(story.state, blocked=Blocked(frozenset({MacAddress("02:00:00:00:00:0a")})))
    after = desired(state, MonotonicMs(story.mono))

    assert after.blocked == {"02:00:00:00:00:0a"}
    assert not same_orders(before, after)
    assert not same_grounds(story.state, state)


MINUTES = st.integers(0, 1_439)


@settings(deadline=None)
@given(
    edges=st.lists(st.tuples(MINUTES, MINUTES).filter(lambda e: e[0] != e[1]), max_size=4),
    ms=st.integers(0, 86_400_000),
)
def test_between_now_and_the_next_turn_the_speed_stays(
    edges: list[tuple[int, int]], ms: int
) -> None:
    windows = tuple(Window(a, b, 9_000_000 + n, 8_000_000) for n, (a, b) in enumerate(edges))
    limits = replace(some_limits(), windows=windows)
    wall = NOON + timedelta(milliseconds=ms)
    now = Instant(wall, MonotonicMs(ms), "boot-1")
    turn = speeds.next_turn_at(limits, now, None)
    assert (turn is None) == (not windows)
    assert turn is None or turn % 60_000 == 0
    for at in range(ms, ms if turn is None else turn, 60_000):
        later = Instant(wall + timedelta(milliseconds=at - ms), MonotonicMs(at), "boot-1")

        assert speed.speed(limits, used_bytes=0, minute=daytime.minute(later, None)) == speed.speed(
            limits, used_bytes=0, minute=daytime.minute(now, None)
        )


def test_midnight_in_nairobi_is_nine_in_the_evening_in_london() -> None:
    evening = NOON.replace(month=7, hour=21, minute=0)

    assert daytime.minute(Instant(evening, MonotonicMs(0), "b"), None) == 0


def test_a_wall_clock_that_is_set_right_is_noticed_at_the_next_look() -> None:
    story = Story()
    story.tell(WINDOW.replace("721:723", "780:840"))
    story.wall += timedelta(hours=1)
    before = story.state
    story.state, _ = decide(before, Ticked(), story.now())
    story.tell("1 | speed a | 9000000/8000000")

    assert not same_grounds(before, story.state)
