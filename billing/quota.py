"""What a grant has left: the one quota rule, run at the controller and at every site. PURE.

A site spends of a grant unasked, within its *allowance*: a slice that the controller handed to it.
Slices together never exceed the grant as long as every site that holds one can be asked. When a
site that holds a slice is cut off, the controller may lend the same bytes to another site; how much
could then be used beyond the quota, at most, is `exposure_bytes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.grant import Spent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.grant import Grant
    from billing.plan import Limits

SLICE_MIN_BYTES = 50_000_000
"""The smallest slice of bytes worth handing out: less would be asked for again too soon."""

SLICE_MIN_S = 1_800
"""The same of connected time."""

OUTAGE_MIN_S = 86_400
"""Every site can live through this long alone, whatever its record."""

TOP_UP_SHARE = 2
"""A slice of which less than one part in this many is left is topped up."""


class Ended(StrEnum):
    """Why a grant lets nothing pass any more. ``ALLOWANCE``: not here, until more is handed out."""

    REVOKED = "revoked"
    TIME = "time"
    DATA = "data"
    ALLOWANCE = "allowance"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left. ``seconds`` is the nearest of the clocks; None where no limit binds."""

    seconds: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one site may use of a grant in all, unasked. Cumulative; None does not bind."""

    bytes: int | None = None
    uptime_s: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A site's part of a grant: what was handed to it, what it has reported, whether it answers."""

    allowance: Allowance
    own: Spent
    online: bool


UNBOUND = Allowance()
UNUSED = Spent()


def left(
    limits: Limits, spent: Spent, *, allowance: Allowance = UNBOUND, own: Spent = UNUSED
) -> Left:
    """What remains of ``limits`` after ``spent``, here, where ``own`` was used of ``allowance``.

    Never negative, and never rises with use.
    """
    clocks = (
        _less(limits.validity_s, spent.validity_s),
        _less(limits.uptime_s, spent.uptime_s),
        _less(allowance.uptime_s, own.uptime_s),
    )
    budgets = (
        _less(limits.quota_bytes, spent.used_bytes),
        _less(allowance.bytes, own.used_bytes),
    )
    return Left(seconds=_nearest(clocks), bytes=_nearest(budgets))


def ended(
    grant: Grant, spent: Spent, *, allowance: Allowance = UNBOUND, own: Spent = UNUSED
) -> Ended | None:
    """Why the grant is at its end (here), or None while it is good."""
    if grant.revoked:
        return Ended.REVOKED
    whole = left(grant.limits, spent)
    if whole.seconds == 0:
        return Ended.TIME
    if whole.bytes == 0:
        return Ended.DATA
    here = left(grant.limits, spent, allowance=allowance, own=own)
    return Ended.ALLOWANCE if 0 in {here.seconds, here.bytes} else None


def topped_up(limits: Limits, shares: Iterable[Share], *, mine: Share, outage_s: int) -> Allowance:
    """The allowance that a site should have now; never less than what it has.

    ``shares`` are those of all sites, ``mine`` among them; ``outage_s`` is how long this site may
    have to do without the controller. A slice is what the plan's full speed would use in that time,
    as far as the grant still has it. What only sites hold that do not answer is lent once more.
    """
    others = [share for share in shares if share is not mine]
    used = sum(share.own.used_bytes for share in (*others, mine))
    held = sum(
        _held(share.allowance.bytes, share.own.used_bytes) for share in others if share.online
    )
    uptime = sum(share.own.uptime_s for share in (*others, mine))
    held_s = sum(
        _held(share.allowance.uptime_s, share.own.uptime_s) for share in others if share.online
    )
    outage_s = max(outage_s, OUTAGE_MIN_S)
    a_day_long = (limits.down_bps + limits.up_bps) // 8 * outage_s
    return Allowance(
        bytes=_more(
            mine.allowance.bytes,
            mine.own.used_bytes,
            want=max(SLICE_MIN_BYTES, a_day_long),
            free=_less(limits.quota_bytes, used + held),
        ),
        uptime_s=_more(
            mine.allowance.uptime_s,
            mine.own.uptime_s,
            want=max(SLICE_MIN_S, outage_s),
            free=_less(limits.uptime_s, uptime + held_s),
        ),
    )


def exposure_bytes(limits: Limits, shares: Iterable[Share], *, interval_s: int) -> int:
    """How far the use of a grant can exceed its quota at most, if no site hears of any other.

    That is what sites hold beyond what is left, plus what each can let pass in one metering
    interval at full speed. 0 for a grant without a quota.
    """
    if limits.quota_bytes is None:
        return 0
    parts = list(shares)
    used = sum(share.own.used_bytes for share in parts)
    held = sum(_held(share.allowance.bytes, share.own.used_bytes) for share in parts)
    late = (limits.down_bps + limits.up_bps) // 8 * interval_s * len(parts)
    return max(0, used + held - limits.quota_bytes) + late


def _less(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _nearest(amounts: Iterable[int | None]) -> int | None:
    return min((amount for amount in amounts if amount is not None), default=None)


def _held(allowance: int | None, used: int) -> int:
    return 0 if allowance is None else max(0, allowance - used)


def _more(allowance: int | None, used: int, *, want: int, free: int | None) -> int | None:
    """The new cumulative allowance: the old one while enough of it is left."""
    if free is None:
        return None
    if allowance is not None and allowance - used >= min(want, free) // TOP_UP_SHARE:
        return allowance
    return max(allowance or 0, used + min(want, free))
