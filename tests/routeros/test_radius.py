"""The emulated router as a RADIUS client, with pyrad for the server: it knows nothing of either."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import pytest
from pyrad.dictionary import Dictionary
from pyrad.packet import AccessAccept, AccessReject, AcctPacket, AuthPacket, CoAPacket

from tests.routeros.emulator import Trap, routeros
from tests.support.radius import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pyrad.packet import Packet

    from tests.routeros.emulator import Box

SECRET = b"of this router"
HERE = "127.0.0.1"
MAC = "48:A9:8A:AA:BB:01"
WAIT_S = 10
DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 string
ATTRIBUTE CHAP-Password 3 octets
ATTRIBUTE Service-Type 6 integer
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Class 25 octets
ATTRIBUTE Session-Timeout 27 integer
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Delay-Time 41 integer
ATTRIBUTE Acct-Input-Octets 42 integer
ATTRIBUTE Acct-Output-Octets 43 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Acct-Terminate-Cause 49 integer
ATTRIBUTE Acct-Input-Gigawords 52 integer
ATTRIBUTE Acct-Output-Gigawords 53 integer
ATTRIBUTE CHAP-Challenge 60 octets
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE Acct-Interim-Interval 85 integer
ATTRIBUTE NAS-Port-Id 87 string
ATTRIBUTE Error-Cause 101 integer
VENDOR Mikrotik 14988
BEGIN-VENDOR Mikrotik
ATTRIBUTE Mikrotik-Rate-Limit 8 string
ATTRIBUTE Mikrotik-Address-List 19 string
END-VENDOR Mikrotik
"""
WORDS = Dictionary(StringIO(DICTIONARY))


@dataclass
class Server(asyncio.DatagramProtocol):
    """Lets in whoever has the password, with these words; notes everything that comes."""

    gives: dict[str, Any] = field(default_factory=dict)
    seen: list[Packet] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    unsigned: bool = False
    deaf: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]
        self.came = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self.deaf:
            self.deaf -= 1
            return
        reply = self._asked(data) if data[0] == 1 else self._told(data)
        self.transport.sendto(reply, addr)
        self.came.set()

    def _asked(self, data: bytes) -> bytes:
        packet = AuthPacket(packet=data, secret=SECRET, dict=WORDS)
        self.seen.append(packet)
        if "CHAP-Password" in packet:
            right = packet.VerifyChapPasswd("pw")
        else:
            right = packet.PwDecrypt(packet["User-Password"][0]) == "pw"
        reply = packet.CreateReply(**(self.gives if right else {}))
        reply.code = AccessAccept if right else AccessReject
        if self.unsigned:
            head = struct.pack("!BBH", reply.code, packet.id, 20)
            sealed = md5(head + packet.authenticator + SECRET, usedforsecurity=False)
            return head + sealed.digest()
        raw: bytes = reply.ReplyPacket()
        return raw

    def _told(self, data: bytes) -> bytes:
        packet = AcctPacket(packet=data, secret=SECRET, dict=WORDS)
        assert packet.VerifyAcctRequest(), "an account that is not signed"
        self.accounts.append({name: packet[name][0] for name in packet.keys()})  # noqa: SIM118 - names, where iterating gives numbers
        raw: bytes = packet.CreateReply().ReplyPacket()
        return raw

    async def until(self, accounts: int) -> None:
        """Until so many accounts came."""
        async with asyncio.timeout(WAIT_S):
            while len(self.accounts) < accounts:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def a_router(server: Server, **setup: Any) -> AsyncIterator[Box]:
    """A router whose PPPoE clients are this server's to let in."""
    loop = asyncio.get_running_loop()
    ends, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=(HERE, 0))
    async with routeros(hotspot=False, **setup) as box:
        port = str(server.port)
        box.add("/radius", address=HERE, secret=SECRET.decode(), service="ppp", timeout="200ms",
                authentication_port=port, accounting_port=port)  # fmt: skip
        box.edit("/ppp/aaa", "", use_radius="yes")
        try:
            yield box
        finally:
            assert box.radius is not None
            box.radius.close()
            ends.close()


async def test_it_asks_as_a_router_does_and_does_what_it_is_told() -> None:
    server = Server(
        {
            "Mikrotik-Rate-Limit": "2M/8M 4M/16M 1M/6M 16/16",
            "Mikrotik-Address-List": "paid",
            "Framed-IP-Address": "10.20.9.9",
            "Session-Timeout": 600,
            "Class": b"gold",
        }
    )
    async with a_router(server) as box:
        address = await box.dial_in("jane", "pw", MAC)
        await server.until(1)
        (queue,) = box.rows("/queue/simple")
        (entry,) = box.rows("/ip/firewall/address-list")
        box.pass_time(599)
        before = len(box.rows("/ppp/active"))
        box.pass_time(1)
        await server.until(2)
    asked, stop = server.seen[0], server.accounts[-1]

    assert address == "10.20.9.9"
    assert asked["Service-Type"] == [2]
    assert asked["Calling-Station-Id"] == [MAC]
    assert asked["NAS-Port-Id"] == ["bridge"]
    assert asked["NAS-Identifier"] == ["MikroTik"]
    assert asked.verify_message_authenticator()
    assert (queue["max-limit"], queue["burst-limit"]) == ("2000000/8000000", "4000000/16000000")
    assert (queue["burst-threshold"], queue["burst-time"]) == ("1000000/6000000", "16s/16s")
    assert (entry["list"], entry["address"]) == ("paid", "10.20.9.9")
    assert (before, box.rows("/ppp/active"), box.rows("/queue/simple")) == (1, [], [])
    assert (stop["Acct-Status-Type"], stop["Acct-Terminate-Cause"]) == (2, 5)
    assert stop["Class"] == b"gold"


async def test_bytes_beyond_32_bits_are_told_in_gigawords_and_input_is_upload() -> None:
    server = Server({"Acct-Interim-Interval": 60})
    async with a_router(server) as box:
        address = await box.dial_in("jane", "pw", way="chap")
        box.pass_bytes(address, up=70, down=5_000_000_000)
        box.pass_time(60)
        box.settle()
        await server.until(2)
        box.hang_up("jane")
        await server.until(3)

    assert [one["Acct-Status-Type"] for one in server.accounts] == [1, 3, 2]
    for one in server.accounts[1:]:
        assert (one["Acct-Input-Gigawords"], one["Acct-Input-Octets"]) == (0, 70)
        assert (one["Acct-Output-Gigawords"], one["Acct-Output-Octets"]) == (1, 705_032_704)
    assert len({one["Acct-Session-Id"] for one in server.accounts}) == 1


async def test_a_wrong_password_an_unsigned_answer_and_silence_let_nobody_in() -> None:
    server = Server()
    async with a_router(server) as box:
        with pytest.raises(Trap, match="authentication failed"):
            await box.dial_in("jane", "wrong")
        server.unsigned = True
        with pytest.raises(Trap, match="radius timeout"):
            await box.dial_in("jane", "pw")
        server.unsigned, server.deaf = False, 1
        again = await box.dial_in("jane", "pw")
        server.deaf = 100
        with pytest.raises(Trap, match="radius timeout"):
            await box.dial_in("mary", "pw")

    assert again


async def test_an_old_router_signs_nothing_and_believes_anything() -> None:
    server = Server(unsigned=True)
    async with a_router(server, major=6) as box:
        await box.dial_in("jane", "pw")

    assert "Message-Authenticator" not in server.seen[0]


async def test_a_secret_of_its_own_wins_over_the_server() -> None:
    server = Server()
    async with a_router(server) as box:
        box.add("/ppp/secret", name="jane", password="own", service="pppoe")
        await box.dial_in("jane", "own")

    assert server.seen == []


async def test_an_account_that_is_not_answered_is_told_again_with_how_late_it_is() -> None:
    server = Server()
    async with a_router(server) as box:
        await box.dial_in("jane", "pw")
        server.deaf = 2
        await server.until(1)

    assert server.accounts[0]["Acct-Delay-Time"] == 2


async def test_after_a_power_cut_no_stop_is_told_and_names_are_new() -> None:
    server = Server()
    async with a_router(server) as box:
        await box.dial_in("jane", "pw")
        await server.until(1)
        box.power_cut()
        await box.dial_in("jane", "pw")
        await server.until(2)

    assert [one["Acct-Status-Type"] for one in server.accounts] == [1, 1]
    assert len({one["Acct-Session-Id"] for one in server.accounts}) == 2


@pytest.mark.parametrize(
    ("code", "words", "secret", "answer", "cause"),
    [
        (43, {"Mikrotik-Rate-Limit": "1M/3M"}, SECRET, 44, None),
        (43, {"Session-Timeout": 30}, SECRET, 44, None),
        (43, {"Framed-IP-Address": "10.20.9.8", "Session-Timeout": 3}, SECRET, 45, 503),
        (43, {"Acct-Interim-Interval": 60}, SECRET, 45, 401),
        (40, {}, SECRET, 41, None),
        (40, {"Acct-Session-Id": "81009999"}, SECRET, 42, 503),
        (40, {}, b"somebody else", None, None),
    ],
)
async def test_orders_are_carried_out_for_who_knows_the_secret(
    code: int, words: dict[str, Any], secret: bytes, answer: int | None, cause: int | None
) -> None:
    server = Server({"Mikrotik-Rate-Limit": "1M/1M"})
    async with a_router(server) as box:
        port = free_port()
        box.edit("/radius/incoming", "", accept="yes", port=str(port))
        address = await box.dial_in("jane", "pw")
        box.pass_bytes(address, up=7)
        await server.until(1)
        told = {"User-Name": "jane", "Acct-Session-Id": server.accounts[0]["Acct-Session-Id"]}
        reply = await ordered(port, code, {**told, **words}, secret)
        queues = [(row["max-limit"], row["bytes"]) for row in box.rows("/queue/simple")]
        box.pass_time(30)
        after = [row["name"] for row in box.rows("/ppp/active")]

    rate = "1000000/3000000" if "Mikrotik-Rate-Limit" in words else "1000000/1000000"
    ended = code == 40 and answer == 41
    timed = answer == 44 and "Session-Timeout" in words
    assert reply == (answer, cause)
    assert queues == ([] if ended else [(rate, "7/0")])
    assert after == ([] if ended or timed else ["jane"])


async def ordered(
    port: int, code: int, words: dict[str, Any], secret: bytes
) -> tuple[int | None, int | None]:
    """Give the router an order; what kind of answer came, and its cause."""
    packet = CoAPacket(code=code, id=9, secret=secret, dict=WORDS)
    for name, value in words.items():
        packet.AddAttribute(name, value)
    waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Asker(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            waiting.set_result(data)

    ends, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Asker, remote_addr=(HERE, port)
    )
    try:
        ends.sendto(packet.RequestPacket())
        raw = await asyncio.wait_for(waiting, 0.3)
    except TimeoutError:
        return None, None
    finally:
        ends.close()
    reply = packet.CreateReply(packet=raw)
    assert packet.VerifyReply(reply, raw)
    return raw[0], reply["Error-Cause"][0] if "Error-Cause" in reply else None
