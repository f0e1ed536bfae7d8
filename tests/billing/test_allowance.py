"""Slices of a grant: big enough for a day alone, and never more out than the loss allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.grant import Spent
from billing.plan import Burst, Limits, Step, Window
from billing.quota import (
    CRUMB_BYTES,
    OUTAGE_MIN_S,
    SLICE_MIN_BYTES,
    Allowance,
    Share,
    exposure_bytes,
    handed_out,
    late_bytes,
    overhang_bytes,
    topped_up,
)

GB = 10**9
PLAN = Limits(4_000_000, 2_000_000, None, None, GB, 2)
HOURS = Limits(4_000_000, 2_000_000, None, 7_200, None, 2)
amounts = st.integers(0, 2 * GB)
allowances = st.builds(Allowance, st.none() | amounts, st.none())
shares_of_grants = st.lists(
    st.builds(Share, allowances, st.builds(Spent, used_bytes=amounts), online=st.booleans()),
    min_size=1,
    max_size=4,
)


def a_share(
    handed: int | None = None, used: int = 0, *, online: bool = True, uptime: int | None = None
) -> Share:
    return Share(Allowance(handed, uptime), Spent(used_bytes=used), online=online)


def bytes_of(after: tuple[Allowance, ...]) -> list[int | None]:
    return [allowance.bytes for allowance in after]


def test_one_site_alone_is_handed_what_the_grant_has() -> None:
    assert handed_out(PLAN, [a_share()], mine=0, outage_s=0) == (Allowance(GB, None),)


def test_a_slice_is_a_day_at_full_speed_where_the_grant_has_more() -> None:
    vast = replace(PLAN, quota_bytes=10**15)
    day = 6_000_000 // 8 * OUTAGE_MIN_S

    assert handed_out(vast, [a_share()], mine=0, outage_s=0) == (Allowance(day, None),)
    assert handed_out(vast, [a_share()], mine=0, outage_s=2 * OUTAGE_MIN_S) == (
        Allowance(2 * day, None),
    )


def test_a_slice_is_topped_up_only_when_less_than_half_is_left() -> None:
    vast = replace(PLAN, quota_bytes=10**15)
    day = 6_000_000 // 8 * OUTAGE_MIN_S
    half = [a_share(day, day // 2)]
    less = [a_share(day, day // 2 + 1)]

    assert topped_up(vast, half, mine=half[0], outage_s=0).bytes == day
    assert topped_up(vast, less, mine=less[0], outage_s=0).bytes == day // 2 + 1 + day


def test_a_site_that_answers_gives_half_of_what_it_holds_to_the_next() -> None:
    after = handed_out(PLAN, [a_share(GB, 200_000_000), a_share()], mine=1, outage_s=0)

    assert bytes_of(after) == [600_000_000, 400_000_000]


def test_connected_time_moves_with_the_device_too() -> None:
    held = Share(Allowance(None, 7_200), Spent(uptime_s=1_200), online=True)
    after = handed_out(HOURS, [held, a_share()], mine=1, outage_s=0)

    assert after == (Allowance(None, 4_200), Allowance(None, 3_000))


def test_nobody_is_asked_while_the_site_has_enough() -> None:
    shares = [a_share(GB - SLICE_MIN_BYTES), a_share(SLICE_MIN_BYTES)]

    assert bytes_of(handed_out(PLAN, shares, mine=1, outage_s=0)) == [
        GB - SLICE_MIN_BYTES,
        SLICE_MIN_BYTES,
    ]


def test_no_more_sites_are_asked_than_it_takes() -> None:
    shares = [a_share(GB // 2), a_share(GB // 2), a_share()]

    assert bytes_of(handed_out(PLAN, shares, mine=2, outage_s=0)) == [
        GB // 4,
        GB // 2,
        GB // 4,
    ]


def test_a_crumb_is_given_whole() -> None:
    shares = [a_share(GB, GB - CRUMB_BYTES), a_share()]

    assert bytes_of(handed_out(PLAN, shares, mine=1, outage_s=0)) == [
        GB - CRUMB_BYTES,
        CRUMB_BYTES,
    ]


def test_who_holds_nothing_gives_nothing() -> None:
    shares = [a_share(10, 10), a_share(), a_share(GB)]

    assert bytes_of(handed_out(PLAN, shares, mine=1, outage_s=0)) == [10, GB // 2, GB // 2]


def test_what_a_silent_site_holds_is_lent_once_more_and_shown_as_exposure() -> None:
    shares = [a_share(GB, online=False), a_share()]
    after = handed_out(PLAN, shares, mine=1, outage_s=0)
    now = [replace(s, allowance=a) for s, a in zip(shares, after, strict=True)]

    assert bytes_of(after) == [GB, GB]
    assert overhang_bytes(PLAN, now) == GB
    assert exposure_bytes(PLAN, now, interval_s=5) == GB + 2 * 5 * 750_000


def test_a_grant_without_a_quota_exceeds_none() -> None:
    assert overhang_bytes(HOURS, [a_share(uptime=7_200)]) == 0
    assert exposure_bytes(HOURS, [a_share(uptime=7_200)], interval_s=5) == 0


@pytest.mark.parametrize(
    ("limits", "late"),
    [
        (PLAN, 750_000),
        (replace(PLAN, burst=Burst(8_000_000, 4_000_000, 10**7)), 1_500_000),
        (replace(PLAN, windows=(Window(0, 60, 16_000_000, 8_000_000),)), 3_000_000),
        (replace(PLAN, steps=(Step(1, 1_000_000, 1_000_000),)), 750_000),
    ],
)
def test_the_highest_speed_bounds_what_passes_in_one_interval(limits: Limits, late: int) -> None:
    assert late_bytes(limits, interval_s=1) == late


@given(shares_of_grants, st.integers(0, 3), st.integers(0, 10 * OUTAGE_MIN_S))
def test_handing_out_is_bounded_and_takes_nothing_that_is_used(
    shares: list[Share], mine: int, outage_s: int
) -> None:
    mine %= len(shares)
    after = handed_out(PLAN, shares, mine=mine, outage_s=outage_s)
    now = [replace(s, allowance=a) for s, a in zip(shares, after, strict=True)]
    silent = sum(
        max(0, (s.allowance.bytes or 0) - s.own.used_bytes)
        for n, s in enumerate(shares)
        if n != mine and not s.online
    )

    assert overhang_bytes(PLAN, now) <= max(overhang_bytes(PLAN, shares), silent)
    for n, (share, allowance) in enumerate(zip(shares, after, strict=True)):
        if n != mine and not share.online:
            assert allowance == share.allowance
        if allowance.bytes is not None and share.allowance.bytes is not None:
            assert allowance.bytes >= min(share.own.used_bytes, share.allowance.bytes)


@given(shares_of_grants, st.integers(0, 3))
def test_a_site_gets_something_while_anything_is_left(shares: list[Share], mine: int) -> None:
    mine %= len(shares)
    shares = [replace(share, online=True) for share in shares]
    used = sum(share.own.used_bytes for share in shares)
    after = handed_out(PLAN, shares, mine=mine, outage_s=0)[mine].bytes
    assert after is not None
    others = [share for n, share in enumerate(shares) if n != mine]
    held = sum(max(0, (s.allowance.bytes or 0) - s.own.used_bytes) for s in others)

    if GB - used - held > 0:
        assert after > shares[mine].own.used_bytes


def test_handing_out_again_changes_nothing() -> None:
    shares = [a_share(GB, 200_000_000), a_share()]
    once = handed_out(PLAN, shares, mine=1, outage_s=0)
    now = [replace(s, allowance=a) for s, a in zip(shares, once, strict=True)]

    assert handed_out(PLAN, now, mine=1, outage_s=0) == once
    assert handed_out(PLAN, now, mine=0, outage_s=0) == once
