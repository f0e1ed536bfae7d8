"""Bytes, rates, clocks and prices as customers read them. PURE.

Integers only. What is left is always rounded down: nobody is promised a byte or second too many.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from billing.money import Money
    from portal.captive.gate import Offer
    from portal.captive.text import Tongue

EAT = timezone(timedelta(hours=3), "EAT")
"""East Africa Time: UTC+3 all year, so no time zone tables are needed on a box."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_BYTE_STEPS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_RATE_STEPS = ((10**9, "Gbps"), (10**6, "Mbps"), (10**3, "kbps"))


def volume(count: int) -> str:
    """Bytes in decimal units, rounded down to two decimals: ``1.5 GB``, ``999 B``."""
    return _scaled(count, _BYTE_STEPS, "B")


def rate(bps: int) -> str:
    """Bits per second as packages are advertised: ``5 Mbps``."""
    return _scaled(bps, _RATE_STEPS, "bps")


def price(amount: Money) -> str:
    """The price as phones in Kenya write it: ``KSh 1,500``; other currencies by their ISO code."""
    return str(amount).replace("KES", "KSh")


def clock(seconds: int) -> str:
    """Time left under a day, ticking: ``1:02:03`` or ``4:09``."""
    hours, rest = divmod(seconds, _HOUR_S)
    minutes, secs = divmod(rest, _MINUTE_S)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def duration(seconds: int, t: Tongue) -> str:
    """A length of time in its two largest units: ``24 hours``, ``7 days``, ``1 hour 30 minutes``.

    A day is said as 24 hours, so that nobody expects it to end at midnight.
    """
    if seconds >= 2 * _DAY_S:
        steps = ((_DAY_S, "day"), (_HOUR_S, "hour"))
    elif seconds >= _HOUR_S:
        steps = ((_HOUR_S, "hour"), (_MINUTE_S, "minute"))
    else:
        steps = ((_MINUTE_S, "minute"), (1, "second"))
    parts: list[str] = []
    for step, word in steps:
        count, seconds = divmod(seconds, step)
        if count:
            parts.append(t.counted(f"unit.{word}", count))
    return " ".join(parts) or t.counted("unit.second", 0)


def allowance(offer: Offer, t: Tongue) -> str:
    """What an offer lasts: its data, its time of use, and its calendar time."""
    parts: list[str] = []
    if offer.quota_bytes is not None:
        parts.append(volume(offer.quota_bytes))
    if offer.uptime_s is not None:
        parts.append(t("offer.uptime", time=duration(offer.uptime_s, t)))
    if offer.validity_s is not None:
        parts.append(duration(offer.validity_s, t))
    return " · ".join(parts)


def phone(masked: str) -> str:
    """A masked number as it is written in Kenya: ``07•• ••• 678``."""
    if not masked.startswith("254"):
        return masked
    no_break = "\N{NO-BREAK SPACE}"
    return f"0{masked[3]}••{no_break}•••{no_break}{masked[-3:]}"


def end(until: datetime, seconds_left: int | None, t: Tongue) -> str:
    """The end in East Africa Time: the hour alone when it falls on today's date.

    Today is where ``seconds_left`` before the end is, so no clock is asked.
    """
    local = until.astimezone(EAT)
    hour = f"{local:%H:%M}"
    now = local - timedelta(seconds=seconds_left or 0)
    if now.date() == local.date():
        return hour
    return f"{_day(local, t)}, {hour}"


def moment(at: datetime, t: Tongue) -> str:
    """A moment in East Africa Time, with its day: ``Fri 4 Dec, 22:00``."""
    local = at.astimezone(EAT)
    return f"{_day(local, t)}, {local:%H:%M}"


def span(start: datetime, end: datetime, t: Tongue) -> str:
    """From a moment until another, hours alone after the first day when it is the same day."""
    here, there = start.astimezone(EAT), end.astimezone(EAT)
    if (there - timedelta(minutes=1)).date() != here.date():
        return f"{_day(here, t)} {here:%H:%M} – {_day(there, t)} {there:%H:%M}"  # noqa: RUF001
    closing = f"{there:%H:%M}" if there.date() == here.date() else "24:00"
    return f"{_day(here, t)} {here:%H:%M}–{closing}"  # noqa: RUF001


def _day(local: datetime, t: Tongue) -> str:
    weekday = t(f"weekday.{local.isoweekday()}")
    return f"{weekday} {local.day} {t(f'month.{local.month}')}"


def _scaled(count: int, steps: tuple[tuple[int, str], ...], smallest: str) -> str:
    for step, unit in steps:
        if count >= step:
            whole, hundredths = divmod(count * 100 // step, 100)
            decimals = f".{hundredths:02d}".rstrip("0") if hundredths else ""
            return f"{whole:,}{decimals} {unit}"
    return f"{count} {smallest}"
