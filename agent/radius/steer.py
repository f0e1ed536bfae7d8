"""Holds NASes to what the site wants of their sessions, and asks what became of one.

What is wanted follows from the site's state; what a NAS was told stands in the session. So nothing
here needs a memory: after a restart whatever differs is told again. An order that a NAS confirms is
not the end of it: an ended session must be told as stopped, or be unknown when it is asked again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agent import log
from agent.desired import rate_now
from agent.model import AccountStatus, Dial, Lost, Noticed, Steered, dial_place
from agent.radius import rates, steering
from agent.radius.line import Line
from agent.radius.packets import UNPAID
from agent.radius.steering import Said
from agent.radius.verdict import good_of, welcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from agent.loop import Loop
    from agent.model import Account, Session
    from agent.radius.settings import Nas, Radius
    from agent.radius.steering import Order
    from billing.ids import SessionId

LOOK_MS = 1_000
REST_US = 500
"""Rest after a look for each session: some twenty times what the look took."""

GRACE_MS = 1_000
"""A session so young may yet be confirmed to be as it was let in."""

AGAIN_MS = (2_000, 5_000, 10_000, 30_000, 60_000)
"""When an order is given once more; the last one repeats, and is when who was silent is asked."""

DEAF_AFTER = 3
"""Orders in vain before staff are told."""

DEAF_AGAIN_MS = 3_600_000
INTERIMS_MISSED = 3
STRAYS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class _Tried:
    failures: int
    again_at: int


class Steer:
    """The orders of one site to its NASes."""

    def __init__(self, loop: Loop, radius: Radius) -> None:
        self.again_ms: tuple[int, ...] = AGAIN_MS
        self._loop = loop
        self._radius = radius
        self._nases = {nas.name: nas for nas in radius.nases}
        self._lines = {nas.name: Line(nas, radius) for nas in radius.nases}
        self._tried: dict[str, _Tried] = {}
        self._deaf_again_at: dict[str, int] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._shaking: dict[SessionId, asyncio.Task[Said]] = {}
        self._strays: OrderedDict[str, Dial] = OrderedDict()
        self._waiting: OrderedDict[str, Dial] = OrderedDict()
        self._moved = asyncio.Event()
        self._seen: Mapping[SessionId, Session] | None = None

    async def run(self) -> None:
        """Look at every session, whenever something changed and now and then.

        A look at many takes long, and accounts of many change something all the time: it rests.
        """
        self._loop.listen(lambda _facts, _resync: self._notice())
        try:
            while True:
                self.look()
                self._moved.clear()
                await self._loop.wait(asyncio.Event().wait(), at_most_ms=self._rest_ms())
                await self._loop.wait(self._moved.wait(), at_most_ms=LOOK_MS)
        finally:
            for task in (*self._asking.values(), *self._shaking.values()):
                task.cancel()
            for line in self._lines.values():
                line.close()

    def heard(self, nas: Nas, account: Account) -> None:
        """A NAS told something that is written down: look at what it calls by a name unknown here.

        What neither was let in here nor has a name that is known is the NAS's own affair.
        """
        place = dial_place(account.nas, account.key)
        self._waiting.pop(place, None)
        if account.status not in {AccountStatus.START, AccountStatus.INTERIM}:
            self._strays.pop(place, None)
            return
        state = self._loop.state
        dial = Dial(nas=account.nas, key=account.key, login=account.login, address=account.address)
        session_id = state.index.by_dial.get(place)
        session = None if session_id is None else state.sessions[session_id]
        if account.grant_id == UNPAID:
            _put(self._waiting, place, dial)
        elif session is None and (account.grant_id or account.login.lower() in state.logins):
            _put(self._strays, place, dial)
        elif session is not None and self._is_as_let_in(session, account, nas):
            self._loop.hint(Steered(session.id, self._wanted(nas, session)))

    async def ask(self, session: Session) -> Said:
        """Whether the NAS of a session knows it: it is told again what it is held to.

        However many want to know it at a time, it is asked once.
        """
        dial = session.dial
        if dial is None or dial.nas not in self._nases:
            return Said.SILENT
        asked = self._shaking.get(session.id)
        if asked is None:
            change = self._change(self._nases[dial.nas], session, dial)
            asked = asyncio.ensure_future(self._lines[dial.nas].ask(change))
            self._shaking[session.id] = asked
            asked.add_done_callback(lambda _: self._shaking.pop(session.id, None))
        return await asyncio.shield(asked)

    def look(self) -> None:
        """Give every order that is due."""
        mono, state = self._loop.now().mono, self._loop.state
        for session in state.sessions.values():
            dial = session.dial
            if dial is None or dial.nas not in self._nases or not self._is_due(session.id, mono):
                continue
            if self._is_wanting(session, dial, mono):
                self._begin(session.id, self._settle(session, dial))
        for place, dial in list(self._waiting.items()):
            login = state.logins.get(dial.login.lower())
            if login is not None and good_of(state, login.cause, self._loop.now()):
                del self._waiting[place]
                _put(self._strays, place, dial)
        for place, dial in list(self._strays.items()):
            if dial.nas in self._nases and self._is_due(place, mono):
                self._begin(place, self._end_stray(place, dial))
        for key in self._tried.keys() - state.sessions.keys() - self._strays.keys():
            del self._tried[key]

    def _rest_ms(self) -> int:
        return min(LOOK_MS, len(self._loop.state.sessions) * REST_US // 1_000)

    def _notice(self) -> None:
        if self._loop.state.sessions is not self._seen:
            self._seen = self._loop.state.sessions
            self._moved.set()

    def _is_due(self, key: str, mono: int) -> bool:
        tried = self._tried.get(key)
        return key not in self._asking and (tried is None or tried.again_at <= mono)

    def _is_wanting(self, session: Session, dial: Dial, mono: int) -> bool:
        """Whether there is something to tell or to ask the NAS."""
        if session.closed is not None:
            return True
        opened = session.opened_at
        if opened.boot == self._loop.now().boot and mono - opened.mono < GRACE_MS:
            return False
        silent_ms = (INTERIMS_MISSED * self._radius.interim_s + 60) * 1_000
        if mono - session.heard_at >= silent_ms:
            return True
        return dial.told != self._wanted(self._nases[dial.nas], session)

    def _begin(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._asking[key] = task
        task.add_done_callback(lambda _: self._asking.pop(key, None))

    async def _settle(self, session: Session, dial: Dial) -> None:
        """Bring one session to what is wanted of it, as far as its NAS obeys."""
        nas = self._nases[dial.nas]
        if session.closed is not None:
            said = await self._lines[nas.name].ask(self._end(nas, dial))
        else:
            wanted = self._wanted(nas, session)
            said = await self._lines[nas.name].ask(self._change(nas, session, dial))
            if said is Said.DONE:
                self._tried.pop(session.id, None)
                if wanted != dial.told:
                    await self._loop.tell(Steered(session.id, wanted))
                else:
                    self._failed(session.id, nas, said, quiet=True)
                return
        if said is Said.UNKNOWN:
            await self._loop.tell(Lost(session.id))
        self._failed(session.id, nas, said)

    async def _end_stray(self, place: str, dial: Dial) -> None:
        nas = self._nases[dial.nas]
        said = await self._lines[nas.name].ask(self._end(nas, dial))
        if said is Said.UNKNOWN:
            self._strays.pop(place, None)
        self._failed(place, nas, said)

    def _failed(self, key: str, nas: Nas, said: Said, *, quiet: bool = False) -> None:
        """Try again later; a confirmed end counts as tried until the session is really gone."""
        before = self._tried.get(key)
        failures = 1 if before is None else before.failures + 1
        turn = len(self.again_ms) if quiet else min(failures, len(self.again_ms))
        wait = self.again_ms[turn - 1]
        self._tried[key] = _Tried(failures, self._loop.now().mono + wait)
        if failures >= DEAF_AFTER and said is not Said.UNKNOWN and not quiet:
            self._deaf(nas, said)

    def _deaf(self, nas: Nas, said: Said) -> None:
        """Tell staff, once in a while for all sessions of a NAS."""
        mono = self._loop.now().mono
        if mono >= self._deaf_again_at.get(nas.name, mono):
            self._deaf_again_at[nas.name] = mono + DEAF_AGAIN_MS
            log.warning("radius", nas=nas.name, order="not carried out", answer=said.value)
            text = f"NAS {nas.name} does not carry out orders ({said.value}): is its CoA port open?"
            self._loop.hint(Noticed(code="nas_deaf", text=text))

    def _wanted(self, nas: Nas, session: Session) -> str:
        state = self._loop.state
        use = state.grants[session.grant_id]
        return steering.wanted(nas, rate_now(state, use), use.grant.limits)

    def _change(self, nas: Nas, session: Session, dial: Dial) -> Callable[[int], Order]:
        state = self._loop.state
        wanted = welcome(state, state.grants[session.grant_id], self._loop.now())
        return lambda number: steering.change(nas, dial, wanted, number=number)

    def _is_as_let_in(self, session: Session, account: Account, nas: Nas) -> bool:
        """Whether a session just began, and its NAS was told all when it was let in.

        Who dials in decides how long after that it begins, and the speed may be another by then.
        """
        state = self._loop.state
        fresh = session.dial is not None and not session.dial.told
        started = account.status is AccountStatus.START
        if not (fresh and started and account.grant_id == session.grant_id):
            return False
        return account.rate == rates.mark(nas.kind, rate_now(state, state.grants[session.grant_id]))

    @staticmethod
    def _end(nas: Nas, dial: Dial) -> Callable[[int], Order]:
        return lambda number: steering.end(nas, dial, number=number)


def _put(dials: OrderedDict[str, Dial], place: str, dial: Dial) -> None:
    dials[place] = replace(dial)
    while len(dials) > STRAYS_MAX:
        dials.popitem(last=False)
