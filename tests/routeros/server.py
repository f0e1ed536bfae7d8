"""Connections to a box: sign-in of every age, tags, streams, and faults on the way out."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from tests.routeros.commands import Answer, Caller, Stream, attributes_of, run
from tests.routeros.schema import INTERRUPTED, Trap
from tests.routeros.texts import Version, commas
from tests.routeros.words import ControlByte, Parser, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.routeros.box import Box
    from tests.routeros.table import Row

READ_BYTES = 65_536
STRANGER_BYTES_MAX = 16_384
"""What somebody may send before he has signed in."""

ROWS_AT_A_TIME = 40
"""After so many rows of one answer, answers to other tags get their turn."""

NEW_SIGN_IN = Version(6, 43)
OLD_SIGN_IN_ENDS = Version(6, 45, 1)
SESSIONS_ARE_LIMITED = Version(7, 16)
TRUE_IS_DEAD = Version(7)
BAD_SIGN_IN = {True: "invalid user name or password (6)", False: "cannot log in"}


@dataclass(slots=True)
class Door:
    """The API of a box: who is connected now, and what goes wrong there."""

    box: Box
    sessions: set[Session] = field(default_factory=set)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def cut_all(self) -> None:
        """The box is down: every connection is gone at once."""
        for session in tuple(self.sessions):
            session.cut()

    async def empty(self) -> None:
        """Wait until nobody is connected any more."""
        while self.sessions:
            self.left.clear()
            await self.left.wait()

    def opens(self, service: str) -> Callable[..., Coroutine[None, None, None]]:
        """What is done with each new connection of ``service``: api or api-ssl."""

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            session = Session(self, service, reader, writer)
            self.sessions.add(session)
            try:
                if self.admits(session):
                    await session.live()
            except (ConnectionError, TimeoutError):
                pass
            finally:
                session.end()
                self.sessions.discard(session)
                self.left.set()

        return meet

    def admits(self, session: Session) -> bool:
        """Whether a connection may stay; one too many is closed as soon as it is made."""
        row = self.box.table("/ip/service").find(session.service)
        assert row is not None, "a box always has its services"
        allowed = commas(row.words["address"])
        peer = ip_address(session.peer)
        if row.on("disabled") or (allowed and not any(peer in ip_network(a) for a in allowed)):
            return False
        of_service = sum(1 for s in self.sessions if s.service == session.service)
        return of_service <= self.sessions_max(row)

    def sessions_max(self, row: Row) -> int:
        """How many connections one service takes."""
        if self.box.version >= SESSIONS_ARE_LIMITED:
            return int(row.words["max-sessions"])
        return self.box.setup.sessions_max


@dataclass(slots=True, eq=False)
class Session:
    """One connection.

    Commands take effect in the order in which they arrive; answers to tagged
    ones go out side by side, answers without a tag one after the other.
    """

    door: Door
    service: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    caller: Caller | None = None
    challenge: bytes = b""
    mute: bool = False
    over: bool = False
    stranger_bytes: int = 0
    turn: int = 0
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    loose: set[asyncio.Task[None]] = field(default_factory=set)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    presence: Row | None = None

    @property
    def box(self) -> Box:
        """The box that this is a connection to."""
        return self.door.box

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return str(self.writer.get_extra_info("peername")[0])

    async def live(self) -> None:
        """Everything from the first byte to the last."""
        parser = Parser()
        while not self.over and (octets := await self.reader.read(READ_BYTES)):
            if self.caller is None:
                self.stranger_bytes += len(octets)
                if self.stranger_bytes > STRANGER_BYTES_MAX:
                    await self.fatal("too many commands before login")
                    return
            try:
                for sentence in parser.feed(octets):
                    await self.got(sentence)
                    if self.over:
                        return
            except ControlByte:
                return

    def cut(self) -> None:
        """The connection is reset."""
        self.over = True
        self.writer.transport.abort()

    def end(self) -> None:
        """Nothing of this connection is left."""
        for task in (*self.tasks.values(), *self.loose):
            task.cancel()
        self.writer.close()
        table = self.box.table("/user/active")
        if self.presence is not None and table.by_number.get(self.presence.number) is self.presence:
            table.remove(self.presence)

    async def got(self, sentence: list[str]) -> None:
        """One sentence has arrived."""
        self.box.sentences += 1
        tag = next((w[5:] for w in sentence[1:] if w.startswith(".tag=")), "")
        if sentence[0] == "/login":
            await self.sign_in(sentence, tag)
        elif self.caller is None:
            await self.refuse(Trap("not logged in"), tag)
        elif sentence[0] == "/quit":
            await self.fatal("session terminated on request")
        elif sentence[0] == "/cancel":
            await self.cancel(attributes_of(sentence).get("tag"), tag)
        else:
            await self.command(self.caller, sentence, tag)

    async def command(self, caller: Caller, sentence: list[str], tag: str) -> None:
        """Carry out one command and answer it."""
        fate = self.box.struck.getting()
        if fate == "trap":
            trap = ["!trap", "=category=4", "=message=failure: try again"]
            await self.send([trap, trap, ["!done"]], tag)
            return
        try:
            answer = run(self.box, caller, sentence)
        except Trap as trap:
            self.start(self.refuse(trap, tag), tag)
        else:
            if fate == "reboot":
                self.box.reboot()
            await self.reply(answer, sentence[0], tag)

    async def reply(self, answer: Answer, told: str, tag: str) -> None:
        """Answer what was done: beside others when it has a tag."""
        answering = self.answer(answer, told.rpartition("/")[0], tag)
        faults = self.box.faults
        waits = faults.out_of_order or faults.slow_s or answer.rows or answer.stream
        if tag and waits:
            self.start(answering, tag)
        else:
            await answering
        if told == "/system/reboot":
            self.box.reboot()

    def start(self, answering: Coroutine[None, None, None], tag: str) -> None:
        """Let an answer go out beside the others."""
        task = asyncio.ensure_future(answering)
        self.loose.add(task)
        task.add_done_callback(self.loose.discard)
        if tag:
            self.tasks[tag] = task
            task.add_done_callback(lambda done: self.forget(tag, done))

    def forget(self, tag: str, done: asyncio.Task[None]) -> None:
        """An answer is whole: its tag is free."""
        if self.tasks.get(tag) is done:
            del self.tasks[tag]

    async def answer(self, answer: Answer, path: str, tag: str) -> None:
        """Rows in small lots, then the last sentence, or a stream until it is cancelled."""
        struck = self.box.struck
        await self.hesitate(path, tag)
        rows = [self.turned(words) for words in struck.rows(path, answer.rows)]
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            await self.send(rows[start : start + ROWS_AT_A_TIME], tag)
            await asyncio.sleep(0)
        if answer.stream is not None:
            await self.stream(answer.stream, tag)
        await self.send([list(answer.last)], tag)

    def turned(self, words: list[str]) -> list[str]:
        """A row with its words in no order that anybody may rely on."""
        self.turn += 1
        at = 1 + self.turn * 7 % max(1, len(words) - 1)
        return [words[0], *words[at:], *words[1:at]]

    async def hesitate(self, path: str, tag: str) -> None:
        """Slowness, and turns left to others."""
        struck = self.box.struck
        faults = struck.faults
        if faults.slow_s and faults.slow_menu in ("", path):
            await asyncio.sleep(faults.slow_s)
        if tag and faults.out_of_order:
            for _ in range(struck.chance.randrange(12)):
                await asyncio.sleep(0)

    async def stream(self, stream: Stream, tag: str) -> None:
        """Changes of a menu as they come, or its rows again and again; ends by /cancel only."""
        if stream.every_s is not None:
            await self.repeat(stream, tag)
        table = self.box.table(stream.path)
        news: asyncio.Queue[tuple[Row, bool]] = asyncio.Queue()

        def watcher(row: Row, dead: bool) -> None:  # noqa: FBT001 - called by the table
            news.put_nowait((row, dead))

        table.watchers.append(watcher)
        try:
            while True:
                row, dead = await news.get()
                await self.tell(stream, row, tag, dead=dead)
        finally:
            if watcher in table.watchers:
                table.watchers.remove(watcher)

    async def tell(self, stream: Stream, row: Row, tag: str, *, dead: bool) -> None:
        """One change of a row that is asked for."""
        if dead:
            gone = "true" if self.box.version >= TRUE_IS_DEAD else "yes"
            await self.send([["!re", f"=.id={row.id}", f"=.dead={gone}"]], tag)
        elif stream.ask.sees(shown := self.box.shown(stream.path, row)):
            await self.send([stream.ask.sentence(shown)], tag)

    async def repeat(self, stream: Stream, tag: str) -> None:
        """The rows that are asked for, at each interval."""
        while True:
            await asyncio.sleep(stream.every_s or 0.0)
            shown = (self.box.shown(stream.path, r) for r in self.box.table(stream.path))
            rows = [stream.ask.sentence(s) for s in shown if stream.ask.sees(s)]
            await self.send(rows, tag)

    async def cancel(self, told: str | None, tag: str) -> None:
        """One command, or all of this connection, is interrupted."""
        for name, task in [(n, t) for n, t in self.tasks.items() if told in (None, n)]:
            task.cancel()
            self.forget(name, task)
            trap = ["!trap", f"=category={INTERRUPTED}", "=message=interrupted"]
            await self.send([trap, ["!done"]], name)
        await self.send([["!done"]], tag)

    async def refuse(self, trap: Trap, tag: str) -> None:
        """What was asked is not done."""
        category = [] if trap.category is None else [f"=category={trap.category}"]
        await self.hesitate("", tag)
        await self.send([["!trap", *category, f"=message={trap.message}"], ["!done"]], tag)

    async def fatal(self, reason: str) -> None:
        """The box ends the connection and says why."""
        await self.send([["!fatal", reason]], "")
        self.over = True

    async def send(self, sentences: list[list[str]], tag: str) -> None:
        """Sentences go out, as far as faults let them."""
        mark = [f".tag={tag}"] if tag else []
        lot = bytearray()
        fate = None
        for sentence in sentences:
            if self.mute or self.over:
                break
            fate = self.box.struck.sending()
            octets = encoded([sentence[0], *mark, *sentence[1:]])
            if fate is not None:
                lot += self.befallen(fate, octets)
                break
            self.box.sentences += 1
            lot += octets
        await self.write(bytes(lot))
        if fate == "reset":
            self.cut()
        if fate == "fatal":
            self.over = True
            self.writer.close()

    def befallen(self, fate: str, octets: bytes) -> bytes:
        """What still goes out of a sentence that something befalls."""
        self.mute = True
        if fate == "fatal":
            self.box.sentences += 1
            return encoded(["!fatal", "internal error"])
        return octets[: max(1, len(octets) // 2)] if fate == "cut" else b""

    async def write(self, octets: bytes) -> None:
        """Bytes go out, in one piece or in small parts, never mixed with others'."""
        async with self.writing:
            for part in self.box.struck.parts(octets):
                if not self.writer.is_closing():
                    self.writer.write(part)
                    await self.writer.drain()

    async def sign_in(self, sentence: list[str], tag: str) -> None:
        """Somebody says who he is, in the way of his time."""
        words = attributes_of(sentence)
        version = self.box.version
        old = version < OLD_SIGN_IN_ENDS and ("response" in words or "name" not in words)
        if version < NEW_SIGN_IN and "password" in words:
            words.pop("password")
            words = {} if "response" not in words else words
            old = True
        if old and "response" not in words:
            self.challenge = hashlib.md5(f"{self.box.entries}".encode()).digest()  # noqa: S324
            self.box.entries += 1
            await self.send([["!done", f"=ret={self.challenge.hex()}"]], tag)
        elif not self.knows(words, old=old):
            modern = version >= NEW_SIGN_IN
            self.box.log("system,error,critical", f"login failure for user {words.get('name')}")
            await self.send([["!trap", f"=message={BAD_SIGN_IN[modern]}"], ["!done"]], tag)
        else:
            self.arrived()
            await self.send([["!done"]], tag)

    def knows(self, words: dict[str, str], *, old: bool) -> bool:
        """Whether these words prove a user who may use the API; then he is the caller."""
        row = self.box.table("/user").find(words.get("name", ""))
        if row is None or row.on("disabled"):
            return False
        password = row.words.get("password", "")
        said = words.get("response" if old else "password", "")
        proof = password if not old else old_proof(password, self.challenge)
        group = self.box.table("/user/group").find(row.words["group"])
        rights = frozenset(commas(group.words["policy"])) if group else frozenset()
        right = hmac.compare_digest(said.encode(errors="replace"), proof.encode(errors="replace"))
        if not right or "api" not in rights or not self.may_come(row):
            return False
        self.caller = Caller(row.words["name"], rights)
        row.words["last-logged-in"] = self.box.stamp
        return True

    def may_come(self, row: Row) -> bool:
        """Whether the user may sign in from where he is."""
        allowed = commas(row.words.get("address", ""))
        return not allowed or any(ip_address(self.peer) in ip_network(a) for a in allowed)

    def arrived(self) -> None:
        """Somebody is in: the box writes it down."""
        assert self.caller is not None, "only who is known arrives"
        name, box = self.caller.name, self.box
        box.log("system,info,account", f"user {name} logged in from {self.peer} via api")
        words = {"when": box.stamp, "name": name, "address": self.peer, "via": "api"}
        self.presence = box.table("/user/active").add({**words, "radius": "false"}, box.now_s)


def old_proof(password: str, challenge: bytes) -> str:
    """What who knows the password answers to a challenge, before 6.43."""
    digest = hashlib.md5(b"\x00" + password.encode() + challenge)  # noqa: S324 - the protocol's
    return f"00{digest.hexdigest()}"
