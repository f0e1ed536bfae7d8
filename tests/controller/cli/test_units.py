"""Durations, sizes and rates as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from controller.cli import units


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("45s", 45),
        ("30m", 1_800),
        ("2h", 7_200),
        ("1d12h", 129_600),
        ("1 d 2 h", 93_600),
        ("1W", 604_800),
    ],
)
def test_a_duration_is_whole_seconds(typed: str, seconds: int) -> None:
    assert units.duration_s(typed) == seconds


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("1.5G", 1_500_000_000),
        ("2GiB", 2_147_483_648),
        ("1.5KiB", 1_536),
        ("100000", 100_000),
    ],
)
def test_a_size_is_whole_bytes(typed: str, amount: int) -> None:
    assert units.size_bytes(typed) == amount


@pytest.mark.parametrize(
    ("typed", "bps"),
    [
        ("3M", 3_000_000),
        ("512k", 512_000),
        ("2.5Mbps", 2_500_000),
        ("1 Gbit/s", 10**9),
        ("64000", 64_000),
    ],
)
def test_a_rate_is_whole_bits_per_second(typed: str, bps: int) -> None:
    assert units.rate_bps(typed) == bps


@pytest.mark.parametrize("typed", ["", "2", "h", "-2h", "2.5h", "2 weeks", "٣h", "9" * 16 + "h"])
def test_what_is_no_duration_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField, match="duration"):
        units.duration_s(typed)


@pytest.mark.parametrize("typed", ["", "MB", "-5MB", "5XB", "1.2345M", "1e9", "5 5x"])
def test_what_is_no_size_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField, match="size"):
        units.size_bytes(typed)


@pytest.mark.parametrize("typed", ["", "fast", "-3M", "3T", "3MB/h"])
def test_what_is_no_rate_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField, match="rate"):
        units.rate_bps(typed)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_a_refusal(typed: str) -> None:
    for read in (units.duration_s, units.size_bytes, units.rate_bps):
        try:
            assert read(typed) >= 0
        except InvalidField as refusal:
            assert refusal.problem  # noqa: PT017 - either is right
