"""What time it is, as far as a box without a clock of its own can know. PURE.

A gateway may start in 1970 and jump 56 years once it hears from a time server; a dead battery can
also make it jump the other way. Paid time is therefore counted on the monotonic clock. The wall
clock decides only at which hours another speed holds, and when unsold vouchers lapse; and for these
a clock that cannot be right is not believed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.model import Instant
    from shaping.plane import MonotonicMs

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before this program was written it is never."""

PLAUSIBLE = timedelta(days=400)
"""A machine is not switched off for longer than this, and no right clock jumps farther."""

NAIROBI = timedelta(hours=3)
"""East Africa is three hours ahead of UTC, all year."""

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_MS = timedelta(milliseconds=1)


def believed(now: Instant, asleep_since: datetime | None) -> bool:
    """Whether the wall clock can be right."""
    return asleep_since is None and now.wall >= EARLIEST


def minute(now: Instant, asleep_since: datetime | None) -> int | None:
    """The minute of the day in Nairobi; None while nobody knows."""
    return _since_midnight(now) // _MINUTE if believed(now, asleep_since) else None


def past_minute_ms(now: Instant) -> int:
    """How far into that minute it is."""
    return _since_midnight(now) % _MINUTE // _MS


def no_earlier_than(
    now: Instant, asleep_since: datetime | None, woke_at: MonotonicMs
) -> datetime | None:
    """A moment that has passed for certain; None when nothing is known.

    While the clock is not believed, it is at least the last known time and what has run since.
    """
    if believed(now, asleep_since):
        return now.wall
    if asleep_since is None or asleep_since < EARLIEST:
        return None
    return asleep_since + (now.mono - woke_at) * _MS


def lapsed(
    expires_at: datetime | None,
    now: Instant,
    *,
    asleep_since: datetime | None,
    woke_at: MonotonicMs,
) -> bool:
    """Whether something that ends at ``expires_at`` is over for certain.

    A clock that cannot be right refuses nobody who holds a good voucher; and as the certain part
    of the time goes on while the box runs, it does not accept an old one for ever either.
    """
    if expires_at is None:
        return False
    certain = no_earlier_than(now, asleep_since, woke_at)
    return certain is not None and expires_at <= certain


def jumped(last: Instant, now: Instant) -> bool:
    """Whether the wall clock left what could be right, within one life of the machine."""
    by = now.wall - last.wall - (now.mono - last.mono) * _MS
    return last.wall >= EARLIEST and (by > PLAUSIBLE or now.wall < EARLIEST)


def _since_midnight(now: Instant) -> timedelta:
    return (now.wall + NAIROBI - EARLIEST) % _DAY
