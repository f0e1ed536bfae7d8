"""A site that answers RADIUS on this machine's loopback, FreeRADIUS's radclient, and a small NAS.

radclient is the foreign witness: it knows nothing of us. The NAS is ours, and knows only RFC 5176.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, cast

from pyrad.packet import CoAACK, CoANAK, CoAPacket, DisconnectACK, DisconnectNAK

from agent.clock import SystemClock
from agent.journal import Journal, JournalError
from agent.loop import Loop
from agent.model import Changed
from agent.radius import words
from agent.radius.server import Server
from agent.radius.settings import Kind, Nas, Radius, Unpaid
from agent.radius.steer import Steer
from agent.uplink.memory import MemoryController, grant_item, login_item
from agent.uplink.seam import AppliedState
from shaping.memory import MemoryPlane
from tests.support.site import some_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.clock import Clock
    from agent.model import Fact, State

HERE = "127.0.0.1"
NAS_SECRET = "a secret of this nas"
NAME, SECRET, CAUSE = "wanjiku", "kiboko-7-simba", "sub:1"
MAC = "02:00:00:00:00:0A"
ANSWER_S, NO_ANSWER_S = 5, 0.3
"""How long an answer is waited for, and how long one that must not come."""

RADCLIENT_S = 20


@dataclass
class Answer:
    """What radclient printed: the kind of packet, and its attributes in order."""

    kind: str
    pairs: list[tuple[str, str]]
    text: str

    def __getitem__(self, name: str) -> str:
        found = [value for key, value in self.pairs if key == name]
        assert found, f"no {name} in {self.text}"
        return found[0]

    @property
    def names(self) -> list[str]:
        """The attributes by name."""
        return [key for key, _ in self.pairs]


@dataclass
class Dialled:
    """One session at the small NAS."""

    login: str
    address: str
    words: dict[str, Any] = field(default_factory=dict)


class SmallNas(asyncio.DatagramProtocol):
    """Carries out CoA and Disconnect requests, and remembers them; as stubborn as a test wants."""

    def __init__(self, secret: str = NAS_SECRET) -> None:
        self.secret = secret.encode()
        self.sessions: dict[str, Dialled] = {}
        self.seen: list[tuple[str, str]] = []
        self.stubborn = False
        self.silent = False
        self.lies = False
        self.asked = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        packet = CoAPacket(packet=data, secret=self.secret, dict=words.dictionary())
        assert packet.VerifyCoARequest(), "an order that is not signed"
        key, kind = packet["Acct-Session-Id"][0], "end" if data[0] == 40 else "change"
        self.seen.append((kind, key))
        self.asked.set()
        if self.silent:
            return
        session = self.sessions.get(key)
        reply = packet.CreateReply()
        if session is None or packet["User-Name"][0] != session.login:
            reply.code = DisconnectNAK if kind == "end" else CoANAK
            reply.AddAttribute("Error-Cause", 503)
        elif self.stubborn:
            reply.code = DisconnectNAK if kind == "end" else CoANAK
            reply.AddAttribute("Error-Cause", 501)
        else:
            reply.code = DisconnectACK if kind == "end" else CoAACK
            if kind == "end" and not self.lies:
                del self.sessions[key]
            session.words |= {name: packet[name][0] for name in packet.keys()}  # noqa: SIM118 - names, where iterating gives numbers
        self.transport.sendto(reply.ReplyPacket(), addr)

    async def until(self, *wanted: tuple[str, str]) -> None:
        """Until it has seen these orders."""
        async with asyncio.timeout(15):
            while not set(wanted) <= set(self.seen):
                self.asked.clear()
                await self.asked.wait()


class ShakyJournal(Journal):
    """A journal whose disk can take nothing."""

    broken = False

    def commit(self, state: State, facts: Sequence[Fact], at: datetime) -> bool:
        if self.broken:
            raise JournalError("the disk is full")
        return super().commit(state, facts, at)


@dataclass
class RadiusSite:
    """A site at work: its loop and journal are real, and so are its ports."""

    loop: Loop
    server: Server
    controller: MemoryController
    nas: SmallNas
    journal: ShakyJournal
    radius: Radius

    async def put(self, *items: tuple[str, bytes]) -> None:
        """Have the controller tell the site items."""
        for key, body in items:
            self.controller.put_item(key, body)
        await self._tell()

    async def drop(self, key: str) -> None:
        """Have the controller take an item back."""
        self.controller.drop_item(key)
        await self._tell()

    async def until(self, so: Callable[[], bool]) -> None:
        """Until the loop has brought it there."""
        turned = asyncio.Event()
        self.loop.listen(lambda _facts, _resync: turned.set())
        async with asyncio.timeout(15):
            while not so():
                turned.clear()
                await turned.wait()

    async def swap(self, item: tuple[str, bytes], gone: str) -> None:
        """Have the controller tell an item in place of another, in one generation."""
        self.controller.swap_item(item, gone)
        await self._tell()

    async def _tell(self) -> None:
        known = AppliedState(self.loop.state.generation, self.loop.state.digest)
        while (step := self.controller.since(known)) is not None:
            await self.loop.done(Changed(step))
            known = AppliedState(self.loop.state.generation, self.loop.state.digest)

    async def subscribe(self, name: str = NAME, *, cause: str = CAUSE, **limits: Any) -> None:
        """A subscriber with a login and a grant."""
        allowed = some_limits(**limits)
        await self.put(
            login_item(name, SECRET, cause),
            grant_item("g1", limits=allowed, devices=(), cause_id=f"{cause}:20260301"),
        )

    async def ask(
        self, *lines: str, secret: str = NAS_SECRET, kind: str = "auth", wait_s: float = ANSWER_S
    ) -> Answer | None:
        """Let radclient ask; None when it got no answer."""
        port = self.radius.acct_port if kind == "acct" else self.radius.auth_port
        return await radclient(f"{HERE}:{port}", kind, secret, "\n".join(lines), wait_s=wait_s)

    async def dial(
        self, password: str = SECRET, *, name: str = NAME, mac: str = MAC
    ) -> Answer | None:
        """Ask for access as a PPPoE concentrator does, with a password."""
        asked = (f'User-Name = "{name}"', f'User-Password = "{password}"')
        return await self.ask(*asked, f'Calling-Station-Id = "{mac}"', *_SIGNED)

    async def tell(self, status: str, key: str = "81000001", *more: str, **given: Any) -> bool:
        """Tell an account as a NAS does; whether it was answered."""
        login = given.pop("name", NAME)
        told = [f"Acct-Status-Type = {status}", f'Acct-Session-Id = "{key}"']
        told += [f'User-Name = "{login}"', f'Calling-Station-Id = "{MAC}"']
        told += [f"{name.replace('_', '-')} = {value}" for name, value in given.items()]
        return await self.ask(*told, *more, kind="acct") is not None


_SIGNED = ("Message-Authenticator = 0x00",)


@asynccontextmanager
async def a_radius_site(
    folder: Path,
    *,
    clock: Clock | None = None,
    kind: Kind = Kind.MIKROTIK,
    weak: bool = False,
    unpaid: Unpaid = Unpaid.REFUSE,
    interim_s: int = 300,
) -> AsyncIterator[RadiusSite]:
    """A site with one NAS, which is this machine. What it journals stays in ``folder``."""
    nas = SmallNas()
    running = asyncio.get_running_loop()
    orders, _ = await running.create_datagram_endpoint(lambda: nas, local_addr=(HERE, 0))
    one = Nas(
        name="tower-1",
        address=IPv4Address(HERE),
        secret_file=folder / "secret",
        kind=kind,
        coa_port=nas.port,
        weak=weak,
        secret=NAS_SECRET.encode(),
    )
    radius = Radius(
        nases=(one,),
        listen=IPv4Address(HERE),
        auth_port=free_port(),
        acct_port=free_port(),
        interim_s=interim_s,
        unpaid=unpaid,
    )
    journal = ShakyJournal(folder / "journal.db")
    used = clock or SystemClock()
    loop = Loop(journal=journal, plane=MemoryPlane(now=lambda: used.now().mono), clock=used)
    server = Server(loop, radius, Steer(loop, radius))
    works = [asyncio.ensure_future(one) for one in (loop.run(), server.run(), server.steer.run())]
    try:
        await server.ready.wait()
        controller = MemoryController()
        site = RadiusSite(loop, server, controller, nas, journal, radius)
        controller.generation = max(controller.generation, loop.state.generation)
        controller.items |= loop.state.items
        yield site
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        orders.close()
        journal.close()


async def radclient(
    server: str, kind: str, secret: str, asked: str, *, wait_s: float = ANSWER_S
) -> Answer | None:
    """One question of FreeRADIUS's own client, tried once; None when no answer came."""
    child = await asyncio.create_subprocess_exec(
        *("radclient", "-x", "-r", "1", "-t", str(wait_s), server, kind, secret),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(child.communicate(asked.encode()), RADCLIENT_S)
    text = out.decode()
    if "Received " not in text:
        assert "No reply" in text, text
        return None
    head, *lines = text.split("Received ", 1)[1].splitlines()
    pairs = [line.strip().split(" = ", 1) for line in lines if " = " in line]
    return Answer(head.split()[0], [(a, b.strip('"')) for a, b in pairs], text)


def free_port() -> int:
    """A port of UDP that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind((HERE, 0))
        port: int = end.getsockname()[1]
        return port
