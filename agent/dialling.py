"""Sessions that a NAS forwards and counts: as it tells them, whatever order it tells them in. PURE.

A NAS tells a session's start, its counts now and then, and its stop (RFC 2866), over UDP: packets
are lost, doubled, late, and may be played again by somebody who heard them. So nothing here adds
up; counts are cumulative and only ever rise. A NAS may also give an old session's name to a new
one, restart without a word, or go on with a session that we took for dead: then a session of ours
begins at what the NAS had counted by then, so that each byte is in one session, once.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from agent import grants, sessions
from agent.counters import advance
from agent.model import (
    NO_VOLUME,
    NOWHERE,
    AccountStatus,
    Dial,
    Reading,
    Session,
    SessionOpened,
    Why,
    dial_place,
)
from billing.ids import GrantId, SessionId
from shaping.plane import Counter, MonotonicMs

if TYPE_CHECKING:
    from agent.draft import Draft
    from agent.model import Account, GrantUse
    from billing.metering import Volume

SLACK_MS = 10_000
"""A Start that tells of less than this later than the session's own is the same, told again."""

SLACK_S = 10

ROUNDED_S = 1
"""What a NAS tells in whole seconds differs by so much."""

MARKS_MAX = 16
"""Starts remembered of one dial: a NAS tells each one a few times."""

RESTARTS_MAX = 2_000
"""Restarts of NASes remembered: two of each that a site may have."""

CLOSING_MAX_MS = 600_000
"""A session that we ended is counted out after this, though its NAS told no stop."""

EXTRA_MAX = 16
"""Sessions of one grant that are kept beyond its places, each until its NAS told its end; what it
begins beyond these is ended and not counted."""

_GRANT_IS_OVER = {Why.TIME, Why.DATA, Why.ALLOWANCE, Why.SUSPENDED, Why.REVOKED}

WRAP = 2**32
"""Where a counter of 32 bits begins anew; at 50 Mbit/s that is every eleven minutes."""


def accounted(draft: Draft, account: Account) -> None:
    """Take what a NAS tells."""
    if account.status is AccountStatus.RESTART:
        _restarted(draft, account)
    elif account.login:
        _told(draft, account)
    else:
        _told(draft, replace(account, login=_whose(draft, account)))


def lined(draft: Draft, account: Account) -> None:
    """Take how a line of a router stands. Its counts go on from one dial to the next.

    Each dial is a session of its own, which begins at what was counted for those before it.
    """
    place = dial_place(account.nas, account.key)
    session, before = draft.session_at(place), draft.hung_up.get(place)
    is_out = account.status is AccountStatus.STOP
    if session is not None and not is_out and account.mark not in _dial(session).marks:
        _over(draft, session, Why.LEFT)
        session, before = None, draft.hung_up[place]
    known = session or before
    goes_on = known is not None and _life(account.mark) in map(_life, _dial(known).marks)
    if session is not None:
        counts = account if goes_on else replace(account, down_bytes=None, up_bytes=None)
        _continued(draft, session, counts)
    elif is_out and before is not None and goes_on:
        _late(draft, before, account)
    elif not is_out:
        base = _dial(before).base + before.meter.usage if before and goes_on else NO_VOLUME
        _opened(draft, _granted(draft, account), base=base)


def _life(mark: bytes) -> bytes:
    """Since when a line counts, out of what names one of its dials."""
    return mark.partition(b" ")[0]


def _granted(draft: Draft, account: Account) -> Account:
    """The same with the grant that it was let in by, where that is over since."""
    login = draft.logins.get(account.login)
    if login is None or chosen(draft, login.name) is not None:
        return account
    used = [use for use in draft.uses_of(login.cause) if use.valid_at is not None]
    last = max(used, key=lambda use: (use.valid_at, use.rank), default=None)
    return account if last is None else replace(account, grant_id=last.grant.id)


def lost(draft: Draft, session_id: SessionId) -> None:
    """Its NAS knows nothing of the session: nobody is behind it, and has not been for a while."""
    session = draft.sessions.get(session_id)
    if session is not None and session.dial is not None:
        _over(draft, session, Why.IDLE)


def redialled(draft: Draft, session_id: SessionId) -> None:
    """End a session whose device dials anew; its NAS is told."""
    session = draft.sessions.get(session_id)
    if session is not None and session.dial is not None:
        sessions.close(draft, session, Why.MOVED)


def steered(draft: Draft, session_id: SessionId, told: str) -> None:
    """Note what the NAS now holds the session to."""
    session = draft.sessions.get(session_id)
    if session is not None and session.dial is not None:
        draft.put_session(replace(session, dial=replace(session.dial, told=told)))


def logged_out(draft: Draft, name: str) -> None:
    """End what was dialled in by a name that is good no more."""
    draft.logins.drop(name)
    for session in draft.sessions.values():
        if session.dial is not None and session.dial.login.lower() == name:
            sessions.close(draft, session, Why.REVOKED)


def settle(draft: Draft) -> None:
    """Let sessions that were closed in this batch go on with the next grant, if there is one.

    A subscriber's new period must not cut their line. Those of which no NAS told the stop in time
    are counted out, and old ones forgotten.
    """
    for session_id in draft.shut:
        session = draft.sessions.get(session_id)
        if session is None or session.dial is None or session.closed not in _GRANT_IS_OVER:
            continue
        use = chosen(draft, session.dial.login)
        if use is not None and _room(draft, use) and session.mac not in draft.blocked.devices:
            dial = replace(session.dial, base=session.dial.base + session.meter.usage, told="")
            sessions.count_out(draft, session)
            draft.hung_up.drop(dial.place)
            _begin(draft, use, session, dial)
    for session_id in sorted(draft.ending):
        session = draft.sessions[session_id]
        until = MonotonicMs(session.heard_at + CLOSING_MAX_MS)
        if until <= draft.mono:
            sessions.count_out(draft, session)
        else:
            draft.remind(until)
    sessions.forget_hung_up(draft)


def chosen(draft: Draft, name: str) -> GrantUse | None:
    """Which grant somebody who dials in by a name uses now: if possible one that has a place."""
    login = draft.logins.get(name.lower())
    if login is None:
        return None
    good = [
        use
        for use in draft.uses_of(login.cause)
        if grants.ended(use, draft.sessions_of(use.grant.id), draft.mono) is None
    ]
    return grants.first([use for use in good if _room(draft, use)] or good)


def _told(draft: Draft, account: Account) -> None:
    """Take what a NAS tells of one session."""
    place = dial_place(account.nas, account.key)
    session, before = draft.session_at(place), draft.hung_up.get(place)
    if session is not None and _is_of_before(draft, session, before, account):
        assert before is not None, "who was there before is known"
        _late(draft, before, account)
        return
    if session is not None and _is_another(draft, session, account):
        _over(draft, session, Why.LEFT)
        session, before = None, draft.hung_up[place]
    if session is not None:
        if not _is_somebody_elses(session, account):
            _continued(draft, session, account)
        return
    if before is None or _is_another(draft, before, account):
        _opened(draft, account, base=NO_VOLUME)
    elif account.status is AccountStatus.INTERIM and _is_news(_dial(before), account):
        base = _dial(before).base + before.meter.usage
        if not _opened(draft, account, base=base):
            _late(draft, before, account)
    elif not _is_somebody_elses(before, account):
        _late(draft, before, account)


def _restarted(draft: Draft, account: Account) -> None:
    """The NAS began anew: whatever it forwarded then is over. Told again, it means nothing."""
    mark = account.mark.hex()
    if mark in draft.restarts:
        return
    draft.restarts.put(mark, account.nas)
    for old in list(draft.restarts)[: max(0, len(draft.restarts) - RESTARTS_MAX)]:
        draft.restarts.drop(old)
    was_at = draft.mono - account.late_s * 1_000
    for session in draft.sessions.values():
        opened = session.opened_at
        if opened.boot == draft.now.boot and opened.mono > was_at:
            continue
        if session.dial is not None and session.dial.nas == account.nas:
            dead = replace(session, dial=replace(session.dial, dead=True))
            _over(draft, dead, Why.LEFT)


def _whose(draft: Draft, account: Account) -> str:
    """By which name somebody dialled in of whom a NAS tells none: that of the session or grant."""
    place = dial_place(account.nas, account.key)
    known = draft.session_at(place) or draft.hung_up.get(place)
    if known is not None and account.grant_id in {"", known.grant_id}:
        return _dial(known).login
    use = draft.grants.get(GrantId(account.grant_id))
    logins = () if use is None else draft.logins.values()
    names = (one.name for one in logins if use and use.cause_id.startswith(f"{one.cause}:"))
    return next(names, "")


def _is_another(draft: Draft, known: Session, account: Account) -> bool:
    """Whether a NAS means another session than the one that is known by this name.

    A packet that was heard before, or is older than what is known, never does; but a NAS that began
    anew may have lost its clock, and somebody else's session is another whatever its time.
    """
    dial = _dial(known)
    if account.mark in dial.marks:
        return False
    older = bool(account.stamp and account.stamp < dial.stamp)
    if _is_somebody_elses(known, account):
        return not (older and account.status is AccountStatus.STOP)
    if account.status is AccountStatus.START and dial.dead:
        return True
    return not older and _is_another_of_the_same(draft, known, account)


def _is_another_of_the_same(draft: Draft, known: Session, account: Account) -> bool:
    """Whether somebody dialled in anew under this name of a session, by what clocks say."""
    dial = _dial(known)
    newer = bool(account.stamp and dial.stamp and account.stamp > dial.stamp)
    if account.status is not AccountStatus.START:
        return newer and account.seconds + SLACK_S < dial.seconds
    if dial.stamp and account.stamp and not newer:
        return False
    if known.opened_at.boot != draft.now.boot:
        return True
    return draft.mono - account.late_s * 1_000 > known.opened_at.mono + SLACK_MS


def _is_somebody_elses(known: Session, account: Account) -> bool:
    """Whether a NAS tells of another than who dialled in under this name of a session before."""
    return account.login.lower() != _dial(known).login.lower()


def _is_of_before(draft: Draft, session: Session, before: Session | None, account: Account) -> bool:
    """Whether what is told is late, and of who had the name of this session before."""
    if before is None:
        return False
    if not _is_somebody_elses(session, account):
        return not _is_somebody_elses(before, account) and _is_of_an_earlier_life(
            _dial(before), _dial(session), account
        )
    return not (_is_somebody_elses(before, account) or _is_another(draft, before, account))


def _is_of_an_earlier_life(before: Dial, dial: Dial, account: Account) -> bool:
    """Whether a NAS tells of an earlier session of the same name and somebody, by its own clock.

    Not where that clock fell back between the two. One that was set back since tells of moments
    before this session began, but of none before the other was over.
    """
    if not 0 < before.stamp < dial.stamp or not account.stamp:
        return False
    first, began, told = (one.stamp - one.seconds for one in (before, dial, account))
    same = abs(told - first) <= ROUNDED_S < abs(told - began)
    return account.stamp <= before.stamp or same


def _is_older_than(dial: Dial, account: Account) -> bool:
    """Whether a NAS tells of a moment before a session began."""
    return bool(account.stamp) and account.stamp + ROUNDED_S < dial.stamp - dial.seconds


def _is_played_again(dial: Dial, account: Account) -> bool:
    """Whether a packet tells of no later moment than is known: anybody may have heard it."""
    if account.seconds or account.stamp:
        return account.seconds <= dial.seconds and account.stamp <= dial.stamp
    return account.mark in dial.marks


def _is_news(dial: Dial, account: Account) -> bool:
    """Whether a packet tells something later than what is known of the very same dial."""
    return account.seconds > dial.seconds and not (account.stamp and account.stamp < dial.stamp)


def _opened(draft: Draft, account: Account, *, base: Volume) -> bool:
    """Begin a session of what a NAS tells; whether it is anybody's.

    What a grant that is over let pass is counted too: then the session is closed at once.
    """
    login = draft.logins.get(account.login.lower())
    use = draft.grants.get(GrantId(account.grant_id))
    if use is None and login is not None:
        use = chosen(draft, login.name)
    if use is None or (login is not None and not use.cause_id.startswith(f"{login.cause}:")):
        return False
    here = len(draft.sessions_of(use.grant.id))
    if (
        here >= use.grant.limits.devices_max + EXTRA_MAX
        and account.status is not AccountStatus.STOP
    ):
        return False
    dial = Dial(
        nas=account.nas,
        key=account.key,
        login=account.login,
        address=account.address,
        base=base,
        marks=(account.mark,) if account.status is AccountStatus.START else (),
    )
    why = grants.ended(use, draft.sessions_of(use.grant.id), draft.mono)
    if login is None:
        why = why or Why.REVOKED
    if why is None and not _room(draft, use):
        why = Why.LEFT
    if account.mac in draft.blocked.devices:
        why = Why.REVOKED
    begun = _begin(draft, use, account, dial)
    _continued(draft, begun, account)
    after = draft.sessions.get(begun.id)
    if after is not None and why is not None:
        sessions.close(draft, after, why)
    return True


def _room(draft: Draft, use: GrantUse) -> bool:
    open_now = [one for one in draft.sessions_of(use.grant.id) if one.closed is None]
    return len(open_now) < use.grant.limits.devices_max


def _begin(draft: Draft, use: GrantUse, like: Account | Session, dial: Dial) -> Session:
    now = draft.now
    seed = f"{now.boot}|{now.mono}|{draft.count()}|{use.grant.id}|{dial.place}"
    session = Session(
        id=SessionId(sha256(seed.encode()).hexdigest()[:32]),
        grant_id=use.grant.id,
        mac=like.mac,
        ipv4=None,
        ipv6=NOWHERE,
        opened_at=now,
        active_at=now.mono,
        heard_at=now.mono,
        reported_at=now.mono,
        dial=dial,
    )
    draft.put_use(grants.started(use, now))
    draft.put_session(session)
    grants.remind(draft, use.grant.id)
    draft.remind(MonotonicMs(now.mono + sessions.UNHEARD_MS))
    names = (dial.address,) if dial.address else ()
    draft.say(SessionOpened(session.id, use.grant.id, like.mac, names))
    return session


def _continued(draft: Draft, session: Session, account: Account) -> None:
    """Take counts of a session, and its end if that is told."""
    dial = _dial(session)
    counter = _counter(draft, session, account)
    meter, grown = advance(session.meter, counter)
    heard = bool(grown.total_bytes) or not _is_played_again(dial, account)
    if account.status is AccountStatus.START:
        dial = _marked(dial, account)
    session = replace(
        session,
        meter=meter,
        active_at=draft.mono if grown.total_bytes else session.active_at,
        heard_at=draft.mono if heard and session.closed is None else session.heard_at,
        dial=replace(
            dial,
            seconds=max(dial.seconds, account.seconds),
            stamp=max(dial.stamp, account.stamp),
            address=account.address or dial.address,
        ),
    )
    draft.put_session(session)
    if heard and session.closed is None:
        draft.put_use(grants.confirmed(draft.grants[session.grant_id], draft.mono))
    if account.status is AccountStatus.STOP:
        _over(draft, session, Why.TIME if account.timed_out else Why.LEFT)
        return
    if session.reported != session.meter:
        # Invariant: what a NAS was answered for is in the outbox.
        draft.put_session(sessions.told(draft, session))
    sessions.end_if_due(draft, draft.sessions[session.id])


def _marked(dial: Dial, account: Account) -> Dial:
    """A dial with one more Start of it."""
    return replace(dial, marks=tuple(dict.fromkeys((*dial.marks, account.mark)))[-MARKS_MAX:])


def _counter(draft: Draft, session: Session, account: Account) -> Counter:
    """What the NAS counted of this session in all; never less than is known."""
    dial, known = _dial(session), session.meter.usage
    use = draft.grants.get(session.grant_id)
    sides = (
        (account.down_bytes, dial.base.down_bytes, known.down_bytes),
        (account.up_bytes, dial.base.up_bytes, known.up_bytes),
    )
    speeds = (0, 0) if use is None else (use.grant.limits.down_bps, use.grant.limits.up_bps)
    passed_s = account.seconds - dial.seconds
    totals = []
    for (counted, base, seen), speed in zip(sides, speeds, strict=True):
        whole = counted
        if account.wraps and counted is not None and passed_s > 0:
            whole = _unwrapped(counted, base + seen, most=speed * (passed_s + SLACK_S) // 4)
        totals.append(seen if whole is None else max(seen, whole - base))
    return Counter(_epoch(dial), *totals)


def _unwrapped(counted: int, known: int, *, most: int) -> int:
    """What a counter of 32 bits has really counted since it was told last.

    It began anew if it fell, but only if no more than ``most`` must have passed then, twice what
    the line can carry: four gigabytes are not made of a NAS's mistake.
    """
    turns, low = divmod(known, WRAP)
    whole = WRAP * (turns if counted >= low else turns + 1) + counted
    return whole if whole - known <= most else counted


def _late(draft: Draft, session: Session, account: Account) -> None:
    """Take counts of a session that is over: only what is more than was known is news.

    What is told of a moment before it began is of a session that nobody remembers.
    """
    dial = _dial(session)
    if _is_older_than(dial, account):
        return
    if account.status is AccountStatus.START:
        session = replace(session, dial=_marked(dial, account))
        draft.hung_up.put(dial.place, session)
        return
    counter = _counter(draft, session, account)
    meter, grown = advance(session.meter, counter)
    if not grown.total_bytes:
        return
    dial = replace(
        dial,
        seconds=max(dial.seconds, account.seconds),
        stamp=max(dial.stamp, account.stamp),
    )
    draft.hung_up.put(dial.place, replace(session, meter=meter, reported=meter, dial=dial))
    use = draft.grants.get(session.grant_id)
    if use is not None:
        use = replace(use, past=use.past + grown)
        draft.put_use(use)
    known = None if use is None else grants.certain(use, (), draft.mono)
    total = meter.epochs[counter.epoch]
    draft.say(
        Reading(
            session_id=session.id,
            grant_id=session.grant_id,
            epoch=counter.epoch,
            down_bytes_total=total.down_bytes,
            up_bytes_total=total.up_bytes,
            grant_validity_s=0 if known is None else known.validity_s,
            grant_uptime_s=0 if known is None else known.uptime_s,
        )
    )


def _over(draft: Draft, session: Session, why: Why) -> None:
    """A session is over at its NAS: count it out."""
    draft.put_session(session)
    sessions.close(draft, session, why)
    sessions.count_out(draft, draft.sessions[session.id])


def _epoch(dial: Dial) -> str:
    return sha256(dial.place.encode()).hexdigest()[:16]


def _dial(session: Session) -> Dial:
    assert session.dial is not None, "only dialled sessions are here"
    return session.dial
