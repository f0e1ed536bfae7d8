"""Large steps in portions."""

from __future__ import annotations

from ipaddress import IPv4Address

from shaping.diff import Block, CloseWay, Observed, OpenWay, SetRate, Standing, Step, Way
from shaping.plane import MacAddress, Rate, SessionKey
from shaping.portions import portions

MAC = MacAddress("02:00:00:00:00:01")
RATE = Rate(1_000_000, 1_000_000)
HERE = IPv4Address("10.77.0.1")


def a_step(*numbers: int) -> Step:
    """New sessions with these numbers, and a block."""
    ways = {SessionKey(f"s{n}"): (HERE + n, Way(MAC)) for n in numbers}
    rates = tuple(SetRate(key, RATE) for key in ways)
    opened = tuple(OpenWay(key, "e", address, way) for key, (address, way) in ways.items())
    after = {key: Standing("e", RATE, dict([way])) for key, way in ways.items()}
    return Step((*rates, *opened, Block(MAC)), after)


def opened(step: Step, observed: Observed, size: int) -> list[list[str]]:
    return [
        [change.session for change in part if isinstance(change, OpenWay)]
        for part in portions(step, observed, size=size)
    ]


def test_a_small_step_is_one_portion() -> None:
    step = a_step(1, 2)

    assert list(portions(step, Observed(), size=2)) == [step.changes]


def test_new_sessions_come_so_many_at_a_time() -> None:
    assert opened(a_step(1, 2, 3, 4, 5), Observed(), 2) == [["s1", "s2"], ["s3", "s4"], ["s5"]]


def test_each_portion_has_the_speeds_of_the_ways_that_it_opens() -> None:
    for part in portions(a_step(*range(7)), Observed(), size=3):
        rates = [change.session for change in part if isinstance(change, SetRate)]

        assert rates == [change.session for change in part if isinstance(change, OpenWay)]


def test_no_change_is_lost_or_doubled() -> None:
    step = a_step(*range(7))
    made = [change for part in portions(step, Observed(), size=3) for change in part]

    assert sorted(made, key=repr) == sorted(step.changes, key=repr)


def test_what_is_for_everybody_comes_first() -> None:
    first, *rest = portions(a_step(*range(7)), Observed(), size=3)

    assert Block(MAC) in first
    assert not any(isinstance(change, Block) for part in rest for change in part)


def test_who_takes_over_an_address_does_not_wait_for_it() -> None:
    step = a_step(1, 2, 3)
    gone = CloseWay(SessionKey("old"), HERE + 3, Way(MAC))
    observed = Observed(owners={HERE + 3: SessionKey("old")})

    assert opened(Step((gone, *step.changes), step.after), observed, 1) == [["s1", "s3"], ["s2"]]


def test_a_session_that_was_there_does_not_wait() -> None:
    observed = Observed(sessions={SessionKey("s3"): Standing("e")})

    assert opened(a_step(1, 2, 3), observed, 1) == [["s1", "s3"], ["s2"]]
