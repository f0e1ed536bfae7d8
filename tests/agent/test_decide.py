"""The rules of the edge, as stories: seconds | what happens | what follows."""

from __future__ import annotations

import pytest

from agent.changes import NO_ITEMS, digest
from agent.decide import decide
from agent.model import Changed, Notice, Resync, State
from agent.uplink.memory import grant_item
from agent.uplink.seam import DesiredChange
from tests.support.site import Story, some_limits

STORIES = {
    "a payment opens the gate of a device that is here, with no tap": """
        0    | seen a 10.0.0.5                      |
        5    | grant g1 for=a validity=60           | open a g1 10.0.0.5
        5    | show a                               | open 10.0.0.5 until 65
    """,
    "a device that was away gets access when it is back": """
        0    | grant g1 for=a validity=60           |
        100  | seen a 10.0.0.5                      | open a g1 10.0.0.5
        100  | show a                               | open 10.0.0.5 until 160
    """,
    "a device that the kernel has not shown yet is opened for when it asks": """
        0    | grant g1 for=a                       |
        1    | ask a 10.0.0.5                       | open a g1 10.0.0.5
    """,
    "a device without a grant gets nothing": """
        0    | grant g1 for=b                       |
        1    | seen a 10.0.0.5                      |
        2    | ask a 10.0.0.5                       |
        2    | show a                               | nothing
    """,
    "time ends on the second, and the last reading comes before the close": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=60           | open a g1 10.0.0.5
        30   | count a 1000/100                     | read a 1000/100 v30 u30
        59.9 | tick                                 |
        60   | tick                                 |
        60   | show a                               | closed 10.0.0.5 until 60
        60   | count a 1500/100                     | read a 1500/100 v60 u60; close a time
        61   | ask a 10.0.0.5                       |
    """,
    "a session is not counted out while the plane may still let it pass": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=60           | open a g1 10.0.0.5
        60   | tick                                 |
        60   | count a 100/0 unapplied=yes          |
        61   | count a 200/0                        | read a 200/0 v61 u60; close a time
    """,
    "a session behind a router that does not answer waits for its last count, others do not": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a validity=60           | open a g1 10.0.0.5
        0    | grant g2 for=b validity=60           | open b g2 10.0.0.6
        60   | tick                                 |
        60   | count b 100/0 unread=a               | read b 100/0 v60 u60; close b time
        70   | count unread=a                       |
        80   | count a 700/0                        | read a 700/0 v80 u60; close a time
    """,
    "validity runs on while the device is away": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        700  | tick                                 |
        700  | count a 0/0                          | close a idle
        900  | seen a 10.0.0.6                      | open a g1 10.0.0.6
        900  | show a                               | open 10.0.0.6 until 1000
    """,
    "idle time at the end of a session costs no connected time": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a uptime=1000           | open a g1 10.0.0.5
        100  | count a 10/10                        | read a 10/10 v100 u100
        700  | tick                                 |
        701  | count a 10/10                        | close a idle
        5000 | seen a 10.0.0.5                      | open a g1 10.0.0.5
        5000 | show a                               | open 10.0.0.5 until 5900
    """,
    "connected time runs while idle, until the session is called idle": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a uptime=300            | open a g1 10.0.0.5
        100  | count a 10/10                        | read a 10/10 v100 u100
        300  | tick                                 |
        300  | count a 10/10                        | read a 10/10 v300 u300; close a time
        301  | ask a 10.0.0.5                       |
    """,
    "a blocked device has no session, and gets it back when it is let in again": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        10   | count a 500/10                       | read a 500/10 v10 u10
        20   | block a                              |
        20   | count a 500/10                       | close a revoked
        21   | ask a 10.0.0.5                       |
        30   | grant g2 for=a validity=1000         |
        40   | show a                               | nothing
        50   | forget blocked                       | open a g1 10.0.0.5
        50   | show a                               | open 10.0.0.5 until 1000
    """,
    "who is not blocked any more is let in, and others stay out": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | block a b                            |
        1    | grant g1 for=a,b validity=1000 devices=2 |
        2    | block b                              | open a g1 10.0.0.5
    """,
    "two devices share one clock of connected time": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a,b uptime=300 devices=2 | open a g1 10.0.0.5; open b g1 10.0.0.6
        100  | show a                               | open 10.0.0.5 until 300
        100  | show b                               | open 10.0.0.6 until 300
    """,
    "only as many devices as were bought are online at once": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a,b devices=1           | open a g1 10.0.0.5
        1    | ask b 10.0.0.6                       |
        600  | tick                                 |
        601  | count a 0/0                          | close a idle; open b g1 10.0.0.6
    """,
    "data ends at the cap": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=1000000         | open a g1 10.0.0.5
        2    | count a 600000/100                   |
        4    | count a 999000/1000                  |
        4    | show a                               | closed 10.0.0.5
        4    | count a 999000/1000                  | read a 999000/1000 v4 u4; close a data
        5    | ask a 10.0.0.5                       |
    """,
    "a rest that no burst fits into ends the grant once nothing moves": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=10000000        | open a g1 10.0.0.5
        2    | count a 9990000/0                    |
        5    | count a 9990000/0                    |
        6    | count a 9990000/0                    |
        6    | show a                               | closed 10.0.0.5
        7    | count a 9990000/0                    | read a 9990000/0 v7 u6; close a data
        8    | ask a 10.0.0.5                       |
    """,
    "what is used adds up over sessions and devices": """
        0    | seen a 10.0.0.5                      |
        0    | seen b 10.0.0.6                      |
        0    | grant g1 for=a,b quota=1000000 devices=2 | open a g1 10.0.0.5; open b g1 10.0.0.6
        2    | count a 500000/0 b 400000/0          |
        4    | count a 550000/0 b 450000/0          |
        4    | show a                               | closed 10.0.0.5
        4    | show b                               | closed 10.0.0.6
    """,
    "a counter that began anew loses nothing": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=1000000         | open a g1 10.0.0.5
        2    | count a 600000/0                     |
        4    | count a 300000/0 epoch=2             |
        6    | count a 400000/0 epoch=2             |
        6    | show a                               | closed 10.0.0.5
    """,
    "the next grant follows by itself when one ends": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=60           | open a g1 10.0.0.5
        10   | grant g2 for=a validity=60           |
        60   | tick                                 |
        60   | count a 0/0                          | close a time; open a g2 10.0.0.5
        60   | show a                               | open 10.0.0.5 until 120
    """,
    "a grant already begun is used up before an untouched one": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=b validity=600          |
        0    | grant g2 for=a validity=2000         | open a g2 10.0.0.5
        600  | tick                                 |
        601  | count a 0/0                          | close a idle
        602  | grant g1 for=a validity=600          |
        603  | seen a 10.0.0.5                      | open a g2 10.0.0.5
    """,
    "a revoked grant closes its session": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        10   | grant g1 for=a revoked=yes           |
        10   | show a                               | closed 10.0.0.5 until 3600
        11   | count a 7/7                          | read a 7/7 v11 u10; close a revoked
    """,
    "a dropped grant closes its session": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        10   | drop g1                              |
        11   | count a 7/7                          | read a 7/7 v11 u10; close a revoked
        12   | ask a 10.0.0.5                       |
    """,
    "a device taken off a grant loses its session": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        10   | grant g1 for=b                       |
        11   | count a 7/7                          | read a 7/7 v11 u10; close a revoked
    """,
    "readings come at most every ten seconds, and only when bytes moved": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        2    | count a 10/1                         |
        4    | count a 20/2                         |
        10   | count a 50/5                         | read a 50/5 v10 u10
        12   | count a 60/6                         |
        20   | count a 60/6                         | read a 60/6 v20 u12
        30   | count a 60/6                         |
    """,
    "what the controller knows to be spent counts here": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=100 spent_v=40 | open a g1 10.0.0.5
        0    | show a                               | open 10.0.0.5 until 60
    """,
    "what the controller spent elsewhere shortens the cap": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a quota=1000000         | open a g1 10.0.0.5
        2    | count a 400000/0                     |
        3    | grant g1 for=a quota=1000000 spent_b=900000 |
        4    | count a 500000/0                     |
        4    | show a                               | closed 10.0.0.5
    """,
    "time while the machine is off is charged": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        100  | boot off=300                         |
        0    | show a                               | open 10.0.0.5 until 600
    """,
    "a machine that lost its clock charges the time off once it has it back": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a validity=1000         | open a g1 10.0.0.5
        100  | tick                                 |
        100  | boot off=300 years=-56               |
        0    | show a                               | open 10.0.0.5 until 900
        50   | clock years=56                       |
        50   | show a                               | open 10.0.0.5 until 600
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_sessions(story: str) -> None:
    Story().tell(STORIES[story])


ADDRESSES = {
    "a device that changes its address is followed once the old one is silent": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        10   | count a 10/10                        | read a 10/10 v10 u10
        11   | seen a 10.0.0.9                      |
        11   | show a                               | open 10.0.0.5 until 3600
        39   | count a 10/10                        |
        39   | show a                               | open 10.0.0.5 until 3600
        41   | count a 10/10                        |
        41   | show a                               | open 10.0.0.9 until 3600
    """,
    "bytes that only go down to the old address do not keep a device there": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        2    | count a 10/10                        |
        5    | seen a 10.0.0.9                      |
        20   | count a 500/10                       | read a 500/10 v20 u20
        33   | count a 900/10                       | read a 900/10 v33 u33
        33   | show a                               | open 10.0.0.9 until 3600
    """,
    "a second user of the MAC gets nothing while the first is active": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        2    | count a 10/10                        |
        3    | seen a 10.0.0.66                     |
        4    | count a 20/20                        |
        6    | count a 30/30                        | notice mac_contested
        34   | count a 40/40                        | read a 40/40 v34 u34
        50   | count a 50/50                        | read a 50/50 v50 u50
        50   | show a                               | open 10.0.0.5 until 3600
    """,
    "an address that was heard of before the session's own is no successor": """
        0    | seen a 10.0.0.4                      |
        9    | seen a 10.0.0.5                      |
        9    | grant g1 for=a                       | open a g1 10.0.0.5
        60   | count a 10/10                        | read a 10/10 v51 u51
        120  | count a 10/10                        |
        120  | show a                               | open 10.0.0.5 until 3609
    """,
    "a new IPv6 address of the device may pass at once": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        1    | seen a 2001:db8::5                   |
        1    | show a                               | open 10.0.0.5 2001:db8::5 until 3600
    """,
    "a link-local address is never let pass": """
        0    | seen a 10.0.0.5                      |
        0    | seen a fe80::5                       |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
    """,
    "a MAC behind another port is contested, and nothing new is let pass": """
        0    | seen a 10.0.0.5 port=p1              |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        1    | moved a port=p2                      | notice mac_contested
        2    | seen a 2001:db8::66 port=p2          |
        2    | seen a 10.0.0.66 port=p2             |
        40   | count a 0/0                          |
        40   | show a                               | open 10.0.0.5 until 3600
        62   | seen a 2001:db8::66 port=p2          |
        62   | show a                               | open 10.0.0.66 2001:db8::66 until 3600
    """,
    "an address of another open session is never taken": """
        0    | seen a 10.0.0.5                      |
        0    | grant g1 for=a                       | open a g1 10.0.0.5
        0    | grant g2 for=b                       |
        1    | seen b 10.0.0.5                      | notice mac_contested
        2    | ask b 10.0.0.5                       |
        2    | show b                               | nothing
    """,
    "an address moves to the device that was seen with it last": """
        0    | seen a 10.0.0.5                      |
        1    | seen b 10.0.0.5                      |
        2    | grant g1 for=a                       |
        3    | grant g2 for=b                       | open b g2 10.0.0.5
    """,
    "a device that is gone is not opened for": """
        0    | seen a 10.0.0.5                      |
        1    | gone a 10.0.0.5                      |
        2    | grant g1 for=a                       |
    """,
}


@pytest.mark.parametrize("story", ADDRESSES)
def test_addresses(story: str) -> None:
    Story().tell(ADDRESSES[story])


ORDERS = {
    "an order that never reached the controller expires": """
        0     | order o1 a                          |
        119   | tick                                |
        119   | show o1                             | queued
        120   | tick                                |
        120   | show o1                             | expired
    """,
    "an order that may have reached the controller is never called expired": """
        0     | order o1 a                          |
        5     | lost o1                             |
        120   | tick                                |
        120   | show o1                             | checking
    """,
    "a late answer is believed": """
        0     | order o1 a                          |
        120   | tick                                |
        130   | answer o1 prompted                  |
        130   | show o1                             | prompted
    """,
    "what is paid stays paid": """
        0     | order o1 a                          |
        5     | answer o1 paid                      |
        6     | answer o1 checking                  |
        6     | show o1                             | paid
    """,
    "a paid order is shown until there is access": """
        0     | seen a 10.0.0.5                     |
        0     | order o1 a                          |
        5     | answer o1 paid                      |
        6     | show o1                             | paid
        7     | grant g1 for=a cause=o1             | open a g1 10.0.0.5
        7     | show o1                             | nothing
    """,
    "a grant says that its order is paid, whatever was known": """
        0     | order o1 a                          |
        5     | answer o1 refused                   |
        7     | grant g1 for=a cause=o1             |
        7     | show o1                             | paid
    """,
    "a second order waits for the first": """
        0     | order o1 a                          |
        1     | order o2 a                          |
        1     | show o2                             | nothing
        5     | answer o1 refused                   |
        6     | order o3 a                          |
        6     | show o3                             | queued
    """,
    "orders are forgotten after a day": """
        0     | order o1 a                          |
        1     | answer o1 refused                   |
        86399 | tick                                |
        86399 | show o1                             | refused
        86400 | tick                                |
        86400 | show o1                             | nothing
    """,
}


@pytest.mark.parametrize("story", ORDERS)
def test_orders(story: str) -> None:
    Story().tell(ORDERS[story])


def a_step(
    generation: int, *, after: dict[str, bytes], before: int = 0, digest_of: bytes | None = None
) -> Changed:
    change = DesiredChange(
        generation=generation,
        from_generation=before,
        upserts=tuple(after.items()),
        removals=(),
        digest=digest(after) if digest_of is None else digest_of,
    )
    return Changed(change)


KEY, BODY = grant_item("g1", limits=some_limits(), devices=())


def test_an_older_generation_is_refused() -> None:
    state, _ = decide(State(), a_step(5, after={KEY: BODY}), Story().now())
    after, effects = decide(state, a_step(4, after={}), Story().now())

    assert (after.items, [type(e) for e in effects]) == (state.items, [Notice])


def test_the_same_generation_again_is_nothing() -> None:
    state, _ = decide(State(), a_step(5, after={KEY: BODY}), Story().now())
    after, effects = decide(state, a_step(5, after={KEY: BODY}), Story().now())

    assert (after, effects) == (state, ())


def test_the_same_generation_with_other_content_is_an_error() -> None:
    state, _ = decide(State(), a_step(5, after={KEY: BODY}), Story().now())
    after, effects = decide(state, a_step(5, after={}), Story().now())

    assert (after.items, [type(e) for e in effects]) == (state.items, [Notice, Resync])


def test_a_step_from_elsewhere_asks_for_a_snapshot() -> None:
    state, _ = decide(State(), a_step(5, after={KEY: BODY}), Story().now())
    after, effects = decide(state, a_step(9, after={}, before=8), Story().now())

    assert (after.generation, effects) == (5, (Resync(),))


def test_a_step_that_does_not_add_up_changes_nothing() -> None:
    after, effects = decide(
        State(), a_step(5, after={KEY: BODY}, digest_of=NO_ITEMS), Story().now()
    )

    assert (after.items, after.generation, [type(e) for e in effects]) == ({}, 0, [Notice, Resync])


def test_a_snapshot_drops_what_it_does_not_list() -> None:
    story = Story()
    story.tell("0 | grant g1 for=a |")
    after, _ = decide(story.state, a_step(5, after={}), story.now())

    assert (after.items, after.grants) == ({}, {})


def test_an_item_that_cannot_be_read_is_kept_and_told() -> None:
    items = {"grant/x": b"\xff\xff", "moon/1": b""}
    after, effects = decide(State(), a_step(5, after=items), Story().now())

    assert after.items == items
    assert [e.code for e in effects if isinstance(e, Notice)] == ["item_unreadable", "item_unknown"]


def test_many_items_of_kinds_that_are_not_known_are_told_once_with_their_number() -> None:
    items = {**{f"moon/{n:04}": b"" for n in range(2_000)}, "star/1": b"", "star/2": b""}
    after, effects = decide(State(), a_step(5, after=items), Story().now())
    (notice,) = [one for one in effects if isinstance(one, Notice)]

    assert len(after.items) == 2_002
    assert notice == Notice(
        code="item_unknown", text="this version knows no such kind: 2,000 moon, 2 star"
    )


def test_many_items_that_cannot_be_read_are_told_once_with_the_first() -> None:
    items = {f"grant/{n}": b"\xff\xff" for n in range(40)}
    _, effects = decide(State(), a_step(5, after=items), Story().now())
    (notice,) = [one for one in effects if isinstance(one, Notice)]

    assert notice == Notice(
        code="item_unreadable", text="grant/0: the body is no ItemBody; and 39 more"
    )


def test_a_grant_item_under_another_key_is_refused() -> None:
    after, effects = decide(State(), a_step(5, after={"grant/other": BODY}), Story().now())

    assert (dict(after.grants), len(effects)) == ({}, 1)


def test_connected_time_is_told_to_the_end_though_no_byte_moved() -> None:
    Story().tell("""
        0   | seen a 10.0.0.5
        1   | grant g1 uptime=100          | open a g1 10.0.0.5
        5   | count a 1000/100
        20  | count a 2000/100             | read a 2000/100 v19 u19
        101 | tick
        102 | count a 2000/100             | read a 2000/100 v101 u100; close a time
    """)


def test_connected_time_without_a_single_byte_is_told_too() -> None:
    Story().tell("""
        0   | seen a 10.0.0.5
        1   | grant g1 uptime=100          | open a g1 10.0.0.5
        101 | tick
        102 | count                        | read a 0/0 v101 u100; close a time
    """)
