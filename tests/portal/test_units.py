"""Bytes, rates, clocks and prices as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from portal.captive import units
from portal.captive.text import Tongue
from tests.support.portal import GB, an_offer

EN, SW = Tongue("en"), Tongue("sw")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_500_000, "1.5 MB"),
        (GB - 1, "999.99 MB"),
        (GB, "1 GB"),
        (1_050_000_000, "1.05 GB"),
        (12 * 10**12, "12 TB"),
        (10**15, "1,000 TB"),
    ],
)
def test_bytes_are_said_in_decimal_units_rounded_down(count: int, words: str) -> None:
    assert units.volume(count) == words


@given(st.integers(0, 10**15))
def test_what_is_said_is_never_more_than_there_is(count: int) -> None:
    number, unit = units.volume(count).replace(",", "").split()
    scale = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
    whole, _, rest = number.partition(".")
    said = int(whole) * scale + int((rest + "00")[:2]) * scale // 100

    assert said <= count < said + max(1, scale // 100)


@pytest.mark.parametrize(
    ("bps", "words"),
    [(8_000, "8 kbps"), (512_000, "512 kbps"), (5_000_000, "5 Mbps"), (10**9, "1 Gbps")],
)
def test_rates_are_said_as_packages_are_advertised(bps: int, words: str) -> None:
    assert units.rate(bps) == words


def test_shillings_are_written_as_phones_write_them() -> None:
    assert units.price(Money(1_500_00)) == "KSh 1,500"


def test_other_currencies_keep_their_code() -> None:
    assert units.price(Money(12_50, "USD")) == "USD 12.50"


@pytest.mark.parametrize(
    ("seconds", "english", "kiswahili"),
    [
        (0, "0 seconds", "sekunde 0"),
        (45, "45 seconds", "sekunde 45"),
        (60, "1 minute", "dakika 1"),
        (5_400, "1 hour 30 minutes", "saa 1 dakika 30"),
        (86_400, "24 hours", "saa 24"),
        (7 * 86_400, "7 days", "siku 7"),
        (2 * 86_400 + 3_600, "2 days 1 hour", "siku 2 saa 1"),
    ],
)
def test_durations_are_said_in_two_units_at_most(
    seconds: int, english: str, kiswahili: str
) -> None:
    assert (units.duration(seconds, EN), units.duration(seconds, SW)) == (english, kiswahili)


@pytest.mark.parametrize(("seconds", "face"), [(0, "0:00"), (249, "4:09"), (3_723, "1:02:03")])
def test_time_left_is_shown_as_a_clock(seconds: int, face: str) -> None:
    assert units.clock(seconds) == face


def test_an_allowance_names_every_limit() -> None:
    offer = an_offer(quota_bytes=GB, uptime_s=7_200, validity_s=7 * 86_400)

    assert units.allowance(offer, EN) == "1 GB · 2 hours of use · 7 days"


def test_an_end_today_is_the_hour_in_nairobi() -> None:
    until = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

    assert units.end(until, 60, EN) == "12:30"


def test_an_end_on_another_day_names_the_day() -> None:
    until = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)  # already the 3rd in Nairobi

    assert units.end(until, 7_200, SW) == "Jnne 3 Mac, 00:30"


def test_a_masked_number_is_written_as_in_kenya() -> None:
    assert units.phone("2547••••678") == "07••\N{NO-BREAK SPACE}•••\N{NO-BREAK SPACE}678"


def test_a_number_without_shape_stays_as_it_is() -> None:
    assert units.phone("••••") == "••••"
