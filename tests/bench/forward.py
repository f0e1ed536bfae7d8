"""``forward``: one device downloads as fast as it can, beside 1, 1,000 and 10,000 others.

Ours admits, counts and shapes all of them; the device's own rate is beyond reach, so that only the
work per packet tells. The peer has a table with two counting rules for each of 10,000 clients, and
the device in their midst; the limit is plain forwarding between the same namespaces. The oracle
wants what arrived to be in the session's counter as ``nft`` lists it, with no more than headers on
top, and in the device's class as ``tc`` lists it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import socket
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from shaping.linux.handles import ROOT_MAJOR
from shaping.linux.nft import meter_names
from shaping.linux.plane import LinuxPlane
from shaping.plane import Access, Desired, MacAddress, Rate, SessionKey
from tests.bench.booth import GATEWAY, WIRING, Booth, address_of, mac_of
from tests.bench.row import Row
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = (1, 1_000, 10_000)
ROUNDS = 5
SECONDS = 2.0
SERVER, SERVER_PORT = "198.51.100.1", 5001
CHUNK_BYTES = 256 << 10
HEADERS_SHARE = 1.06
"""Counted bytes for each byte that arrived, at most: headers, and what had to be sent again."""

LINE_BPS = 40_000_000_000
SUBSCRIBER_SENT = re.compile(
    rf"class htb (?!{ROOT_MAJOR:x}:)[0-9a-f]+:(?!ffff )[^\n]*\n Sent ([0-9]+) bytes"
)
OWN = SessionKey(f"{1:032x}")


class Line:
    """A device, a gateway and a server behind it."""

    def __init__(self, booth: Booth, server: Namespace) -> None:
        self.gateway, self.device, self.server = booth.gateway, booth.crowd, server
        booth.gateway.ip(f"link set wan1 netns {server.path}", lend=(server,))
        server.ip(
            f"addr add {SERVER}/24 dev wan1",
            "link set wan1 up",
            "route add default via 198.51.100.2",
        )
        booth.crowd.ip(f"route add default via {GATEWAY}")
        shown = json.loads(booth.crowd.run("ip", "-j", "link", "show", "eth0"))
        self.mac = MacAddress(shown[0]["address"])

    def moved(self) -> tuple[int, float]:
        """Bytes that the device took, and the gigabits a second that they are."""
        told = self.device.run(sys.executable, "-m", "tests.bench.forward", "take")
        taken, rate = json.loads(told)
        return taken, rate


def run() -> list[Row]:
    """Measure, interleaved."""
    rates: dict[str, list[float]] = {}
    correct = True
    with ExitStack() as stack:
        booth = stack.enter_context(Booth())
        line = Line(booth, stack.enter_context(Namespace("server")))
        stack.enter_context(_serving(line.server))
        for number in range(ROUNDS):
            rates.setdefault("plain", []).append(line.moved()[1])
            for others in OTHERS:
                rate, right = _ours(line, others)
                rates.setdefault(f"ours_{others}", []).append(rate)
                correct = correct and right
            rates.setdefault("peer", []).append(_peer(line))
            print(f"  {number + 1}: {rates[f'ours_{OTHERS[-1]}'][-1]:.2f}", file=sys.stderr)
    plain = statistics.median(rates["plain"])
    return [
        Row(
            name="forward",
            unit="Gbit/s",
            ours=rates[f"ours_{OTHERS[-1]}"],
            peer=rates["peer"],
            peer_is=f"two rules for each of {OTHERS[-1]:,} clients",
            limit=rates["plain"],
            limit_is="plain forwarding in the same namespaces",
            lower_is_better=False,
            correct=correct,
            more={
                f"vs_limit_{others}": round(statistics.median(rates[f"ours_{others}"]) / plain, 3)
                for others in OTHERS[:-1]
            },
        )
    ]


def _ours(line: Line, others: int) -> tuple[float, bool]:
    """The rate beside so many others, and whether it was all counted and shaped."""
    plane = line.gateway.call(lambda: LinuxPlane(WIRING))
    access = {OWN: _access(1, line.mac)}
    access |= {SessionKey(f"{n:032x}"): _access(n, mac_of(n)) for n in range(2, others + 2)}
    try:
        asyncio.run(plane.apply(Desired(access=access)))
        taken, rate = line.moved()
        counter = asyncio.run(plane.counters())[OWN]
        name, _ = meter_names(OWN, counter.epoch)
        listed = line.gateway.run("nft", "-j", "list", "counter", "inet", "lango", name)
        (counted,) = (
            e["counter"]["bytes"] for e in json.loads(listed)["nftables"] if "counter" in e
        )
        shaped = max(_sent_by_classes(line.gateway))
        asyncio.run(plane.clear())
    finally:
        plane.close()
    return rate, taken <= counted <= taken * HEADERS_SHARE and shaped >= taken


def _sent_by_classes(gateway: Namespace) -> list[int]:
    """Bytes that each subscriber's class has sent down."""
    told = gateway.run("tc", "-s", "class", "show", "dev", WIRING.lan)
    return [int(sent) for sent in SUBSCRIBER_SENT.findall(told)]


def _peer(line: Line) -> float:
    rules = [
        f"add rule inet clients forward ip {way} {address_of(number)} counter accept"
        for number in range(2, OTHERS[-1] + 2)
        for way in ("saddr", "daddr")
    ]
    own = [rule.replace(str(address_of(2)), str(address_of(1))) for rule in rules[:2]]
    half = len(rules) // 2
    text = "\n".join([_CLIENTS, *rules[:half], *own, *rules[half:], ""])
    line.gateway.run("nft", "-f", "-", stdin=text)
    rate = line.moved()[1]
    line.gateway.run("nft", "flush", "ruleset")
    return rate


_CLIENTS = """
add table inet clients
add chain inet clients forward { type filter hook forward priority 0; policy drop; }"""


def _access(number: int, mac: MacAddress) -> Access:
    rate = Rate(down_bps=LINE_BPS, up_bps=LINE_BPS)
    return Access(mac=mac, ipv4=address_of(number), ipv6=frozenset(), rate=rate)


@contextmanager
def _serving(server: Namespace) -> Iterator[None]:
    """A server that sends to whoever connects."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as ready:
        process = server.popen(
            sys.executable, "-m", "tests.bench.forward", "send", stdout=write_end
        )
        os.close(write_end)
        try:
            assert ready.readline() == b"ready\n", "the server does not start"
            yield
        finally:
            process.kill()
            process.wait()


def _send() -> None:
    chunk = memoryview(bytes(CHUNK_BYTES))
    with socket.create_server((SERVER, SERVER_PORT)) as door:
        os.write(1, b"ready\n")
        while True:
            visitor, _ = door.accept()
            with visitor:
                while not select.select([visitor], [], [], 0)[0]:  # it says nothing until the end
                    visitor.sendall(chunk)


def _take() -> None:
    room = bytearray(CHUNK_BYTES)
    with socket.create_connection(
        (SERVER, SERVER_PORT), timeout=10, source_address=(str(address_of(1)), 0)
    ) as line:
        taken, began = 0, time.perf_counter()
        while (took_s := time.perf_counter() - began) < SECONDS:
            taken += line.recv_into(room)
        # What is under way was counted too: it is taken, but is no part of the rate.
        line.shutdown(socket.SHUT_WR)
        rest = 0
        while size := line.recv_into(room):
            rest += size
    sys.stdout.write(json.dumps([taken + rest, taken * 8 / took_s / 1e9]))


if __name__ == "__main__":
    {"send": _send, "take": _take}[sys.argv[1]]()
