"""Durations, sizes, rates and days as people type them. PURE.

``2h30m`` is a duration, ``500MB`` a size, ``3M`` a rate. Multiples of sizes and rates are decimal,
as providers count; ``MiB`` and its like are binary. Everything comes out in whole units.
"""

from __future__ import annotations

import re
from datetime import datetime

from billing.errors import InvalidField
from controller.noc.text import NAIROBI

DURATION_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
DIGITS_MAX = 15

_DURATION = re.compile(rf"(?:[0-9]{{1,{DIGITS_MAX}}}[smhdw])+")
_SIZE = re.compile(rf"([0-9]{{1,{DIGITS_MAX}}})(?:\.([0-9]{{1,3}}))?([kmgt]i?)?b?")
_RATE = re.compile(
    rf"([0-9]{{1,{DIGITS_MAX}}})(?:\.([0-9]{{1,3}}))?([kmg])?(?:b(?:it)?(?:/s|ps)?)?"
)


def duration_s(text: str) -> int:
    """Whole seconds of ``45s``, ``2h``, ``1d12h``. Raises `InvalidField`."""
    compact = _compact(text)
    if not _DURATION.fullmatch(compact):
        raise InvalidField("duration", f"{text!r} is not like 30m, 2h or 1d12h")
    parts = re.findall(r"([0-9]+)([smhdw])", compact)
    return sum(int(number) * DURATION_UNITS_S[unit] for number, unit in parts)


def size_bytes(text: str) -> int:
    """Whole bytes of ``500MB``, ``1.5G``, ``2GiB``. Raises `InvalidField`."""
    match = _SIZE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("size", f"{text!r} is not like 500MB or 1.5GB")
    whole, part, multiple = match.groups()
    return _times(whole, part, {**DECIMAL, **BINARY}[multiple or ""])


def rate_bps(text: str) -> int:
    """Whole bits per second of ``3M``, ``512k``, ``2.5Mbps``. Raises `InvalidField`."""
    match = _RATE.fullmatch(_compact(text))
    if match is None:
        raise InvalidField("rate", f"{text!r} is not like 3M or 512k")
    whole, part, multiple = match.groups()
    return _times(whole, part, DECIMAL[multiple or ""])


def day(text: str) -> datetime:
    """When the day ``2027-01-31`` begins in Nairobi. Raises `InvalidField`."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=NAIROBI)
    except ValueError as error:
        raise InvalidField("day", f"{text!r} is not a day like 2027-01-31") from error


def _times(whole: str, part: str | None, unit: int) -> int:
    thousandths = int(whole) * 1_000 + int((part or "").ljust(3, "0"))
    return thousandths * unit // 1_000


def _compact(text: str) -> str:
    return text.replace(" ", "").lower()
