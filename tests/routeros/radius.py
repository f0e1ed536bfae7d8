"""The router as a RADIUS client: it asks, accounts, and takes orders.

Who stands in ``/radius`` for ppp is asked when ``/ppp/aaa`` says so and no secret of the router's
own has the name. Orders (RFC 5176) come in where ``/radius/incoming`` accepts them.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from tests.routeros import hotspot, ppp
from tests.routeros import radius_words as words
from tests.routeros.radius_words import BadPacket, Packet
from tests.routeros.schema import BAD_VALUE, Trap
from tests.routeros.texts import Version, duration_us, seconds

if TYPE_CHECKING:
    from tests.routeros.box import Box
    from tests.routeros.table import Row, Tally

TRIES = 3
ACCOUNT_TRIES = 3
PACKET_BYTES_MAX = 4_096
SIGNS_SINCE = Version(7, 15)
LOOK_EVERY_S = 0.05
"""How often a router whose clock runs looks whose time is over."""

CAUSES = {
    "peer-request": 1, "lost-carrier": 2, "session-timeout": 5, "admin-request": 6,
    "admin-reboot": 7, "hung-up": 1, "disconnect": 6,
}  # fmt: skip
CHANGED_BY_ORDER = {
    words.USER_NAME, words.ACCT_SESSION_ID, words.FRAMED_IP_ADDRESS, words.NAS_IP_ADDRESS,
    words.NAS_IDENTIFIER, words.SESSION_TIMEOUT, words.MESSAGE_AUTHENTICATOR,
    words.EVENT_TIMESTAMP, 26,
}  # fmt: skip


@dataclass(slots=True)
class Account:
    """What the router keeps of a session that a server let in."""

    session_id: str
    row: Row
    interface: Row
    server: Row
    sorted_by: bytes | None
    interim_s: int
    next_s: float = 0.0


@dataclass(slots=True)
class Client:
    """A router's RADIUS client: whom it let in, and what it still has to tell of them."""

    box: Box
    accounts: dict[int, Account] = field(default_factory=dict)
    sessions: int = 0
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)
    _incoming: socket.socket | None = None
    _ticker: asyncio.Task[None] | None = None

    def asks(self, name: str) -> bool:
        """Whether a name is asked of a server."""
        aaa = self.box.table("/ppp/aaa").only()
        return aaa.on("use-radius") and self.box.table(ppp.SECRET).find(name) is None

    async def dial(self, name: str, password: str, mac: str, *, way: str = "pap") -> str:
        """A PPPoE client dials in; its address. Raises Trap when it is refused, or nobody says."""
        server = self._server()
        session_id = self._session_id()
        asked = self._named(words.ACCESS_REQUEST, session_id, name, mac)
        challenge = secrets.token_bytes(16)
        secret = server.words["secret"].encode()
        asked.authenticator = secrets.token_bytes(16)
        if way == "pap":
            hid = words.hidden(password.encode(), secret, asked.authenticator)
            asked.add(words.USER_PASSWORD, hid)
        else:
            asked.add(words.CHAP_PASSWORD, words.chap(7, password.encode(), challenge))
            asked.add(words.CHAP_CHALLENGE, challenge)
        if self._signs(server):
            words.sign(asked, secret)
        answer = await self._asked(server, "authentication-port", asked)
        if answer is None or answer.code != words.ACCESS_ACCEPT:
            why = "radius timeout" if answer is None else "authentication failed"
            self.box.log("pppoe,ppp,error", f"<{name}>: user {name} {why}")
            raise Trap(f"user {name} {why}", BAD_VALUE)
        return self._let_in(server, session_id, name, mac, answer)

    def _let_in(self, server: Row, session_id: str, name: str, mac: str, answer: Packet) -> str:
        box = self.box
        told = answer.first(words.FRAMED_IP_ADDRESS)
        pool = answer.text_of(words.FRAMED_POOL) or "pppoe-pool"
        address = str(IPv4Address(told)) if told else hotspot.free_address(box, pool, ppp.ACTIVE)
        row = ppp.online(
            box,
            name,
            mac,
            address,
            rate_limit=answer.mikrotik(words.MIKROTIK_RATE_LIMIT) or "",
            listed=answer.mikrotik(words.MIKROTIK_ADDRESS_LIST) or "",
            session_s=answer.number_of(words.SESSION_TIMEOUT),
        )
        interface = box.table("/interface").find(ppp.interface_of(name))
        assert interface is not None
        one = Account(
            session_id,
            row,
            interface,
            server,
            answer.first(words.CLASS),
            self._interim_s(answer),
        )
        one.next_s = box.now_s + one.interim_s
        self.accounts[row.number] = one
        self._account(one, words.START)
        self._watch()
        return address

    def ended(self, row: Row, cause: str) -> None:
        """A session is over: if a server let it in, that is told."""
        one = self.accounts.pop(row.number, None)
        if one is not None:
            self._account(one, words.STOP, cause)

    def forget(self) -> None:
        """The power is gone: nobody is told anything."""
        self.accounts.clear()
        for task in self._waiting:
            task.cancel()

    def look(self) -> None:
        """Tell what is due to be told of sessions that go on."""
        for one in self.accounts.values():
            if one.interim_s and self.box.now_s >= one.next_s:
                one.next_s = self.box.now_s + one.interim_s
                self._account(one, words.INTERIM)

    def listen(self) -> None:
        """Take orders where ``/radius/incoming`` says so, and nowhere else."""
        self._hang_up()
        incoming = self.box.table("/radius/incoming").only()
        if not incoming.on("accept"):
            return
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind((self.box.host, int(incoming.words["port"])))
        door.setblocking(False)  # noqa: FBT003 - the library's
        asyncio.get_running_loop().add_reader(door, self._ordered, door)
        self._incoming = door

    def close(self) -> None:
        """Give everything back."""
        self.forget()
        if self._ticker is not None:
            self._ticker.cancel()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._incoming is not None:
            asyncio.get_running_loop().remove_reader(self._incoming)
            self._incoming.close()
        self._incoming = None

    def _watch(self) -> None:
        if self._ticker is None and self.box.setup.follows:
            self._ticker = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            self.box.settle()
            await asyncio.sleep(LOOK_EVERY_S)

    def _server(self) -> Row:
        for row in self.box.table("/radius"):
            if "ppp" in row.words.get("service", "").split(",") and not row.on("disabled"):
                return row
        raise Trap("no radius server for ppp", BAD_VALUE)

    def _signs(self, server: Row) -> bool:
        asked = server.words.get("require-message-auth", "no")
        return self.box.version >= SIGNS_SINCE and asked != "no"

    def _session_id(self) -> str:
        self.sessions += 1
        return f"81{self.box.boots % 256:02x}{self.sessions:04x}"

    def _interim_s(self, answer: Packet) -> int:
        """What the router is set to, or what the server wants where it is set to nothing."""
        aaa = self.box.table("/ppp/aaa").only()
        own = seconds(aaa.words.get("interim-update", "0s"))
        return int(own or answer.number_of(words.ACCT_INTERIM_INTERVAL) or 0)

    def _named(self, code: int, session_id: str, name: str, mac: str) -> Packet:
        packet = Packet(code, secrets.randbelow(256))
        packet.add(words.SERVICE_TYPE, words.FRAMED)
        packet.add(words.FRAMED_PROTOCOL, words.PPP)
        packet.add(words.NAS_PORT, 15_728_640 + self.sessions)
        packet.add(words.NAS_PORT_TYPE, words.ETHERNET)
        packet.add(words.USER_NAME, name)
        packet.add(words.CALLING_STATION_ID, mac.upper())
        packet.add(words.CALLED_STATION_ID, "pppoe1")
        packet.add(words.NAS_PORT_ID, "bridge")
        packet.add(words.ACCT_SESSION_ID, session_id)
        identity = self.box.table("/system/identity").only()
        packet.add(words.NAS_IDENTIFIER, identity.words["name"])
        packet.add(words.NAS_IP_ADDRESS, IPv4Address(self.box.host).packed)
        return packet

    def _account(self, one: Account, status: int, cause: str = "") -> None:
        """Tell a session's figures of this moment, in the background."""
        aaa = self.box.table("/ppp/aaa").only()
        if not aaa.on("accounting"):
            return
        row = one.row
        packet = self._named(
            words.ACCOUNTING_REQUEST, one.session_id, row.words["name"], row.words["caller-id"]
        )
        packet.add(words.ACCT_STATUS_TYPE, status)
        packet.add(words.FRAMED_IP_ADDRESS, IPv4Address(row.words["address"]).packed)
        packet.add(words.EVENT_TIMESTAMP, int(self.box.wall.timestamp()) & 0xFFFF_FFFF)
        if one.sorted_by is not None:
            packet.add(words.CLASS, one.sorted_by)
        if status != words.START:
            packet.add(words.ACCT_SESSION_TIME, int(self.box.now_s - row.born_s))
            _put_figures(packet, one.interface.tally)
        if status == words.STOP:
            packet.add(words.ACCT_TERMINATE_CAUSE, CAUSES.get(cause, 10))
        task = asyncio.ensure_future(self._deliver(one.server, packet))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _deliver(self, server: Row, packet: Packet) -> None:
        """Tell an account until it is answered; each time it says for how long that has lasted."""
        secret = server.words["secret"].encode()
        for turn in range(ACCOUNT_TRIES):
            again = Packet(packet.code, (packet.number + turn) % 256, b"", [*packet.attributes])
            again.add(words.ACCT_DELAY_TIME, turn)
            words.seal(again, secret)
            if await self._exchanged(server, "accounting-port", again) is not None:
                return
        self.box.log("radius,error", "accounting request timed out")

    async def _asked(self, server: Row, port: str, packet: Packet) -> Packet | None:
        """The answer to a packet that is sent the same again and again; None without one."""
        for _ in range(TRIES):
            answer = await self._exchanged(server, port, packet)
            if answer is not None:
                return answer
        return None

    async def _exchanged(self, server: Row, port: str, packet: Packet) -> Packet | None:
        """Send once, and wait for the one right answer as long as the server's row says."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.setblocking(False)  # noqa: FBT003 - the library's
            end.connect((server.words["address"], int(server.words[port])))
            try:
                async with asyncio.timeout((duration_us(server.words["timeout"]) or 0) / 1_000_000):
                    await loop.sock_sendall(end, packet.raw())
                    while True:
                        raw = await loop.sock_recv(end, PACKET_BYTES_MAX)
                        if (answer := self._right(server, packet, raw)) is not None:
                            return answer
            except (TimeoutError, OSError):
                return None

    def _right(self, server: Row, packet: Packet, raw: bytes) -> Packet | None:
        """The answer that bytes are, if the server gave it to this packet."""
        secret = server.words["secret"].encode()
        try:
            answer = words.read(raw)
            words.must_be_sealed(answer, secret, packet.authenticator)
            if packet.code == words.ACCESS_REQUEST and self._signs(server):
                words.must_be_signed(answer, secret, packet.authenticator)
        except BadPacket as wrong:
            self.box.log("radius,error", f"bad reply: {wrong}")
            return None
        return answer if answer.number == packet.number else None

    def _ordered(self, door: socket.socket) -> None:
        raw, sender = door.recvfrom(PACKET_BYTES_MAX)
        rows = [row for row in self.box.table("/radius") if row.words["address"] == sender[0]]
        for row in rows:
            secret = row.words["secret"].encode()
            try:
                order = words.read(raw)
                words.must_be_sealed(order, secret)
            except BadPacket:
                continue
            answer = self._done(order)
            answer.number = order.number
            words.seal(answer, secret, order.authenticator)
            door.sendto(answer.raw(), sender)
            return
        self.box.log("radius,error", "order from somebody unknown dropped")

    def _done(self, order: Packet) -> Packet:
        """What became of an order."""
        ends = order.code == words.DISCONNECT_REQUEST
        one = self._meant(order)
        cause = words.NO_SESSION if one is None else 0
        if not ends and not {kind for kind, _ in order.attributes} <= CHANGED_BY_ORDER:
            cause = words.UNSUPPORTED_ATTRIBUTE
        if cause or one is None:
            answer = Packet(words.DISCONNECT_NAK if ends else words.COA_NAK, 0)
            answer.add(words.ERROR_CAUSE, cause)
            return answer
        if ends:
            ppp.hung_up(self.box, one.row, "admin-request")
            return Packet(words.DISCONNECT_ACK, 0)
        self._change(one, order)
        return Packet(words.COA_ACK, 0)

    def _meant(self, order: Packet) -> Account | None:
        """The session that two words at least name, and none gainsays."""
        address = order.first(words.FRAMED_IP_ADDRESS)
        told = {
            "name": order.text_of(words.USER_NAME),
            "id": order.text_of(words.ACCT_SESSION_ID),
            "address": None if address is None else str(IPv4Address(address)),
        }
        said = {key: value for key, value in told.items() if value is not None}
        for one in self.accounts.values():
            row = one.row.words
            has = {"name": row["name"], "id": one.session_id, "address": row["address"]}
            if len(said) > 1 and said.items() <= has.items():
                return one
        return None

    def _change(self, one: Account, order: Packet) -> None:
        rate = order.mikrotik(words.MIKROTIK_RATE_LIMIT)
        if rate is not None:
            ppp.slowed(self.box, one.row, rate)
        left_s = order.number_of(words.SESSION_TIMEOUT)
        if left_s is not None:
            self.box.end_in(ppp.ACTIVE, one.row, left_s)


def _put_figures(packet: Packet, tally: Tally) -> None:
    """What an interface counted: input is what the client sent, in 32 bits and 32 more."""
    for octets, gigawords, count in (
        (words.ACCT_INPUT_OCTETS, words.ACCT_INPUT_GIGAWORDS, tally.up),
        (words.ACCT_OUTPUT_OCTETS, words.ACCT_OUTPUT_GIGAWORDS, tally.down),
    ):
        packet.add(octets, count % 2**32)
        packet.add(gigawords, count >> 32)
    packet.add(words.ACCT_INPUT_PACKETS, tally.packets_up)
    packet.add(words.ACCT_OUTPUT_PACKETS, tally.packets_down)
