"""What is left never rises with use, and is never negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.grant import Grant, Spent, most
from billing.ids import GrantId, PlanId
from billing.plan import Limits
from billing.quota import Ended, Left, ended, left

amounts = st.integers(0, 10**15)
spents = st.builds(Spent, amounts, amounts, amounts)
bounds = st.none() | st.integers(1, 10**15)
every_limit = st.builds(
    Limits,
    st.just(8_000),
    st.just(8_000),
    validity_s=bounds,
    uptime_s=bounds,
    quota_bytes=bounds,
    devices_max=st.just(1),
)


def limits(
    *, validity_s: int | None = None, uptime_s: int | None = None, quota_bytes: int | None = None
) -> Limits:
    return Limits(8_000, 8_000, validity_s, uptime_s, quota_bytes, 1)


def a_grant(allowed: Limits, *, revoked: bool = False) -> Grant:
    return Grant(GrantId("0" * 32), PlanId("hour"), "One hour", allowed, (), revoked)


@given(every_limit, spents)
def test_what_is_left_is_never_negative(allowed: Limits, spent: Spent) -> None:
    remaining = left(allowed, spent)

    assert (remaining.seconds or 0) >= 0
    assert (remaining.bytes or 0) >= 0


@given(every_limit, spents, spents)
def test_what_is_left_never_rises_with_use(allowed: Limits, a: Spent, b: Spent) -> None:
    before, after = left(allowed, a), left(allowed, most(a, b))

    assert before.seconds is None or (after.seconds or 0) <= before.seconds
    assert before.bytes is None or (after.bytes or 0) <= before.bytes


@given(every_limit, spents)
def test_a_limit_that_is_not_there_does_not_bind(allowed: Limits, spent: Spent) -> None:
    remaining = left(allowed, spent)

    assert (remaining.seconds is None) == (allowed.validity_s is None and allowed.uptime_s is None)
    assert (remaining.bytes is None) == (allowed.quota_bytes is None)


@given(every_limit, spents)
def test_what_is_spent_and_what_is_left_make_the_whole(allowed: Limits, spent: Spent) -> None:
    remaining = left(allowed, spent)

    if remaining.bytes:
        assert remaining.bytes + spent.used_bytes == allowed.quota_bytes


@given(spents, spents)
def test_two_views_joined_lose_nothing_and_their_order_does_not_matter(a: Spent, b: Spent) -> None:
    assert most(a, b) == most(b, a) == most(most(a, b), a)


@pytest.mark.parametrize("field", ["validity_s", "uptime_s", "used_bytes"])
def test_nothing_is_spent_backwards(field: str) -> None:
    with pytest.raises(AssertionError):
        Spent(**{field: -1})


def test_the_nearer_clock_counts() -> None:
    assert left(limits(validity_s=100, uptime_s=50), Spent(70, 10, 0)) == Left(30, None)


ENDS = """
    validity uptime  quota | spent_v spent_u spent_b | end
    100      -       -     | 99      99      9       | -
    100      -       -     | 100     0       0       | time
    100      -       -     | 101     0       0       | time
    -        50      -     | 999     49      9       | -
    -        50      -     | 999     50      9       | time
    -        -       70    | 999     99      69      | -
    -        -       70    | 0       0       70      | data
    -        -       70    | 0       0       71      | data
    100      -       70    | 100     0       70      | time
    100      50      70    | 99      49      69      | -
"""


@pytest.mark.parametrize("row", ENDS.strip().splitlines()[1:])
def test_a_grant_ends_on_the_second_and_on_the_byte(row: str) -> None:
    validity, uptime, quota, *spent, end = row.replace("|", " ").split()
    allowed = limits(
        validity_s=number(validity), uptime_s=number(uptime), quota_bytes=number(quota)
    )

    assert str(ended(a_grant(allowed), Spent(*map(int, spent))) or "-") == end


def test_a_revoked_grant_has_ended_whatever_is_left() -> None:
    assert ended(a_grant(limits(validity_s=100), revoked=True), Spent()) is Ended.REVOKED


def number(cell: str) -> int | None:
    return None if cell == "-" else int(cell)
