"""Sessions: how they open, are counted, grow idle, and end. PURE."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from agent import grants, orders, speeds
from agent.counters import advance
from agent.devices import follow, settle_addresses, shared, stays, usable
from agent.draft import addresses_of
from agent.model import NEVER, NO_VOLUME, Reading, Session, SessionClosed, SessionOpened, Why
from billing.ids import SessionId
from billing.metering import Volume
from shaping.plane import MacAddress, MonotonicMs, SessionKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address

    from agent.draft import Draft
    from agent.model import Blocked, Dial, GrantUse
    from shaping.plane import Counter

IDLE_MS = 600_000
"""A session without bytes for this long is over; its idle time is not charged."""

UNHEARD_MS = 6 * 3_600_000
"""A dialled session of which its NAS told nothing for this long is over. Nobody waits for its place
so long: whoever needs it has the NAS asked."""

REPORT_MS = 10_000
"""A session's readings go to the outbox at most this often, and when it closes."""

READINGS_PER_S = 16
"""A site with so many sessions that this would be exceeded reports each of them less often, all in
one batch: each reading is a durable write, and flash wears. The kernel counts all the time."""

REPORT_MAX_MS = 60_000
"""A power cut loses no more of a session's count than this."""

HUNG_UP_MAX = 2_000
"""Dialled sessions remembered once they are over; the one that ended first is forgotten first."""

STALLED_MS = 4_000
"""No bytes for this long with less than a burst left: the kernel lets nothing pass any more."""

BURST_MAX_BYTES = 65_536
"""The largest burst that the kernel passes or drops as one: less than this left may be stuck."""

STUCK_SHARE = 20
"""At most one part in this many of a quota may be given up as stuck."""

NO_EPOCH = "none"
"""Names the counters of a session that never moved a byte."""

_STAYS_SHUT = {Why.IDLE, Why.LEFT}


def block(draft: Draft, blocked: Blocked) -> None:
    """Let these devices do nothing, and those that no longer stand there have what they own."""
    before, draft.blocked = draft.blocked, blocked
    for mac in sorted(blocked.devices):
        session = draft.session_of(mac)
        if session is not None and session.closed is None:
            close(draft, session, Why.REVOKED)
    for session in draft.sessions.values() if blocked.devices else ():
        if session.dial is not None and session.mac in blocked.devices:
            close(draft, session, Why.REVOKED)
    for mac in sorted(before.devices - blocked.devices):
        open_for(draft, mac)


def open_for(
    draft: Draft, mac: MacAddress, *, address: IPv4Address | IPv6Address | None = None
) -> None:
    """Give a device the access that it owns, if it owns any and is here.

    ``address`` is where it asks from. A device whose last session is not yet counted out waits:
    it is opened for when that is done.
    """
    if draft.session_of(mac) is not None or mac in draft.blocked.devices:
        return
    ipv4, ipv6 = usable(draft, mac, asked=address)
    if ipv4 is None and not ipv6:
        return
    use = grants.chosen(draft, mac)
    if use is None:
        return
    session = _opened(draft, use, mac=mac, ipv4=ipv4, ipv6=ipv6)
    draft.put_use(grants.started(use, draft.now))
    draft.put_session(session)
    grants.remind(draft, use.grant.id)
    draft.remind(MonotonicMs(draft.mono + IDLE_MS))
    turn = speeds.next_turn_at(use.grant.limits, draft.now, draft.asleep_since)
    draft.remind(NEVER if turn is None else turn)
    names = tuple(sorted(str(a) for a in addresses_of(session)))
    draft.say(SessionOpened(session.id, use.grant.id, mac, names))
    orders.fulfilled(draft, mac)


def close(draft: Draft, session: Session, why: Why) -> None:
    """End a session: nothing passes any more, and its last reading is awaited."""
    if session.closed is not None:
        return
    heard_at = session.heard_at if session.dial is None else draft.mono
    draft.put_session(replace(session, closed=why, heard_at=heard_at))
    use = draft.grants[session.grant_id]
    others = any(s.closed is None for s in draft.sessions_of(session.grant_id))
    if not others:
        draft.put_use(grants.rested(use, draft.mono, idle=why is Why.IDLE))


def counted(
    draft: Draft,
    counters: Mapping[SessionKey, Counter],
    *,
    applied: bool,
    unread: frozenset[SessionKey] = frozenset(),
) -> None:
    """Take what the plane counted; ``applied`` says that closed sessions were closed by then.

    Not so those ``unread``, whose box did not answer: their last reading is still to come.

    Most sessions of most counts are as they were: those cost one look.
    """
    closing = []
    for session in draft.sessions.values():
        if session.dial is not None:
            continue
        counter = counters.get(SessionKey(session.id))
        if _still(draft, session, counter):
            continue
        metered_now = _metered(draft, session, counter)
        if metered_now.closed is not None:
            closing.append(metered_now)
            continue
        if _report_due(draft, metered_now):
            _report(draft, metered_now)
    if draft.due_at <= draft.mono:
        end_due(draft)
    else:
        _end_watched(draft)
    if applied:
        for session in closing:
            if SessionKey(session.id) not in unread:
                count_out(draft, session)


def end_due(draft: Draft) -> None:
    """Close every session whose grant is at its end, and those that are idle."""
    draft.watched.clear()
    draft.due_at = NEVER
    for session in draft.sessions.values():
        end_if_due(draft, session)
    draft.remind(orders.due_at(draft))


def _end_watched(draft: Draft) -> None:
    """The same where no deadline has come: only bytes, and the controller, can have ended some."""
    watched, draft.watched = draft.watched, set()
    for grant_id in watched:
        for session in draft.sessions_of(grant_id):
            end_if_due(draft, session)


def end_if_due(draft: Draft, session: Session) -> None:
    """Close the session if it is at its end; else know when to look again."""
    if session.closed is not None:
        return
    mono, use = draft.mono, draft.grants[session.grant_id]
    siblings = draft.sessions_of(session.grant_id)
    used = grants.used_bytes(use, siblings)
    why = None
    far = grants.far_from_end(use, used, mono, bytes_near=BURST_MAX_BYTES)
    if not far:
        why = _end_of(draft, use, siblings)
    idle_at = _idle_at(session)
    if why is None and mono >= idle_at:
        why = Why.IDLE
    if why is not None:
        close(draft, session, why)
        return
    if not far:
        # It may be stuck soon, and no deadline tells when.
        draft.watched.add(session.grant_id)
    draft.remind(idle_at)
    draft.remind(grants.deadline(use) or NEVER)
    turn = speeds.next_turn_at(use.grant.limits, draft.now, draft.asleep_since)
    draft.remind(NEVER if turn is None else turn)


def _idle_at(session: Session) -> MonotonicMs:
    """When a session is over, if no bytes move; at a NAS, if nothing is told of it any more."""
    if session.dial is not None:
        return MonotonicMs(session.heard_at + UNHEARD_MS)
    return MonotonicMs(session.active_at + IDLE_MS)


def _end_of(draft: Draft, use: GrantUse, siblings: list[Session]) -> Why | None:
    why = grants.ended(use, siblings, draft.mono)
    if why is None and _stuck(use, siblings, draft.mono):
        stuck = replace(use, exhausted=True)
        draft.put_use(stuck)
        return grants.ended(stuck, siblings, draft.mono)
    return why


def _opened(
    draft: Draft,
    use: GrantUse,
    *,
    mac: MacAddress,
    ipv4: IPv4Address | None,
    ipv6: frozenset[IPv6Address],
) -> Session:
    now = draft.now
    device = draft.devices.get(mac)
    seed = f"{now.boot}|{now.mono}|{draft.count()}|{use.grant.id}|{mac}"
    return Session(
        id=SessionId(sha256(seed.encode()).hexdigest()[:32]),
        grant_id=use.grant.id,
        mac=mac,
        ipv4=ipv4,
        ipv6=ipv6,
        opened_at=now,
        active_at=now.mono,
        heard_at=now.mono,
        reported_at=now.mono,
        port="" if device is None else device.port,
    )


def plugged(draft: Draft, mac: MacAddress) -> None:
    """Have the session of a device know behind which bridge port it is now."""
    session, device = draft.session_of(mac), draft.devices.get(mac)
    if session is None or device is None or device.port in {"", session.port}:
        return
    draft.put_session(replace(session, port=device.port))


def _metered(draft: Draft, session: Session, counter: Counter | None) -> Session:
    """The session after its counters were read; bytes that moved make its time certain."""
    meter, grown = advance(session.meter, counter)
    if not grown.total_bytes:
        return _quiet(draft, session)
    if grown.up_bytes:
        shared(draft, session)
    after = replace(
        session,
        meter=meter,
        active_at=draft.mono,
        heard_at=draft.mono if grown.up_bytes else session.heard_at,
    )
    draft.put_session(after)
    if after.closed is None:
        draft.put_use(grants.confirmed(draft.grants[after.grant_id], draft.mono))
    return follow(draft, after)


def _still(draft: Draft, session: Session, counter: Counter | None) -> bool:
    """Whether there is nothing to do for a session at this count."""
    meter = session.meter
    if session.closed is not None or session.reported is not meter:
        return False
    if counter is not None:
        before = meter.epochs.get(counter.epoch, NO_VOLUME)
        if counter.down_bytes_total != before.down_bytes:
            return False
        if counter.up_bytes_total != before.up_bytes:
            return False
    return stays(draft.devices.get(session.mac), session)


def _quiet(draft: Draft, session: Session) -> Session:
    return follow(draft, session) if session.closed is None else session


def _report_due(draft: Draft, session: Session) -> bool:
    every = min(REPORT_MAX_MS, max(REPORT_MS, len(draft.sessions) * 1_000 // READINGS_PER_S))
    if draft.mono - session.reported_at < REPORT_MS:
        return False
    return every == REPORT_MS or draft.mono // every != session.reported_at // every


def _report(draft: Draft, session: Session) -> None:
    if session.reported != session.meter:
        draft.put_session(told(draft, session))


def hang_up(draft: Draft, session: Session, dial: Dial) -> None:
    """Remember a dialled session that is over, for what its NAS may yet tell of it."""
    draft.hung_up.drop(dial.place)
    draft.hung_up.put(dial.place, session)


def forget_hung_up(draft: Draft) -> None:
    """Remember no more of them than `HUNG_UP_MAX`; once for a batch, in which all may hang up.

    The last one of a line that a router keeps is never forgotten: its counter goes on from there.
    """
    unchanged = draft.hung_up.result is draft.before.hung_up
    if unchanged or len(draft.hung_up) <= HUNG_UP_MAX:
        return
    old = [one.dial for one in draft.hung_up.values() if one.dial is not None]
    old = [one for one in old if one.key != one.login or one.login not in draft.logins]
    for one in old[: max(0, len(old) - HUNG_UP_MAX)]:
        draft.hung_up.drop(one.place)


def told(draft: Draft, session: Session) -> Session:
    """Put the session's readings into the outbox, one for each epoch that has news.

    The last one of a session whose connected time counts comes in any case: time that went by
    without a byte is spent, unless the session was only idle.
    """
    use = draft.grants[session.grant_id]
    news = [
        (epoch, volume)
        for epoch, volume in session.meter.epochs.items()
        if session.reported.epochs.get(epoch) != volume
    ]
    ran_on = session.closed not in {None, Why.IDLE} and use.grant.limits.uptime_s is not None
    if ran_on and not news:
        news = list(session.meter.epochs.items())[-1:] or [(NO_EPOCH, Volume())]
    known = grants.certain(use, (), draft.mono)
    for epoch, volume in news:
        draft.say(
            Reading(
                session_id=session.id,
                grant_id=session.grant_id,
                epoch=epoch,
                down_bytes_total=volume.down_bytes,
                up_bytes_total=volume.up_bytes,
                grant_validity_s=known.validity_s,
                grant_uptime_s=known.uptime_s,
                own_uptime_s=use.uptime_ms // 1000,
            )
        )
    return replace(session, reported=session.meter, reported_at=draft.mono)


def count_out(draft: Draft, session: Session) -> None:
    """The last reading is in: report, add to what is past, forget, and see what comes next."""
    assert session.closed is not None, "an open session is not counted out"
    told(draft, session)
    draft.say(SessionClosed(session.id, session.grant_id, session.closed))
    use = draft.grants[session.grant_id]
    draft.drop_session(session)
    if session.dial is not None:
        hang_up(draft, session, session.dial)
    draft.put_use(replace(use, past=use.past + session.meter.usage))
    gone = f"grant/{session.grant_id}" not in draft.items and not use.made_here
    if gone and not draft.sessions_of(session.grant_id):
        draft.drop_use(draft.grants[session.grant_id])
    stays_shut = session.closed in _STAYS_SHUT
    if session.dial is None:
        settle_addresses(draft, session, here=not stays_shut)
    for mac in (session.mac, *map(MacAddress, use.grant.devices)):
        if mac != session.mac or not stays_shut:
            open_for(draft, mac)


def _stuck(use: GrantUse, sessions: list[Session], mono: MonotonicMs) -> bool:
    """Whether so little is left that no burst fits: the kernel passes nothing, nobody gains."""
    quota, handed = use.grant.limits.quota_bytes, use.allowance.bytes
    # The last allowance of a quota may be tiny; what is given up is a share of the quota.
    whole = handed if quota is None else quota
    if whole is None:
        return False
    if any(mono - session.active_at < STALLED_MS for session in sessions):
        return False
    left = grants.remaining(use, sessions, mono).bytes
    burst = min(BURST_MAX_BYTES, whole // STUCK_SHARE)
    return left is not None and left < burst


def ungranted(draft: Draft, use: GrantUse) -> None:
    """Close the sessions that a changed grant no longer covers."""
    for session in draft.sessions_of(use.grant.id):
        named = session.dial is not None or session.mac in use.grant.devices
        if use.grant.revoked or not named:
            close(draft, session, Why.REVOKED)
        elif use.suspended:
            close(draft, session, Why.SUSPENDED)
