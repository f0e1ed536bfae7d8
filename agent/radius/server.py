"""The two ports at which NASes ask and tell.

A question is answered at once, from memory; a wrong secret a moment later, when it is journalled.
After some of those one is looked at each minute (`agent.tries`). An account is answered when it is
journalled, and not at all while the disk takes nothing: the NAS tells it again. The same packet
from the same address gets the very same answer (RFC 5080, 2.2.2), and later on none, if somebody
was let in by it: it is played again. Who is not known by address gets none.
"""

from __future__ import annotations

import asyncio
import socket
from collections import ChainMap, Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from agent import log, tries
from agent.loop import NotKept
from agent.model import Accounted, Lost, Noticed, Redialled, Tried, Try, TryKind
from agent.radius import answers, packets, proofs
from agent.radius.packets import PACKET_BYTES_MAX, Alive, Doubt, Told
from agent.radius.steering import Said
from agent.radius.verdict import WRONG, Crowded, Refused, Welcome, has_had, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from agent.loop import Loop
    from agent.model import Session
    from agent.radius.packets import Access
    from agent.radius.settings import Nas, Radius
    from agent.radius.steer import Steer
    from agent.radius.verdict import Verdict

ANSWERS_MAX = 4_096
"""Answers that are kept for those who ask again."""

ANSWERS_KEPT_MS = 30_000
PROVEN_MAX = 20_000
"""Questions with a right secret that are remembered, so that none of them is played again later."""

TASKS_MAX = 2_000
"""Accounts and questions that may wait for the disk or for a NAS; beyond it they get no answer."""

REJECT_AFTER_S = 0.2
"""How long whoever has a wrong secret waits; RouterOS asks again after 0.3 s."""

REJECTS_MAX = 1_000
"""Answers that may wait for that; beyond it, secrets are not looked at."""

GUESSED_SHOWN = STRANGERS_SHOWN = 20
BIND_RETRY_S = 5
READ_AT_ONCE = 64
MAPPED = "::ffff:"
"""How the system writes an address of IPv4 at a port that listens to both."""

UNHEARD_INTERIMS = 2

Place = tuple[str, int]
"""An address and a port."""


@dataclass(frozen=True, slots=True)
class Came:
    """A packet, where it came from, and the way back."""

    raw: bytes
    sender: Place
    send: Callable[[bytes], object]

    @property
    def key(self) -> tuple[str, bytes]:
        """What a packet that is sent again has in common with the first.

        Whoever plays it again can choose the port, and what stands behind its end.
        """
        return self.sender[0], self.raw[: int.from_bytes(self.raw[2:4])]


class Server:
    """The site's RADIUS. ``tally`` counts what came, by what became of it."""

    def __init__(self, loop: Loop, radius: Radius, steer: Steer) -> None:
        self.tally: Counter[str] = Counter()
        self.ready = asyncio.Event()
        self._loop = loop
        self._radius = radius
        self.steer = steer
        self._nases = {str(nas.address): nas for nas in radius.nases}
        self._answers: OrderedDict[tuple[str, bytes], tuple[int, bytes]] = OrderedDict()
        self._tasks: dict[tuple[str, bytes], asyncio.Task[None]] = {}
        self._guesses: dict[str, Try] = {}
        self._rejects = 0
        self._doubted: dict[str, Doubt] = {}
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._proven: OrderedDict[bytes, None] = OrderedDict()

    async def run(self) -> None:
        """Answer until cancelled; a port that is taken is waited for."""
        self._warn()
        ports: list[_Port] = []
        try:
            for port, take in (
                (self._radius.auth_port, self.asked),
                (self._radius.acct_port, self.told),
            ):
                ports.append(await self._bound(port, take))
            self.ready.set()
            await asyncio.Event().wait()
        finally:
            for one in ports:
                one.close()
            for task in list(self._tasks.values()):
                task.cancel()

    def status(self) -> dict[str, object]:
        """What ``lango-agent status`` says of it."""
        dials = sum(one.dial is not None for one in self._loop.state.sessions.values())
        return {
            "radius_nases": len(self._nases),
            "radius_logins": len(self._loop.state.logins),
            "radius_sessions": dials,
            "radius_packets": dict(sorted(self.tally.items())),
            "radius_strangers": list(self._strangers),
            "radius_doubted": [f"{name}: {why}" for name, why in sorted(self._doubted.items())],
            "radius_guessed": self._guessed()[:GUESSED_SHOWN],
            "radius_without_message_authenticator": list(self._radius.weak),
        }

    def asked(self, came: Came) -> None:
        """A packet came to the port where access is asked for."""
        nas = self._known(came)
        if nas is None:
            return
        found = packets.asked(came.raw, nas)
        self._weigh(found, nas)
        match found:
            case Doubt():
                pass
            case Alive() as alive:
                self._answer(came, answers.here(alive))
            case _ if _digest(came) in self._proven:
                self.tally["played_again"] += 1
            case access:
                self._judge(access, nas, came)

    def told(self, came: Came) -> None:
        """A packet came to the port where accounts are told."""
        nas = self._known(came)
        if nas is None:
            return
        found = packets.told(came.raw, nas)
        self._weigh(found, nas)
        match found:
            case Doubt():
                pass
            case Alive() as alive:
                self._answer(came, answers.here(alive))
            case Told(account=None) as told:
                self._answer(came, answers.noted(told))
            case told:
                self._later(came, self._keep(told, nas, came))

    def _weigh(self, found: object, nas: Nas) -> None:
        """Remember why a NAS gets no answer, until it does: most often its secret is another."""
        if isinstance(found, Doubt):
            self.tally[found.value] += 1
            self._doubted[nas.name] = found
        else:
            self._doubted.pop(nas.name, None)

    def _known(self, came: Came) -> Nas | None:
        """Which NAS sent this, if it is to be looked at at all."""
        nas = self._nases.get(came.sender[0].removeprefix(MAPPED))
        if nas is None:
            self._meet(came.sender[0])
            return None
        if came.key in self._tasks:
            return None
        kept = self._answers.get(came.key)
        if kept is not None and self._loop.now().mono - kept[0] < ANSWERS_KEPT_MS:
            self.tally["again"] += 1
            came.send(kept[1])
            return None
        return nas

    def _meet(self, address: str) -> None:
        """Remember who asks and is nobody here: most often a NAS with another address."""
        self.tally["unknown_nas"] += 1
        self._strangers[address] = None
        self._strangers.move_to_end(address)
        if len(self._strangers) > STRANGERS_SHOWN:
            self._strangers.popitem(last=False)

    def _judge(
        self,
        access: Access,
        nas: Nas,
        came: Came,
    ) -> None:
        if self._rejects >= REJECTS_MAX:
            self.tally["too_many"] += 1
            return
        slot = self._slot(access, nas)
        if slot is None:
            self.tally["held_off"] += 1
            self._reject(access, Refused(WRONG, proofs.refused(access)), nas, came)
            return
        found = verdict(self._loop.state, access, self._loop.now())
        if isinstance(found, Crowded):
            self._later(came, self._make_room(access, found, nas, came))
        elif isinstance(found, Refused) and found.why == WRONG:
            self.tally["refused"] += 1
            self._reject(access, found, nas, came, slot=slot)
        else:
            self._say(access, found, nas, came)

    def _slot(self, access: Access, nas: Nas) -> str | None:
        """Under which name a wrong secret is to be noted; "" not at all, None: do not look at it.

        Who has the line, or had it last, is held off by nobody's guesses but their own.
        """
        state, now = self._loop.state, self._loop.now().mono
        if access.name not in state.logins:
            return ""
        # Invariant: what is not journalled yet counts too, or a guesser would ask all at once.
        known = ChainMap(self._guesses, cast("dict[str, Try]", state.tries))
        found = None
        if not tries.is_stormy(state.tries, now):
            found = tries.slot(known, f"{nas.name}//{access.name}", now)
        if found is None and has_had(state, access.name, access.mac):
            found = tries.slot(known, f"{nas.name}/{access.mac}/{access.name}", now)
        return found

    def _reject(
        self, access: Access, found: Refused, nas: Nas, came: Came, *, slot: str = ""
    ) -> None:
        """Have somebody with a wrong secret told so, later."""
        guess = Try(
            TryKind.LOGIN, access.mac, f"{access.name} at {nas.name}", self._loop.now().mono
        )
        no = answers.answer(access, found, nas, self._radius)
        if not self._later(came, self._tell_no(no, came, guess, slot)):
            return
        self._rejects += 1
        if slot:
            self._guesses[slot] = guess

    async def _tell_no(self, no: bytes, came: Came, guess: Try, slot: str) -> None:
        """Say no after a moment; a guess is on the disk before anybody hears that it was wrong."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(asyncio.sleep(REJECT_AFTER_S))
                if slot:
                    both.create_task(self._loop.kept(Tried(guess, slot)))
        finally:
            self._rejects -= 1
            self._guesses.pop(slot, None)
        self._answer(came, no)

    def _guessed(self) -> list[str]:
        """The logins, and at which NAS, that somebody guesses secrets of."""
        return tries.guessed(self._loop.state.tries, self._loop.now().mono)

    def _say(
        self,
        access: Access,
        found: Verdict,
        nas: Nas,
        came: Came,
    ) -> None:
        self.tally["accepted" if isinstance(found, Welcome) else "refused"] += 1
        if not isinstance(found, Refused):
            self._proven[_digest(came)] = None
            if len(self._proven) > PROVEN_MAX:
                self._proven.popitem(last=False)
        self._answer(came, answers.answer(access, found, nas, self._radius))

    async def _make_room(
        self,
        access: Access,
        crowded: Crowded,
        nas: Nas,
        came: Came,
    ) -> None:
        """Ask who holds the places; ghosts give way, and so does a line of the very same device."""
        await asyncio.gather(*(self._shaken(one, access) for one in crowded.sessions))
        found = verdict(self._loop.state, access, self._loop.now())
        self._say(access, found, nas, came)

    async def _shaken(self, session: Session, access: Access) -> None:
        if session.dial is None:
            return
        if session.mac == access.mac:
            await self._loop.kept(Redialled(session.id))
            return
        said = await self.steer.ask(session)
        unheard_ms = self._loop.now().mono - session.heard_at
        limit_ms = (UNHEARD_INTERIMS * self._radius.interim_s + 60) * 1_000
        if said is Said.UNKNOWN:
            await self._loop.kept(Lost(session.id))
        elif said is Said.SILENT and unheard_ms >= limit_ms:
            await self._loop.kept(Redialled(session.id))

    async def _keep(self, told: Told, nas: Nas, came: Came) -> None:
        assert told.account is not None, "what means nothing is not kept"
        try:
            await self._loop.kept(Accounted(told.account))
        except NotKept:
            self.tally["not_kept"] += 1
            return
        self.tally["accounts"] += 1
        self._answer(came, answers.noted(told))
        self.steer.heard(nas, told.account)

    def _later(self, came: Came, work: Coroutine[Any, Any, None]) -> bool:
        if len(self._tasks) >= TASKS_MAX:
            work.close()
            self.tally["too_many"] += 1
            return False
        task = asyncio.ensure_future(work)
        self._tasks[came.key] = task
        task.add_done_callback(lambda done: self._done(came.key, done))
        return True

    def _done(self, key: tuple[str, bytes], task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("radius", error=repr(error))

    def _answer(self, came: Came, answer: bytes) -> None:
        self._answers[came.key] = (self._loop.now().mono, answer)
        if len(self._answers) > ANSWERS_MAX:
            self._answers.popitem(last=False)
        came.send(answer)

    def _warn(self) -> None:
        if not self._radius.weak:
            return
        names = ", ".join(self._radius.weak)
        log.warning("radius", without_message_authenticator=names)
        text = f"{names}: requests are believed without a Message-Authenticator (CVE-2024-3596)"
        self._loop.hint(Noticed(code="radius_weak", text=text))

    async def _bound(self, port: int, take: Callable[[Came], None]) -> _Port:
        while True:
            try:
                return _Port(str(self._radius.listen), port, take)
            except OSError as error:
                log.warning("trouble", part="radius", port=port, error=str(error))
                await asyncio.sleep(BIND_RETRY_S)


def _digest(came: Came) -> bytes:
    return sha256(came.key[1]).digest()[:16]


class _Port:
    """One port: hands packets over, with the way back.

    All that wait are read in one go, as far as `READ_AT_ONCE`: asyncio's own reads one a turn.
    """

    def __init__(self, address: str, port: int, take: Callable[[Came], None]) -> None:
        """Bind. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._take = take
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)  # noqa: FBT003 - the library's
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Give the port back."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                raw, sender = self._socket.recvfrom(PACKET_BYTES_MAX)
            except OSError:
                return
            self._take(Came(raw, (sender[0], sender[1]), partial(self._send, sender)))

    def _send(self, sender: Any, answer: bytes) -> None:
        # Whoever gets no answer, because a buffer is full, asks again.
        with suppress(OSError):
            self._socket.sendto(answer, sender)
