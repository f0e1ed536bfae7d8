"""Rates, times, addresses and phones, as routers and people write them. PURE.

A rate limit is ``rx[/tx] [burst [threshold [time [priority [least]]]]]``: upload first, k is a
thousand, a missing second half is as the first, a missing threshold is the rate itself, a missing
time is one second. Source: MikroTik's manual, RADIUS, Mikrotik-Rate-Limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from billing.plan import BURST_MAX_BYTES, Burst

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_RATE = re.compile(r"([0-9]{1,12})([kMG]?)", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4})w)?(?:(\d{1,5})d)? ?(\d{1,5}):(\d\d)(?::(\d\d))?", re.ASCII)
_SPAN = re.compile(
    r"(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII
)
_SIZES_S = (604_800, 86_400, 3_600, 60, 1)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)
_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+?254[ -]?|0)?[17][0-9](?:[ -]?[0-9]){7}(?![0-9A-Za-z])")
_PREFIXED = re.compile(r"(?:\+|0|254).*", re.DOTALL)
PARTS_MAX = 6


@dataclass(frozen=True, slots=True)
class Speeds:
    """Bits per second each way, and the burst before them."""

    down_bps: int
    up_bps: int
    burst: Burst | None = None


def rate_bps(text: str) -> int | None:
    """Bits per second of ``2M`` or ``2000000``; None for what is no rate."""
    found = _RATE.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def seconds(text: str) -> int | None:
    """Seconds of ``1h30m``, ``00:30:00``, ``1d 02:00:00`` or ``90``; None for what is no time."""
    if text.isascii() and text.isdigit():
        return int(text)
    found = _CLOCK.fullmatch(text) or _SPAN.fullmatch(text)
    if not text or found is None:
        return None
    return sum(int(n or 0) * size for n, size in zip(found.groups(), _SIZES_S, strict=True))


def speeds(text: str) -> Speeds | None:
    """What a rate limit means; None for what is none. Zero means no limit, and so no speed."""
    parts = text.split()
    if not 1 <= len(parts) <= PARTS_MAX:
        return None
    rates = [_pair(part, rate_bps) for part in parts[:3]]
    times = _pair(parts[3], seconds) if len(parts) > 3 else (1, 1)  # noqa: PLR2004 - its place
    if None in rates or times is None:
        return None
    rate, high, threshold = (*rates, None, None)[:3]
    if rate is None or not all(rate):
        return None
    return _with_burst(rate, high, threshold or rate, times)


def queue_speeds(row: dict[str, str]) -> Speeds | None:
    """What a simple queue shapes to; None where it has no limit, or one that cannot be read."""
    rate = _pair(row.get("max-limit", ""), rate_bps)
    high = _pair(row.get("burst-limit", "0/0"), rate_bps)
    threshold = _pair(row.get("burst-threshold", "0/0"), rate_bps)
    times = _pair(row.get("burst-time", "0s/0s"), seconds)
    if rate is None or not all(rate) or high is None or threshold is None or times is None:
        return None
    return _with_burst(rate, high, threshold, times)


def _pair(text: str, read: Callable[[str], int | None]) -> tuple[int, int] | None:
    up, slash, down = text.partition("/")
    sides = read(up), read(down if slash else up)
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _with_burst(
    rate: tuple[int, int],
    high: tuple[int, int] | None,
    threshold: tuple[int, int],
    times: tuple[int, int],
) -> Speeds:
    """A burst lets threshold times time through; ours has one size for both ways, the larger."""
    up, down = rate
    if high is None or not (high[0] > up or high[1] > down):
        return Speeds(down, up)
    size = max(bps * time // 8 for bps, time in zip(threshold, times, strict=True))
    if not size:
        return Speeds(down, up)
    return Speeds(down, up, Burst(max(high[1], down), max(high[0], up), min(size, BURST_MAX_BYTES)))


def mac(text: str) -> str | None:
    """A device's address in small letters; None for what is none, or is many devices'."""
    found = text.lower().replace("-", ":")
    many = _MAC.fullmatch(found) is None or int(found[:2], 16) & 1 or found == "00:" * 5 + "00"
    return None if many else found


def one_address(text: str) -> IPv4Address | None:
    """The one address that a queue is for; None for networks, interfaces, and several."""
    try:
        network = IPv4Network(text)
    except ValueError:
        return None
    return network.network_address if network.prefixlen == 32 else None  # noqa: PLR2004 - a host


def phones(*texts: str, bare: bool = True) -> list[str]:
    """The different phones that texts tell, in normal form; ``bare``: also such as 712345678."""
    found: dict[str, None] = {}
    for text in texts:
        for one in _PHONE.findall(text):
            if not bare and not _PREFIXED.match(one):
                continue
            try:
                found[parse_msisdn(one)] = None
            except InvalidField:
                continue
    return list(found)


def without_phones(text: str) -> str:
    """A text without the phones in it, and what stood around them."""
    return re.sub(r"\s+", " ", _PHONE.sub(" ", text)).strip(" ,;:/-()")
