"""Rates, times and phones as routers and people write them."""

from __future__ import annotations

import pytest

from billing.plan import Burst
from controller.importing.texts import (
    Speeds,
    mac,
    one_address,
    phones,
    queue_speeds,
    seconds,
    speeds,
    without_phones,
)

M = 1_000_000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("128k", Speeds(128_000, 128_000)),
        ("64k/128M", Speeds(128 * M, 64_000)),
        ("2000000/5000000", Speeds(5 * M, 2 * M)),
        ("64k 256k", Speeds(64_000, 64_000, Burst(256_000, 256_000, 8_000))),
        (
            "64k/64k 256k/256k 128k/128k 10/10",
            Speeds(64_000, 64_000, Burst(256_000, 256_000, 160_000)),
        ),
        (
            "2M/8M 4M/16M 1M/6M 16/16 8 512k/2M",
            Speeds(8 * M, 2 * M, Burst(16 * M, 4 * M, 12 * M)),
        ),
        ("2M/2M 1M/1M", Speeds(2 * M, 2 * M)),
        ("2M/2M 0/0 0/0 0/0", Speeds(2 * M, 2 * M)),
        ("", None),
        ("0/0", None),
        ("fast", None),
        ("2M/", None),
        ("2M/2M x", None),
        ("-2M", None),
        ("1 2 3 4 5 6 7", None),
        ("2M/2M 4M/4M 1M/1M soon", None),
    ],
)
def test_a_rate_limit_is_upload_first(text: str, meant: Speeds | None) -> None:
    assert speeds(text) == meant


def test_a_queue_is_upload_first_and_bursts() -> None:
    row = {"max-limit": "2000000/5000000", "burst-limit": "4000000/10000000"}
    row |= {"burst-threshold": "1000000/4000000", "burst-time": "8s/8s"}

    assert queue_speeds(row) == Speeds(5 * M, 2 * M, Burst(10 * M, 4 * M, 4 * M))
    assert queue_speeds({"max-limit": "2M/5M"}) == Speeds(5 * M, 2 * M)
    assert queue_speeds({"max-limit": "0/0"}) is None
    assert queue_speeds({}) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0s", 0),
        ("1h5m3s", 3_903),
        ("1w2d", 777_600),
        ("00:05:00", 300),
        ("1d02:00:00", 93_600),
        ("1d 02:00:00", 93_600),
        ("90", 90),
        ("", None),
        ("none", None),
        ("5 minutes", None),
        ("-1h", None),
    ],
)
def test_times(text: str, meant: int | None) -> None:
    assert seconds(text) == meant


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Jane 0712 345 678 plot 9", ["254712345678"]),
        ("+254712345678/house 4", ["254712345678"]),
        ("254 112 345678", ["254112345678"]),
        ("712345678", ["254712345678"]),
        ("0712345678 and 0712-345-678", ["254712345678"]),
        ("0712345678, 0722000000", ["254712345678", "254722000000"]),
        ("AB0712345678CD", []),
        ("07123456789", []),
        ("0812345678", []),
        ("2026-02-14", []),
    ],
)
def test_phones_in_what_people_write(text: str, found: list[str]) -> None:
    assert phones(text) == found


def test_a_name_is_what_is_not_the_phone() -> None:
    assert without_phones("Jane Wanjiku - 0712 345 678") == "Jane Wanjiku"
    assert without_phones("0712345678") == ""
    assert phones("712345678", bare=False) == []


def test_addresses_of_one_device() -> None:
    assert mac("AA-BB-CC-00-00-09") == "aa:bb:cc:00:00:09"
    assert mac("01:00:5E:00:00:01") is None
    assert mac("zz") is None
    assert str(one_address("10.5.50.9/32")) == "10.5.50.9"
    assert one_address("10.5.50.0/24") is None
    assert one_address("bridge") is None
    assert one_address("10.0.0.1/32,10.0.0.2/32") is None
