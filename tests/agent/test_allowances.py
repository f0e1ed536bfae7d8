"""What a site may spend of a grant unasked: seconds | what happens | what follows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import grants
from agent.desired import desired, poll_in_ms
from agent.draft import Draft
from agent.model import GrantUse, Instant, State
from agent.wire import Granted
from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId
from billing.metering import Volume
from billing.quota import Allowance
from shaping.plane import Cap, MonotonicMs
from tests.support.site import Story, some_limits
from tests.support.steered import NOON

STORIES = {
    "what was handed out is the cap, and more of it opens the gate again": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=9000000 handed_b=1000000 | open a g1 10.0.0.5
        2    | count a 600000/0                     |
        4    | count a 1000000/0                    |
        4    | show a                               | closed 10.0.0.5
        4    | count a 1000000/0                    | read a 1000000/0 v4 u4; close a allowance
        5    | ask a 10.0.0.5                       |
        9    | grant g1 for=a quota=9000000 handed_b=2000000 | open a g1 10.0.0.5
        9    | left g1                              | 1000000
    """,
    "more that comes before the last reading is in opens it once that is": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=9000000 handed_b=1000000 | open a g1 10.0.0.5
        4    | count a 1000000/0                    |
        4    | grant g1 for=a quota=9000000 handed_b=2000000 |
        5    | count a 1000000/0  | read a 1000000/0 v5 u4; close a allowance; open a g1 10.0.0.5
    """,
    "more in time lets the session run on, and resets no count": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=9000000 handed_b=1000000 | open a g1 10.0.0.5
        2    | count a 600000/0                     |
        3    | grant g1 for=a quota=9000000 handed_b=2000000 |
        3    | left g1                              | 1400000
        4    | count a 1000000/0                    |
        4    | show a                               | open 10.0.0.5
    """,
    "a grant that is used up is over, whatever is left of the allowance": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=1000000 handed_b=2000000 | open a g1 10.0.0.5
        4    | count a 1000000/0                    |
        4    | count a 1000000/0                    | read a 1000000/0 v4 u4; close a data
        5    | grant g1 for=a quota=1000000 handed_b=3000000 |
    """,
    "use at other sites takes nothing from this one's allowance": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=9000000 handed_b=1000000 spent_b=5000000 | open a g1 10.0.0.5
        0    | left g1                              | 1000000
        2    | count a 400000/0                     |
        2    | left g1                              | 600000
        3    | grant g1 for=a quota=9000000 handed_b=1000000 spent_b=8900000 |
        3    | left g1                              | 100000
    """,
    "connected time ends at the allowance, on the second": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a uptime=9000 handed_u=60 | open a g1 10.0.0.5
        0    | show a                               | open 10.0.0.5 until 60
        30   | count a 10/10                        | read a 10/10 v30 u30
        60   | tick                                 |
        60   | count a 20/20                        | read a 20/20 v60 u60; close a allowance
        90   | grant g1 for=a uptime=9000 handed_u=120 spent_u=100 | open a g1 10.0.0.5
        90   | show a                               | open 10.0.0.5 until 150
    """,
    "time connected at other sites is spent here too, and none of it twice": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a uptime=300 spent_u=100 | open a g1 10.0.0.5
        0    | show a                               | open 10.0.0.5 until 200
        50   | count a 10/10                        | read a 10/10 v50 u150
        60   | grant g1 for=a uptime=300 spent_u=150 |
        60   | show a                               | open 10.0.0.5 until 200
        70   | grant g1 for=a uptime=300 spent_u=170 |
        70   | show a                               | open 10.0.0.5 until 180
    """,
    "a rest of the allowance that no burst fits into ends it for now": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=90000000 handed_b=10000000 | open a g1 10.0.0.5
        2    | count a 9990000/0                    |
        6    | count a 9990000/0                    |
        7    | count a 9990000/0                    | read a 9990000/0 v7 u6; close a allowance
        9    | grant g1 for=a quota=90000000 handed_b=20000000 | open a g1 10.0.0.5
    """,
    "so does a last allowance that is all but as small as the burst that was dropped": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=800000 handed_b=7000 spent_b=793000 | open a g1 10.0.0.5
        1    | grant g2 for=a                       |
        2    | count a 3500/0                       |
        7    | count a 3500/0                       |
        8    | count a 3500/0     | read a 3500/0 v8 u7; close a data; open a g2 10.0.0.5
    """,
    "a device with another grant goes on with that": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=9000000 handed_b=1000000 | open a g1 10.0.0.5
        1    | grant g2 for=a                       |
        4    | count a 1000000/0                    |
        5    | count a 1000000/0  | read a 1000000/0 v5 u4; close a allowance; open a g2 10.0.0.5
    """,
    "a suspended grant lets nothing pass until it is taken up again": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        10   | grant g1 for=a suspended=yes         |
        10   | show a                               | closed 10.0.0.5 until 3600
        11   | count a 7/7                          | read a 7/7 v11 u10; close a suspended
        12   | ask a 10.0.0.5                       |
        20   | grant g1 for=a                       | open a g1 10.0.0.5
        20   | show a                               | open 10.0.0.5 until 3600
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_allowances(story: str) -> None:
    Story().tell(STORIES[story])


def test_a_cap_that_was_topped_up_begins_anew_in_the_plane() -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5 |
        0 | grant g1 for=a quota=9000000 handed_b=1000000 | open a g1 10.0.0.5
        1 | count a 300000/0 |
        2 | grant g1 for=a quota=9000000 handed_b=2000000 |
    """)

    assert list(desired(story.state, MonotonicMs(story.mono)).caps.values()) == [
        Cap(1_700_000, revision=1)
    ]


def test_an_allowance_is_a_cap_also_for_a_grant_without_a_quota() -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5 |
        0 | grant g1 for=a validity=60 handed_b=1000000 | open a g1 10.0.0.5
    """)

    assert list(desired(story.state, MonotonicMs(story.mono)).caps.values()) == [Cap(1_000_000)]


def test_the_plane_is_counted_sooner_when_the_allowance_is_near() -> None:
    story = Story()
    story.tell("""
        0 | seen a 10.0.0.5 |
        0 | grant g1 for=a quota=90000000 handed_b=1000000 | open a g1 10.0.0.5
        1 | count a 900000/0 |
    """)

    assert poll_in_ms(story.state, MonotonicMs(story.mono)) == 100


AMOUNTS = st.integers(0, 10**9)


@settings(deadline=None)
@given(own=AMOUNTS, told=st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), max_size=6))
def test_own_use_is_what_passed_here_whatever_the_controller_says(
    own: int, told: list[tuple[int, int, int]]
) -> None:
    now = Instant(NOON, MonotonicMs(5_000_000), "boot-1")
    limits = some_limits(quota=10**12, uptime=366 * 86_400)
    grant = Grant(GrantId("g1"), PlanId("plan"), "Plan", limits, ())
    use = GrantUse(grant=grant, past=Volume(own), uptime_ms=own)
    before = grants.certain(use, (), now.mono)
    for used, uptime_s, handed in told:
        spent = Spent(uptime_s=min(uptime_s, 10**7), used_bytes=used)
        word = Granted(
            grant=grant,
            spent=spent,
            cause_id="",
            allowance=Allowance(handed, handed),
            suspended=False,
            pool_id="",
            proofs=(),
        )
        use = grants.accepted(use, word, Draft(State(), now))
        after = grants.certain(use, (), now.mono)

        assert grants.own(use, (), now.mono) == Spent(uptime_s=own // 1000, used_bytes=own)
        assert (after.used_bytes, after.uptime_s) >= (before.used_bytes, before.uptime_s)
        assert after.used_bytes >= max(own, used)
        assert after.uptime_s >= max(own // 1000, spent.uptime_s)
        before = after


@settings(deadline=None)
@given(used=AMOUNTS, elsewhere=AMOUNTS, quota=st.integers(10**5, 10**9), handed=AMOUNTS)
def test_the_cheap_sum_of_what_is_left_is_that_of_the_one_rule(
    used: int, elsewhere: int, quota: int, handed: int
) -> None:
    grant = Grant(GrantId("g1"), PlanId("plan"), "Plan", some_limits(quota=quota), ())
    use = GrantUse(
        grant=grant,
        past=Volume(used),
        elsewhere_bytes=elsewhere,
        allowance=Allowance(bytes=handed),
    )
    left = grants.remaining(use, (), MonotonicMs(0)).bytes

    assert grants.left_bytes(use, used + elsewhere) == left
    assert grants.left_bytes(replace(use, allowance=Allowance()), used + elsewhere) == max(
        0, quota - used - elsewhere
    )
