"""How often somebody may try."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import tries
from agent.decide import decide
from agent.model import Ordered, State, Tried, Try, TryKind
from agent.tries import too_many
from billing.ids import OrderId
from billing.msisdn import Msisdn
from shaping.plane import MacAddress, MonotonicMs
from tests.support.site import Story, an_offer

NOW = MonotonicMs(10_000_000)


def a_try(
    mac: str = "a", place: str = "10.0.0.5", *, kind: TryKind = TryKind.CODE, ago_ms: int = 0
) -> Try:
    return Try(kind, MacAddress(mac), place, MonotonicMs(NOW - ago_ms))


def a_storm(count: int) -> list[Try]:
    """Wrong codes, each from a device and an address of its own."""
    return [a_try(f"guesser {n}", f"10.1.{n // 250}.{n % 250}") for n in range(count)]


@pytest.mark.parametrize(("wrong", "spent"), [(4, False), (5, True)])
def test_a_device_has_five_wrong_codes(wrong: int, spent: bool) -> None:  # noqa: FBT001 - a table
    before = [a_try(place=f"10.0.0.{n}") for n in range(wrong)]

    assert too_many(before, a_try()) is spent


@pytest.mark.parametrize(("wrong", "spent"), [(9, False), (10, True)])
def test_an_address_has_ten(wrong: int, spent: bool) -> None:  # noqa: FBT001 - a table
    before = [a_try(f"device {n}") for n in range(wrong)]

    assert too_many(before, a_try()) is spent


def test_after_fifteen_minutes_a_try_is_over() -> None:
    just_before = [a_try(ago_ms=tries.WINDOW_MS - 1)] * 5
    over = [a_try(ago_ms=tries.WINDOW_MS)] * 5

    assert (too_many(just_before, a_try()), too_many(over, a_try())) == (True, False)


def test_a_storm_leaves_everybody_one_try() -> None:
    storm = a_storm(tries.CODES_PER_SITE_MAX)

    assert not too_many(storm, a_try())
    assert too_many([*storm, a_try(place="10.0.0.9")], a_try())
    assert too_many(storm, replace(storm[0], place="10.0.0.9"))


def test_before_the_storm_a_second_try_is_fine() -> None:
    storm = a_storm(tries.CODES_PER_SITE_MAX - 2)

    assert not too_many([*storm, a_try()], a_try())


def test_there_is_a_number_above_which_all_wait() -> None:
    assert not too_many(a_storm(tries.CODES_IN_ALL_MAX - 1), a_try())
    assert too_many(a_storm(tries.CODES_IN_ALL_MAX), a_try())


def test_codes_and_orders_do_not_count_for_each_other() -> None:
    orders = [a_try(place=f"{n}", kind=TryKind.ORDER) for n in range(4)] * 5

    assert not too_many(orders, a_try())


@pytest.mark.parametrize(("placed", "spent"), [(9, False), (10, True)])
def test_a_device_has_ten_orders(placed: int, spent: bool) -> None:  # noqa: FBT001 - a table
    before = [a_try(place="254712345678", kind=TryKind.ORDER)] * placed

    assert too_many(before, a_try(place="254712345678", kind=TryKind.ORDER)) is spent


def test_a_device_rings_five_phones_and_those_again() -> None:
    before = [a_try(place=f"25471234567{n}", kind=TryKind.ORDER) for n in range(5)]

    assert too_many(before, a_try(place="254712345679", kind=TryKind.ORDER))
    assert not too_many(before, a_try(place="254712345670", kind=TryKind.ORDER))


@pytest.mark.parametrize(("placed", "spent"), [(239, False), (240, True)])
def test_a_site_has_240_orders(placed: int, spent: bool) -> None:  # noqa: FBT001
    before = [a_try(f"device {n}", f"{n}", kind=TryKind.ORDER) for n in range(placed)]

    assert too_many(before, a_try(kind=TryKind.ORDER)) is spent


def test_orders_beyond_the_bound_are_not_taken_whoever_asks() -> None:
    story = Story()
    state = story.state
    for n in range(tries.ORDERS_PER_SITE_MAX + 5):
        event = Ordered(
            OrderId(f"o{n}"), an_offer(), Msisdn(f"2547{n:08d}"), MacAddress(f"device {n}")
        )
        state, _ = decide(state, event, story.now())

    assert len(state.orders) == tries.ORDERS_PER_SITE_MAX


PAID = {
    "by word": "1 | answer o1 paid |",
    "by a grant": "2 | grant g1 for=a cause=o1 | open a g1 10.0.0.5",
}


@pytest.mark.parametrize("how", PAID)
def test_an_order_that_is_paid_counts_no_more(how: str) -> None:
    story = Story()
    story.tell("0 | seen a 10.0.0.5 |\n0 | order o1 a |")
    before = len(story.state.tries)
    story.tell(PAID[how])

    assert (before, len(story.state.tries)) == (1, 0)


def test_an_order_that_came_to_nothing_counts() -> None:
    story = Story()
    story.tell("0 | order o1 a |\n1 | answer o1 refused |")

    assert len(story.state.tries) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400_000)), max_size=80))
def test_no_more_is_remembered_than_counts(steps: list[tuple[int, int]]) -> None:
    state, mono = State(), NOW
    for device, ms in steps:
        mono = MonotonicMs(mono + ms)
        attempt = replace(a_try(f"device {device}"), at=mono)
        now = replace(Story().now(), mono=mono)
        state, _ = decide(state, Tried(attempt), now)

        assert all(mono - one.at < tries.WINDOW_MS for one in state.tries.values())
        assert attempt in state.tries.values()


def a_secret(name: str = "wanjiku", *, ago_ms: int = 0) -> Try:
    return a_try(place=f"{name} at tower-1", kind=TryKind.LOGIN, ago_ms=ago_ms)


def wrong_secrets(*ago_ms: int, key: str = "line") -> dict[str, Try]:
    return {f"{key} {n}": a_secret(ago_ms=ago) for n, ago in enumerate(ago_ms)}


def test_a_login_has_ten_wrong_secrets_then_one_a_minute() -> None:
    nine, ten = wrong_secrets(*[1_000] * 9), wrong_secrets(*[60_000] * 9, 59_999)

    assert tries.slot(nine, "line", NOW) == "line 9"
    assert tries.slot(ten, "line", NOW) is None
    assert tries.slot(ten, "other", NOW) == "other 0"
    assert tries.slot(ten, "line", MonotonicMs(NOW + 1)) == "line 0"


def test_a_wrong_secret_takes_the_place_of_one_that_is_over_or_of_the_oldest() -> None:
    one_over = wrong_secrets(*[70_000] * 5, tries.WINDOW_MS, *[70_000] * 4)
    oldest = wrong_secrets(*[70_000] * 5, 80_000, *[70_000] * 4)

    assert tries.slot(one_over, "line", NOW) == "line 5"
    assert tries.slot(oldest, "line", NOW) == "line 5"


def test_a_site_remembers_so_many_wrong_secrets_and_looks_at_no_stranger_above_it() -> None:
    storm = {f"{n}": a_secret() for n in range(tries.LOGINS_PER_SITE_MAX)}
    over = {f"{n}": a_secret(ago_ms=tries.WINDOW_MS) for n in range(tries.LOGINS_PER_SITE_MAX)}

    assert tries.is_stormy(storm, NOW)
    assert not tries.is_stormy(dict(list(storm.items())[1:]), NOW)
    assert not tries.is_stormy(over, NOW)
