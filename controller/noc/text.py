"""Numbers, times and states as people read them on the staff page and in tables. PURE."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.plan import Limits

NAIROBI = timezone(timedelta(hours=3), "EAT")
"""The business zone: three hours ahead of UTC all year."""

_DECIMAL = ("", "k", "M", "G", "T", "P")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400

_SPANS = {
    "en": ("{} d {} h", "{} h {:02d} m", "{} m {:02d} s", "{} s"),
    "sw": ("siku {} saa {}", "saa {} dk {:02d}", "dk {} sek {:02d}", "sek {}"),
}
_AGO = {
    "en": ("{} d ago", "{} h ago", "{} min ago", "{} s ago"),
    "sw": ("siku {} zilizopita", "saa {} zilizopita", "dk {} zilizopita", "sek {} zilizopita"),
}


def rate(bps: int) -> str:
    """Bits per second, as plans say them: ``2.5 Mb/s``, ``640 kb/s``, ``0``."""
    return "0" if bps <= 0 else f"{_scaled(bps)}b/s"


def volume(amount_bytes: int) -> str:
    """Bytes in decimal multiples: ``1.2 GB``, ``512 MB``, ``0 B``."""
    return f"{_scaled(amount_bytes)}B"


def _scaled(amount: int) -> str:
    """Three figures at most and a decimal prefix; cut, never rounded up."""
    step = 0
    while step + 1 < len(_DECIMAL) and amount >= 1000 ** (step + 1):
        step += 1
    whole, rest = divmod(amount, 1000**step)
    tenth = rest * 10 // 1000**step
    figure = f"{whole}.{tenth}" if step and whole < 100 and tenth else f"{whole}"  # noqa: PLR2004
    return f"{figure} {_DECIMAL[step]}"


def span(seconds: int, *, language: str = "en") -> str:
    """A duration in its two largest parts: ``2 d 4 h``, ``1 h 05 m``, ``4 m 10 s``, ``9 s``."""
    days, hours, minutes, rest = _SPANS[language]
    if seconds >= _DAY_S:
        return days.format(seconds // _DAY_S, seconds % _DAY_S // _HOUR_S)
    if seconds >= _HOUR_S:
        return hours.format(seconds // _HOUR_S, seconds % _HOUR_S // _MINUTE_S)
    if seconds >= _MINUTE_S:
        return minutes.format(seconds // _MINUTE_S, seconds % _MINUTE_S)
    return rest.format(max(0, seconds))


def ago(then: datetime, now: datetime, *, language: str = "en") -> str:
    """How long ago, in one part, so that a still page hardly changes: ``4 s ago``, ``2 h ago``."""
    seconds = max(0, (now - then) // timedelta(seconds=1))
    for unit_s, said in zip((_DAY_S, _HOUR_S, _MINUTE_S), _AGO[language], strict=False):
        if seconds >= unit_s:
            return said.format(seconds // unit_s)
    return _AGO[language][-1].format(seconds)


def clock(at: datetime, now: datetime) -> str:
    """The time of day in Nairobi, with the date when it is not today's."""
    here, today = at.astimezone(NAIROBI), now.astimezone(NAIROBI).date()
    return f"{here:%H:%M:%S}" if here.date() == today else f"{here:%d %b %H:%M}"


def minute(at: datetime, now: datetime) -> str:
    """The same to the minute: ``14:02``, ``22 Nov 23:40``."""
    here, today = at.astimezone(NAIROBI), now.astimezone(NAIROBI).date()
    return f"{here:%H:%M}" if here.date() == today else f"{here:%d %b %H:%M}"


def midnight(now: datetime) -> datetime:
    """The last midnight in Nairobi: when the business day began."""
    return now.astimezone(NAIROBI).replace(hour=0, minute=0, second=0, microsecond=0)


def exposed(limits: Limits, most_bytes: int, *, silent: Sequence[str]) -> str:
    """How far the use of a grant can exceed its quota, as people say it."""
    if limits.quota_bytes is None:
        return "it has no quota to exceed"
    most = f"at most {volume(most_bytes)} beyond its {volume(limits.quota_bytes)}"
    if not silent:
        return f"{most}: every site answers"
    return f"{most}: {', '.join(silent)} cannot be asked"


def count(number: int, one: str, many: str) -> str:
    """``1 site``, ``1,204 sites``."""
    return f"{number:,} {one if number == 1 else many}"
