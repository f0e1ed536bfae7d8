"""How RouterOS writes durations, dates, rates and addresses, and what it takes for them. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date as date_type
from functools import lru_cache
from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

UNITS_US = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
SECOND_US = UNITS_US["s"]
RATE_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SIMPLE_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?\s*(\d+):(\d\d)(?::(\d\d))?")
SPAN = re.compile(r"(\d+)(ms|us|w|d|h|m|s)")
MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A RouterOS version: 6.49.18, 7.18.2."""

    major: int
    minor: int = 0
    patch: int = 0

    @classmethod
    def of(cls, text: str) -> Version:
        """The version that ``text`` names."""
        return cls(*(int(part) for part in text.split(".")))

    def __str__(self) -> str:
        return ".".join(
            str(n) for n in (self.major, self.minor, self.patch or None) if n is not None
        )


ISO_DATES = Version(7, 10)


def duration(us: int) -> str:
    """Microseconds as RouterOS prints them: ``1w2d3h4m5s``, ``170ms``, ``0s``."""
    parts, left = [], us
    for unit, size in UNITS_US.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def seconds(text: str) -> int:
    """A printed duration in whole seconds; what is no duration (``none``) is 0."""
    return (duration_us(text) or 0) // SECOND_US


@lru_cache(maxsize=4096)
def duration_us(text: str) -> int | None:
    """Microseconds of a duration as written by hand; None for what is none.

    Taken are ``1h30m``, ``00:30:00``, ``1d 02:00:00`` and plain seconds.
    """
    if text.isascii() and text.isdigit():
        return int(text) * SECOND_US
    if found := SIMPLE_TIME.fullmatch(text):
        w, d, h, m, s = (int(part or 0) for part in found.groups())
        return (((w * 7 + d) * 24 + h) * 3600 + m * 60 + s) * SECOND_US
    spans = SPAN.findall(text)
    if not spans or "".join(n + unit for n, unit in spans) != text.replace(" ", ""):
        return None
    return sum(int(n) * UNITS_US[unit] for n, unit in spans)


def rate_bps(text: str) -> int | None:
    """Bits per second of ``2M``, ``512k`` or ``2000000``; None for what is no rate."""
    found = re.fullmatch(r"(\d+)([kMG]?)", text)
    return int(found[1]) * RATE_UNITS[found[2]] if found else None


def date(moment: datetime, version: Version) -> str:
    """The day alone, as this version prints it."""
    if version >= ISO_DATES:
        return f"{moment:%Y-%m-%d}"
    return f"{MONTHS[moment.month - 1]}/{moment:%d/%Y}"


def day_of(text: str) -> date_type:
    """The day that either way of writing names. Raises ValueError."""
    month, slash, rest = text.partition("/")
    if not slash:
        return date_type.fromisoformat(text)
    day, _, year = rest.partition("/")
    return date_type(int(year), MONTHS.index(month.lower()) + 1, int(day))


def date_time(moment: datetime, version: Version) -> str:
    """Day and time of day, as this version prints them."""
    return f"{date(moment, version)} {moment:%H:%M:%S}"


def mac(text: str) -> str | None:
    """The address in capitals with colons; None for what is none."""
    return text.upper().replace("-", ":") if MAC.fullmatch(text) else None


@lru_cache(maxsize=16_384)
def prefix_text(text: str, *, host_bits: bool = True) -> str | None:
    """A network with its width, always: ``10.0.0.7`` is ``10.0.0.7/32``. None for what is none.

    With ``host_bits`` off, bits past the width are cleared, as lists of addresses do.
    """
    try:
        return str(ip_interface(text) if host_bits else ip_network(text, strict=False))
    except ValueError:
        return None


@lru_cache(maxsize=16_384)
def address_text(text: str) -> str | None:
    """An address, network or range, a width of one host left away. None for what is none."""
    first, dash, last = text.partition("-")
    if dash:
        ends = (address_text(first), address_text(last))
        return "-".join(end for end in ends if end) if all(ends) else None
    whole = prefix_text(text, host_bits=False)
    return whole.removesuffix("/32").removesuffix("/128") if whole else None


@lru_cache(maxsize=65_536)
def covers(pattern: str, address: str) -> bool:
    """Whether an address, network or range (``!`` in front: anything but it) holds ``address``."""
    if pattern.startswith("!"):
        return not covers(pattern[1:], address)
    first, dash, last = pattern.partition("-")
    try:
        it = ip_address(address)
        if dash:
            return int(ip_address(first)) <= int(it) <= int(ip_address(last))
        return it in ip_network(pattern, strict=False)
    except ValueError:
        return False


def yes(text: str | None) -> bool:
    """Whether a word means yes. Absent means no."""
    return text in ("true", "yes")


def truth(value: object) -> str:
    """A condition as it is printed."""
    return "true" if value else "false"


def pair(up: int, down: int) -> str:
    """Two figures as simple queues print them: upload first."""
    return f"{up}/{down}"


def commas(text: str) -> list[str]:
    """The parts of a comma list, blanks and empties left away."""
    return [part.strip() for part in text.split(",") if part.strip()]


def joined(parts: Iterable[str]) -> str:
    """Parts as a comma list."""
    return ",".join(parts)
