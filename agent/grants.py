"""What a grant has left here, and which grant a device uses. PURE.

The quota rule itself is `billing.quota`; this file only knows what was spent at this site.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.model import NEVER, GrantUse, Why
from billing import quota
from billing.grant import Grant, Spent, most
from billing.quota import Ended, Left
from shaping.plane import MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.draft import Draft
    from agent.model import Instant, Session
    from agent.wire import Granted
    from billing.ids import GrantId
    from billing.quota import Allowance
    from shaping.plane import MacAddress

_WHY = {
    Ended.REVOKED: Why.REVOKED,
    Ended.TIME: Why.TIME,
    Ended.DATA: Why.DATA,
    Ended.ALLOWANCE: Why.ALLOWANCE,
}
_FOR_GOOD = frozenset({Why.REVOKED, Why.TIME, Why.DATA})


def certain(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Spent:
    """What has been spent for good: connected time counts up to the last moved byte only."""
    return Spent(
        validity_s=_validity_ms(use, mono) // 1000,
        uptime_s=(use.uptime_ms + use.elsewhere_uptime_ms) // 1000,
        used_bytes=used_bytes(use, sessions),
    )


def spent(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Spent:
    """What counts as spent while sessions are open: connected time runs up to now."""
    return Spent(
        validity_s=_validity_ms(use, mono) // 1000,
        uptime_s=(_uptime_ms(use, mono) + use.elsewhere_uptime_ms) // 1000,
        used_bytes=used_bytes(use, sessions),
    )


def own(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Spent:
    """What counts as spent of the allowance: the use at this site alone."""
    here = used_bytes(use, sessions) - use.elsewhere_bytes
    return Spent(uptime_s=_uptime_ms(use, mono) // 1000, used_bytes=here)


def used_bytes(use: GrantUse, sessions: Iterable[Session]) -> int:
    """Bytes of the whole grant, both ways; ``sessions`` are those of the grant still known here."""
    now = sum(
        volume.down_bytes + volume.up_bytes
        for session in sessions
        for volume in session.meter.epochs.values()
    )
    return use.past.down_bytes + use.past.up_bytes + use.elsewhere_bytes + now


def far_from_end(use: GrantUse, used: int, mono: MonotonicMs, *, bytes_near: int) -> bool:
    """Whether the grant is certainly good and more than ``bytes_near`` from its quota.

    A cheap first look for sites with thousands of sessions; `ended` decides.
    """
    if use.grant.revoked or use.exhausted or use.suspended:
        return False
    left = left_bytes(use, used)
    if left is not None and left <= bytes_near:
        return False
    end = deadline(use)
    return end is None or mono < end


def remaining(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Left:
    """What the grant still allows here: of the whole, and of this site's allowance."""
    known = tuple(sessions)
    return quota.left(
        use.grant.limits,
        spent(use, known, mono),
        allowance=use.allowance,
        own=own(use, known, mono),
    )


def unspent(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Left:
    """What is left of the whole grant: what its owner wants to know."""
    return quota.left(use.grant.limits, spent(use, sessions, mono))


def left_bytes(use: GrantUse, used: int) -> int | None:
    """Bytes that may still pass here after ``used`` of the whole grant; None without any budget."""
    whole, handed = use.grant.limits.quota_bytes, use.allowance.bytes
    lefts = [] if whole is None else [whole - used]
    if handed is not None:
        lefts.append(handed - (used - use.elsewhere_bytes))
    return max(0, min(lefts)) if lefts else None


def ended(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> Why | None:
    """Why the grant lets nothing pass any more, or None while it is good."""
    known = tuple(sessions)
    end = quota.ended(
        use.grant,
        spent(use, known, mono),
        allowance=use.allowance,
        own=own(use, known, mono),
    )
    if end is not None:
        return _WHY[end]
    if use.exhausted:
        # Less than a burst is left: of the grant, or only of what was handed out of it.
        here = remaining(use, known, mono).bytes
        return Why.DATA if here == unspent(use, known, mono).bytes else Why.ALLOWANCE
    return Why.SUSPENDED if use.suspended else None


def over(use: GrantUse, sessions: Iterable[Session], mono: MonotonicMs) -> bool:
    """Whether the grant is at its end for good."""
    return ended(use, sessions, mono) in _FOR_GOOD


def deadline(use: GrantUse) -> MonotonicMs | None:
    """When the nearer of the running clocks reaches its limit; None when none of them ends."""
    limits, handed_s, ends = use.grant.limits, use.allowance.uptime_s, []
    if limits.validity_s is not None and use.valid_at is not None:
        ends.append(use.valid_at + limits.validity_s * 1000 - use.validity_ms)
    if limits.uptime_s is not None and use.uptime_at is not None:
        known_ms = use.uptime_ms + use.elsewhere_uptime_ms
        ends.append(use.uptime_at + limits.uptime_s * 1000 - known_ms)
    if handed_s is not None and use.uptime_at is not None:
        ends.append(use.uptime_at + handed_s * 1000 - use.uptime_ms)
    return MonotonicMs(min(ends)) if ends else None


def lease_ms(use: GrantUse) -> int | None:
    """What the clock has left that stands still now, and runs as soon as somebody is in.

    None when all clocks run, or none has an end. The nearer of several, as in `deadline`.
    """
    limits, handed_s, lefts = use.grant.limits, use.allowance.uptime_s, []
    if limits.validity_s is not None and use.valid_at is None:
        lefts.append(limits.validity_s * 1000 - use.validity_ms)
    if limits.uptime_s is not None and use.uptime_at is None:
        lefts.append(limits.uptime_s * 1000 - use.uptime_ms - use.elsewhere_uptime_ms)
    if handed_s is not None and use.uptime_at is None:
        lefts.append(handed_s * 1000 - use.uptime_ms)
    return max(0, min(lefts)) if lefts else None


def started(use: GrantUse, now: Instant) -> GrantUse:
    """The grant once a session of it opens: its clocks run."""
    if use.valid_at is None:
        use = replace(use, started_at=now, valid_at=now.mono)
    if use.uptime_at is None:
        use = replace(use, uptime_at=now.mono)
    return use


def confirmed(use: GrantUse, mono: MonotonicMs) -> GrantUse:
    """The grant after bytes moved: connected time up to now is certain."""
    if use.uptime_at is None or mono <= use.uptime_at:
        return use
    return replace(use, uptime_ms=_uptime_ms(use, mono), uptime_at=mono)


def rested(use: GrantUse, mono: MonotonicMs, *, idle: bool) -> GrantUse:
    """The grant once its last open session is over; idle time at the end costs nothing.

    Connected time stops at the limit: what the kernel had already cut off is not charged.
    """
    if not idle:
        end = deadline(use)
        use = confirmed(use, mono if end is None else min(mono, end))
    return replace(use, uptime_at=None)


def accepted(old: GrantUse | None, told: Granted, draft: Draft) -> GrantUse:
    """The grant after the controller spoke: its limits are replaced, and nothing spent is lost.

    That holds in either order for a grant that was made here: it may be told of before or after.
    """
    if old is None:
        old = GrantUse(
            grant=told.grant,
            rank=draft.count(),
            cause_id=told.cause_id,
            allowance=told.allowance,
        )
    sessions = draft.sessions_of(told.grant.id)
    mine = certain(old, sessions, draft.mono)
    joined = most(mine, told.spent)
    richer = _budget(told.grant, told.allowance) != _budget(old.grant, old.allowance)
    further = joined.used_bytes - mine.used_bytes
    elsewhere_ms = told.spent.uptime_s * 1000 - old.uptime_ms
    use = replace(
        old,
        grant=told.grant,
        cause_id=told.cause_id,
        elsewhere_uptime_ms=max(old.elsewhere_uptime_ms, elsewhere_ms),
        elsewhere_bytes=old.elsewhere_bytes + further,
        allowance=told.allowance,
        suspended=told.suspended,
        pool_id=told.pool_id,
        # The controller never saw the digits of what was redeemed here, so it cannot say them.
        proofs=tuple(dict.fromkeys((*told.proofs, *old.proofs))),
        made_here=False,
        cap_revision=old.cap_revision + (1 if richer or further else 0),
        exhausted=old.exhausted and not richer,
    )
    if told.spent.validity_s > mine.validity_s:
        first = use.started_at or draft.now
        ms = told.spent.validity_s * 1000
        use = replace(use, started_at=first, validity_ms=ms, valid_at=draft.mono)
    return use


def chosen(draft: Draft, mac: MacAddress) -> GrantUse | None:
    """Which grant a device should use: one already begun before one untouched, then the oldest."""
    good = [
        use
        for use in draft.uses_for(mac)
        if room(draft, use) and ended(use, draft.sessions_of(use.grant.id), draft.mono) is None
    ]
    return first(good)


def first(good: Iterable[GrantUse]) -> GrantUse | None:
    """Of several good grants the one to use: one begun before one untouched, then the oldest."""
    return min(good, key=lambda use: (use.valid_at is None, use.rank), default=None)


def room(draft: Draft, use: GrantUse) -> bool:
    """Whether one more device may use the grant now."""
    return len(draft.sessions_of(use.grant.id)) < use.grant.limits.devices_max


def rebooted(use: GrantUse, last: MonotonicMs, mono: MonotonicMs) -> GrantUse:
    """The grant after a boot: clocks stand where they stood at ``last``, and run on from ``mono``.

    Connected time while nobody knows whether bytes moved costs nothing.
    """
    if use.valid_at is None:
        return use
    ran = _validity_ms(use, last)
    running = None if use.uptime_at is None else mono
    return replace(use, validity_ms=ran, valid_at=mono, uptime_at=running)


def charge(draft: Draft, missed_ms: int) -> None:
    """Charge time that passed unseen to the validity of every grant that owes it."""
    for use in draft.grants.values():
        if use.owes:
            draft.put_use(replace(use, validity_ms=use.validity_ms + missed_ms))


def paid_off(draft: Draft) -> None:
    """Nothing more is owed for the latest boot."""
    for use in draft.grants.values():
        if use.owes:
            draft.put_use(replace(use, owes=False))


def remind(draft: Draft, grant_id: GrantId) -> None:
    """Have the grant's deadline looked at when it comes."""
    draft.remind(deadline(draft.grants[grant_id]) or NEVER)


def _budget(grant: Grant, allowance: Allowance) -> tuple[int | None, int | None]:
    return grant.limits.quota_bytes, allowance.bytes


def _validity_ms(use: GrantUse, mono: MonotonicMs) -> int:
    if use.valid_at is None:
        return use.validity_ms
    return use.validity_ms + max(0, mono - use.valid_at)


def _uptime_ms(use: GrantUse, mono: MonotonicMs) -> int:
    if use.uptime_at is None:
        return use.uptime_ms
    return use.uptime_ms + max(0, mono - use.uptime_at)
