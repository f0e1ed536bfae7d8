"""Devices that join a grant at the site, told as tables; and who gives way for whom."""

from __future__ import annotations

import pytest

from agent import keeping
from agent.joining import NOBODY, gives_way
from billing.ids import GrantId
from tests.support.site import Story, a_mac

STORIES = {
    "a phone under a new address takes its own old place, and pays no second of time": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a uptime=3600           | open a g1 10.0.0.5
        10   | count a 5/2                          | read a 5/2 v10 u10
        40   | seen b 10.0.0.6                      |
        40   | join b g1 instead_of=a               | joined g1 b for a
        40   | show a                               | closed 10.0.0.5
        41   | count a 5/2         | read a 5/2 v41 u40; close a moved; open b g1 10.0.0.6
        41   | show b                               | open 10.0.0.6 until 3601
        42   | ask a 10.0.0.5                       |
        42   | show a                               | nothing
    """,
    "a further device joins while there is room": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a devices=2             | open a g1 10.0.0.5
        5    | join b g1 by=receipt                 | joined g1 b; open b g1 10.0.0.6
        5    | join b g1 by=receipt                 |
    """,
    "nobody joins beyond the limit, nor for one who is not in": """
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a                       |
        5    | join b g1                            |
        5    | join b g1 instead_of=c               |
        5    | show b                               | nothing
    """,
    "nobody joins what is over or was never given": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a validity=60 devices=2 | open a g1 10.0.0.5
        60   | join b g1                            |
        61   | count a 0/0                          | close a time
        61   | join b g9                            |
        61   | show b                               | nothing
    """,
    "a join outlives what the controller says until it says it too, and then not": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        20   | join b g1 instead_of=a               | joined g1 b for a
        21   | count a 0/0                          | close a moved; open b g1 10.0.0.6
        22   | grant g1 for=a spent_v=5             |
        22   | show b                               | open 10.0.0.6 until 3600
        23   | ask a 10.0.0.5                       |
        24   | grant g1 for=b                       |
        25   | grant g1 for=a                       |
        25   | show b                               | closed 10.0.0.6 until 3600
    """,
    "moved there and back again before the controller hears of either": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        20   | join b g1 instead_of=a               | joined g1 b for a
        21   | count a 0/0                          | close a moved; open b g1 10.0.0.6
        22   | join a g1 instead_of=b by=move       | joined g1 a for b
        23   | count b 0/0                          | close b moved; open a g1 10.0.0.5
        24   | grant g1 for=a                       |
        24   | show a                               | open 10.0.0.5 until 3600
    """,
    "an entitled device that asks has a ghost give way, but no device that is alive": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a,b                     | open a g1 10.0.0.5
        30   | count a 9/9                          | read a 9/9 v30 u30
        31   | seen b 10.0.0.6                      |
        89   | ask b 10.0.0.6                       |
        89   | show a                               | open 10.0.0.5 until 3600
        90   | ask b 10.0.0.6                       | notice ghost_left
        91   | count a 9/9                          | close a left; open b g1 10.0.0.6
    """,
    "a television is a companion, and is taken off again": """
        0    | seen a 10.0.0.5                      |
        0    | seen t 10.0.0.9                      |
        0    | grant g1 for=a devices=2             | open a g1 10.0.0.5
        5    | join t g1 by=companion               | joined g1 t; open t g1 10.0.0.9
        9    | join a g1 instead_of=t by=companion  | joined g1 a for t
        10   | count t 0/0                          | close t moved
        11   | grant g1 for=a,t devices=2           |
        11   | ask t 10.0.0.9                       |
        11   | show t                               | nothing
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_a_site_lives_as_told(story: str) -> None:
    Story().tell(STORIES[story])


SILENCES = """
    at   was  who
    10   -    none
    19   a    none
    20   a    a
    20   z    none
    64   -    none
    65   -    a
    65   b    a
"""
"""Two places, both taken: ``a`` was last heard at 5, ``b`` is heard all the time."""


@pytest.mark.parametrize(
    ("at", "was", "who"), [row.split() for row in SILENCES.strip().splitlines()[1:]]
)
def test_who_gives_way_is_who_was_silent_for_long_enough(at: str, was: str, who: str) -> None:
    story = Story()
    story.tell("""
        0  | seen a 10.0.0.5            |
        0  | seen b 10.0.0.6            |
        0  | grant g1 for=a,b devices=2 | open a g1 10.0.0.5; open b g1 10.0.0.6
        5  | count a 1/1 b 1/1          |
    """)
    story.tell(f"{at} | seen c 10.0.0.7 |")
    list(story.happen("count a 1/1 b 2/2"))
    use = story.state.grants[GrantId("g1")]
    found = gives_way(story.state, use, story.now().mono, was=NOBODY if was == "-" else a_mac(was))

    assert found == (None if who == "none" else a_mac(who))


def test_a_place_that_is_free_costs_nobody_anything() -> None:
    story = Story()
    story.tell("0 | grant g1 for=a devices=2 |")
    use = story.state.grants[GrantId("g1")]

    assert gives_way(story.state, use, story.now().mono) == NOBODY


def test_a_device_without_a_session_gives_way_before_one_that_is_silent() -> None:
    story = Story()
    story.tell("""
        0  | seen a 10.0.0.5            |
        0  | grant g1 for=a,b devices=2 | open a g1 10.0.0.5
        99 | tick                       |
    """)
    use = story.state.grants[GrantId("g1")]

    assert gives_way(story.state, use, story.now().mono) == a_mac("b")


def test_joins_are_kept_through_a_restart() -> None:
    story = Story()
    story.tell("""
        0 | grant g1 for=a devices=2             |
        1 | join t g1 instead_of=a by=companion  | joined g1 t for a
    """)
    use = story.state.grants[GrantId("g1")]
    (told,) = keeping.read_all([keeping.write_use(use)])

    assert (use.joined, use.left, use.companions) == ((a_mac("t"),), (a_mac("a"),), (a_mac("t"),))
    assert keeping.read_use(told, None, keeping.Sharing()) == use
