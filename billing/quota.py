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
    from collections.abc import Iterable, Sequence

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


SHORT_SHARE = 4
"""A site is short when it holds less than one part in this many of a slice, or of what is left."""

CRUMB_BYTES = 1_000_000
"""Who is asked to give back a slice that is no larger than this gives all of it."""

CRUMB_S = 60
"""The same of connected time."""


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


def handed_out(
    limits: Limits, shares: Sequence[Share], *, mine: int, outage_s: int
) -> tuple[Allowance, ...]:
    """The allowances of all sites, in their order, once site number ``mine`` has been topped up.

    Where the others that answer hold so much that it would still be short, each of them gives half
    of its unused slice back until it is not: devices move, and a slice must not stay where they
    were. Sites that do not answer keep what they have.
    """
    target = shares[mine]
    topped = topped_up(limits, shares, mine=target, outage_s=outage_s)
    givers = [n for n, share in enumerate(shares) if share.online and n != mine]
    parts_bytes = _taken_back(
        limits.quota_bytes,
        [(share.allowance.bytes, share.own.used_bytes) for share in shares],
        topped=topped.bytes,
        mine=mine,
        givers=givers,
        enough=SLICE_MIN_BYTES,
        crumb=CRUMB_BYTES,
    )
    parts_s = _taken_back(
        limits.uptime_s,
        [(share.allowance.uptime_s, share.own.uptime_s) for share in shares],
        topped=topped.uptime_s,
        mine=mine,
        givers=givers,
        enough=SLICE_MIN_S,
        crumb=CRUMB_S,
    )
    after = tuple(Allowance(*both) for both in zip(parts_bytes, parts_s, strict=True))
    assert _is_bounded(limits, shares, after, mine), "more was handed out than the loss allows"
    return after


def overhang_bytes(limits: Limits, shares: Iterable[Share]) -> int:
    """What sites hold of a grant beyond what is left of it; 0 without a quota."""
    if limits.quota_bytes is None:
        return 0
    parts = list(shares)
    used = sum(share.own.used_bytes for share in parts)
    held = sum(_held(share.allowance.bytes, share.own.used_bytes) for share in parts)
    return max(0, used + held - limits.quota_bytes)


def exposure_bytes(limits: Limits, shares: Iterable[Share], *, interval_s: int) -> int:
    """How far the use of a grant can exceed its quota at most, if no site hears of any other.

    That is what sites hold beyond what is left, plus what each can let pass in one metering
    interval at full speed. 0 for a grant without a quota.
    """
    if limits.quota_bytes is None:
        return 0
    parts = list(shares)
    late = late_bytes(limits, interval_s=interval_s) * len(parts)
    return overhang_bytes(limits, parts) + late


def late_bytes(limits: Limits, *, interval_s: int) -> int:
    """What one site can let pass at the grant's highest speed before it counts again."""
    speeds = [limits.down_bps + limits.up_bps]
    speeds += [step.down_bps + step.up_bps for step in limits.steps]
    speeds += [window.down_bps + window.up_bps for window in limits.windows]
    if limits.burst is not None:
        speeds.append(limits.burst.down_bps + limits.burst.up_bps)
    return max(speeds) // 8 * interval_s


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


def _taken_back(
    limit: int | None,
    parts: Sequence[tuple[int | None, int]],
    *,
    topped: int | None,
    mine: int,
    givers: Sequence[int],
    enough: int,
    crumb: int,
) -> list[int | None]:
    """Each site's allowance of one kind after ``mine`` got what it is short of, from ``givers``."""
    after = [allowance for allowance, _ in parts]
    after[mine] = topped
    if limit is None or topped is None:
        return after
    own = parts[mine][1]
    remaining = _less(limit, sum(used for _, used in parts)) or 0
    for giver in givers:
        if not _is_short(topped - own, min(enough, remaining)):
            break
        allowance, used = parts[giver]
        held = _held(allowance, used)
        given = held if held <= crumb else held // 2
        if allowance is None or given == 0:
            continue
        after[giver] = allowance - given
        topped += given
    after[mine] = max(topped, own)
    return after


def _is_short(rest: int, enough: int) -> bool:
    return enough > 0 and (rest <= 0 or rest * SHORT_SHARE < enough)


def _is_bounded(
    limits: Limits, shares: Sequence[Share], after: Sequence[Allowance], mine: int
) -> bool:
    """Invariant (design §4.5): beyond what was out before, only what is cut off is lent again."""
    now = [
        Share(allowance, share.own, online=share.online)
        for allowance, share in zip(after, shares, strict=True)
    ]
    cut_off = sum(
        _held(share.allowance.bytes, share.own.used_bytes)
        for n, share in enumerate(shares)
        if n != mine and not share.online
    )
    return overhang_bytes(limits, now) <= max(overhang_bytes(limits, shares), cut_off)
