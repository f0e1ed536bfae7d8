"""Who is dialled in to a router that keeps the secrets itself: looked at all the time, and told.

Nothing is remembered here: what was told stands in the site's state, and whatever differs from it
is news. Counts of many lines are told less often than they are read: each is a durable write.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from agent import grants, log
from agent.lines import capped
from agent.model import NO_MAC, NO_VOLUME, Account, AccountStatus, Lined, Lost, dial_place
from agent.sessions import READINGS_PER_S, REPORT_MAX_MS, REPORT_MS
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.loop import Loop
    from agent.model import Session, State
    from billing.ids import SessionId
    from shaping.plane import Lines, LineSeen, MonotonicMs

LOOK_MS = 2_000
REST_MS = 200
"""The shortest time between two looks, when a line is about to be counted out."""

LOOK_SHARE = 10
"""Looking takes at most one part in so many of the time."""

TOLD_AT_ONCE = 500
"""Lines that are told as one: after a power cut all dial in, and the portal waits for no more."""

QUIET_MS = 300_000
"""A line without bytes is told this often: somebody is still in."""


class LineWatch:
    """Watches the lines of the one router of a site that has them; ``router`` stands for it."""

    def __init__(self, loop: Loop, box: Lines, router: str) -> None:
        self._loop = loop
        self._box = box
        self._router = router
        self._moved = asyncio.Event()
        self._troubled = False

    async def run(self) -> None:
        """Look until cancelled."""
        self._loop.listen(lambda _facts, _resync: self._notice())
        while True:
            took_ms = await self._look()
            self._moved.clear()
            rest_ms = max(REST_MS, LOOK_SHARE * took_ms)
            await self._loop.wait(asyncio.Event().wait(), at_most_ms=rest_ms)
            await self._loop.wait(self._moved.wait(), at_most_ms=LOOK_MS)

    def status(self) -> dict[str, object]:
        """What ``lango-agent status`` says of it."""
        state = self._loop.state
        dials = (one.dial for one in state.sessions.values())
        online = sum(dial is not None and dial.nas == self._router for dial in dials)
        return {"pppoe_secrets": len(state.logins), "pppoe_sessions": online}

    async def _look(self) -> int:
        """Look once, and tell what is new; how many milliseconds the router took."""
        began = time.monotonic()
        try:
            seen = await self._box.lines()
        except PlaneError as error:
            if not self._troubled:
                log.warning("trouble", part="lines", error=str(error))
            self._troubled = True
            self._loop.mend()
            return 0
        took_ms = int((time.monotonic() - began) * 1_000)
        if self._troubled:
            # With other routers that answered all the time, nobody would tell it before long.
            self._loop.mend()
        self._troubled = False
        accounts = tuple(news(self._loop.state, seen, self._router, self._loop.now().mono))
        for first in range(0, len(accounts), TOLD_AT_ONCE):
            # Waited for: what was told and is not yet decided would be news at the next look.
            await self._loop.kept(Lined(accounts[first : first + TOLD_AT_ONCE]))
        for session_id in missed(self._loop.state, seen, self._router, self._loop.now().mono):
            await self._loop.kept(Lost(session_id))
        return took_ms

    def _notice(self) -> None:
        state = self._loop.state
        dials = (state.sessions[key].dial for key in state.ending)
        if any(dial is not None and dial.nas == self._router for dial in dials):
            self._moved.set()


def news(
    state: State, seen: Mapping[str, LineSeen], router: str, mono: MonotonicMs
) -> Iterator[Account]:
    """What is to be told of lines that were looked at. PURE."""
    every_ms = min(REPORT_MAX_MS, max(REPORT_MS, len(seen) * 1_000 // READINGS_PER_S))
    for name, line in seen.items():
        account = _account(name, line, router)
        place = dial_place(router, name)
        key = state.index.by_dial.get(place)
        if key is None:
            last = state.hung_up.get(place)
            late = last is not None and _is_of(last, account) and _grew(last, account)
            if line.caller is not None or late:
                yield account
            continue
        session = state.sessions[key]
        known = session.dial is not None and account.mark in session.dial.marks
        since_ms = mono - session.reported_at
        due = (since_ms >= every_ms and _grew(session, account)) or _spent(state, session, account)
        if not known or due or mono - session.heard_at >= QUIET_MS:
            yield account


def missed(
    state: State, seen: Mapping[str, LineSeen], router: str, mono: MonotonicMs
) -> Iterator[SessionId]:
    """The sessions of lines that a router that was looked at does not have any more. PURE.

    Somebody else's secret may have the name by now; a place that nobody uses is for others.
    """
    for session in state.sessions.values() if seen else ():
        dial = session.dial
        if dial is None or dial.nas != router or dial.key in seen:
            continue
        if mono - session.heard_at >= 2 * QUIET_MS:
            yield session.id


def _account(name: str, line: LineSeen, router: str) -> Account:
    caller, counter = line.caller, line.counter
    return Account(
        nas=router,
        status=AccountStatus.STOP if caller is None else AccountStatus.START,
        mark=f"{counter.epoch} {'' if caller is None else caller.key}".encode(),
        key=name,
        login=name,
        mac=NO_MAC if caller is None else caller.mac,
        address="" if caller is None else caller.address,
        seconds=0 if caller is None else caller.seconds,
        down_bytes=counter.down_bytes_total,
        up_bytes=counter.up_bytes_total,
    )


def _is_of(session: Session, account: Account) -> bool:
    """Whether the line's counter is the one that counted the session."""
    life = account.mark.partition(b" ")[0]
    marks = () if session.dial is None else session.dial.marks
    return any(mark.partition(b" ")[0] == life for mark in marks)


def _grew(session: Session, account: Account) -> bool:
    """Whether more was counted than is known."""
    base = NO_VOLUME if session.dial is None else session.dial.base
    known = base + session.meter.usage
    return (account.down_bytes, account.up_bytes) != (known.down_bytes, known.up_bytes)


def _spent(state: State, session: Session, account: Account) -> bool:
    """Whether more was counted, and with that nothing is left of the grant's bytes."""
    use = state.grants[session.grant_id]
    if session.closed is not None or not capped(use):
        return False
    base = NO_VOLUME if session.dial is None else session.dial.base
    known = (base + session.meter.usage).total_bytes
    more = (account.down_bytes or 0) + (account.up_bytes or 0) - known
    siblings = (state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ()))
    left = grants.left_bytes(use, grants.used_bytes(use, siblings))
    return left is not None and 0 < more >= left
