"""What is left never rises with use, and is never negative."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.grant import Grant, Spent, most
from billing.ids import GrantId, PlanId
from billing.plan import Limits
from billing.quota import (
    OUTAGE_MIN_S,
    SLICE_MIN_BYTES,
    SLICE_MIN_S,
    Allowance,
    Ended,
    Left,
    Share,
    ended,
    exposure_bytes,
    left,
    topped_up,
)

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


allowances = st.builds(Allowance, bounds, bounds)
shares = st.lists(
    st.builds(Share, st.builds(Allowance, amounts, amounts), spents, st.booleans()), max_size=4
)
limited = st.builds(
    Limits,
    st.integers(8_000, 10**9),
    st.integers(8_000, 10**9),
    validity_s=st.none(),
    uptime_s=bounds,
    quota_bytes=st.integers(1, 10**15),
    devices_max=st.just(1),
)
A_MONTH = limits(validity_s=2_592_000, quota_bytes=200 * 10**9)


@given(every_limit, spents, allowances, spents)
def test_an_allowance_never_gives_more_than_the_grant(
    allowed: Limits, spent: Spent, allowance: Allowance, own: Spent
) -> None:
    whole, here = left(allowed, spent), left(allowed, spent, allowance=allowance, own=own)

    assert whole.seconds is None or (here.seconds or 0) <= whole.seconds
    assert whole.bytes is None or (here.bytes or 0) <= whole.bytes


ALLOWED = """
    quota spent | allowance own | end
    100   40    | 50        40  | -
    100   50    | 50        50  | allowance
    100   100   | 50        50  | data
    100   90    | 50        20  | -
    -     90    | 50        50  | allowance
    -     90    | -         90  | -
"""


@pytest.mark.parametrize("row", ALLOWED.strip().splitlines()[1:])
def test_a_site_stops_at_its_allowance_and_says_which_end_it_is(row: str) -> None:
    quota, spent, allowance, own, end = row.replace("|", " ").split()
    grant = a_grant(limits(validity_s=100, quota_bytes=number(quota)))
    here = Allowance(bytes=number(allowance))
    why = ended(
        grant,
        Spent(used_bytes=int(spent)),
        allowance=here,
        own=Spent(used_bytes=int(own)),
    )

    assert str(why or "-") == end


def test_connected_time_is_sliced_too() -> None:
    grant = a_grant(limits(uptime_s=3_600))
    here = Allowance(uptime_s=1_800)

    assert ended(grant, Spent(0, 1_800), allowance=here, own=Spent(0, 1_799)) is None
    assert ended(grant, Spent(0, 1_800), allowance=here, own=Spent(0, 1_800)) is Ended.ALLOWANCE


@given(limited, shares, spents, st.integers(0, 10**6))
def test_slices_of_sites_that_answer_never_exceed_the_grant(
    allowed: Limits, others: list[Share], own: Spent, outage_s: int
) -> None:
    online = [Share(share.allowance, share.own, online=True) for share in others]
    mine = Share(Allowance(own.used_bytes, own.uptime_s), own, online=True)
    given = topped_up(allowed, [*online, mine], mine=mine, outage_s=outage_s)
    after = [*online, Share(given, own, online=True)]
    before = exposure_bytes(allowed, [*online, mine], interval_s=0)

    assert exposure_bytes(allowed, after, interval_s=0) == before


@given(limited, shares, spents, spents, st.integers(0, 10**6))
def test_an_allowance_never_falls_and_asking_again_changes_nothing(
    allowed: Limits, others: list[Share], held: Spent, own: Spent, outage_s: int
) -> None:
    mine = Share(Allowance(held.used_bytes, held.uptime_s), own, online=True)
    once = topped_up(allowed, [*others, mine], mine=mine, outage_s=outage_s)
    again = Share(once, own, online=True)
    twice = topped_up(allowed, [*others, again], mine=again, outage_s=outage_s)

    assert once.bytes is not None
    assert once.bytes >= held.used_bytes
    assert twice == once


def test_a_new_site_gets_a_day_at_full_speed_and_no_more() -> None:
    mine = Share(Allowance(0, 0), Spent(), online=True)
    slow = replace(A_MONTH, down_bps=4_000_000, up_bps=1_000_000)
    given = topped_up(slow, [mine], mine=mine, outage_s=600)

    assert given == Allowance(bytes=5_000_000 // 8 * OUTAGE_MIN_S, uptime_s=None)


def test_a_site_with_long_outages_gets_more() -> None:
    mine = Share(Allowance(0, 0), Spent(), online=True)
    given = topped_up(A_MONTH, [mine], mine=mine, outage_s=3 * OUTAGE_MIN_S)
    less = topped_up(A_MONTH, [mine], mine=mine, outage_s=OUTAGE_MIN_S)

    assert (given.bytes or 0) == 3 * (less.bytes or 0) >= SLICE_MIN_BYTES


def test_a_grant_of_connected_time_is_handed_out_in_slices() -> None:
    mine = Share(Allowance(0, 0), Spent(), online=True)
    given = topped_up(limits(uptime_s=10**6), [mine], mine=mine, outage_s=0)

    assert (given.uptime_s or 0) == OUTAGE_MIN_S >= SLICE_MIN_S


def test_what_only_a_silent_site_holds_is_lent_once_more_and_the_loss_is_known() -> None:
    allowed = limits(quota_bytes=10**9)
    silent = Share(Allowance(10**9), Spent(used_bytes=3 * 10**8), online=False)
    fresh = Share(Allowance(0), Spent(), online=True)
    lent = topped_up(allowed, [silent, fresh], mine=fresh, outage_s=0)
    after = [silent, Share(lent, Spent(), online=True)]
    kept = topped_up(allowed, [replace(silent, online=True), fresh], mine=fresh, outage_s=0)

    assert kept.bytes == 0
    assert lent.bytes == SLICE_MIN_BYTES + 122_800_000
    assert exposure_bytes(allowed, after, interval_s=10) == lent.bytes + 2 * 2_000 * 10


@given(limited, shares, st.lists(amounts, min_size=4, max_size=4))
def test_no_use_within_allowances_goes_beyond_the_exposure(
    allowed: Limits, parts: list[Share], uses: list[int]
) -> None:
    used = [
        max(share.own.used_bytes, min(use, share.allowance.bytes or 0))
        for share, use in zip(parts, uses, strict=False)
    ]
    before = sum(share.own.used_bytes for share in parts)
    beyond = sum(used) - max(before, allowed.quota_bytes or 0)

    assert beyond <= exposure_bytes(allowed, parts, interval_s=0)


def test_without_a_quota_nothing_can_be_exceeded() -> None:
    share = Share(Allowance(10**9), Spent(), online=False)

    assert exposure_bytes(limits(validity_s=1), [share], interval_s=10) == 0


def number(cell: str) -> int | None:
    return None if cell == "-" else int(cell)
