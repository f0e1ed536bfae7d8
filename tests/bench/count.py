"""``count``: read 10,000 and 100,000 counters while one of them counts traffic.

Ours is what the plane does every few seconds: it dumps the first counters, and asks for any beyond
those by name. The peer is ``nft -j list counters`` in a process of its own, and its JSON read; the
limit is the bare netlink dump, not read. All in processor seconds, user and system. The oracle
multiplies: datagrams sent times their size is what each must tell.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from shaping.linux import wire
from shaping.linux.netlink import NETLINK_NETFILTER, NetlinkSocket
from shaping.linux.nft import PutCounter, meter_names
from shaping.linux.tables import COUNTERS_BY_NAME, Tables
from shaping.plane import SessionKey
from tests.bench.booth import WIRING, Booth
from tests.bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.netns import Namespace

SIZES = (10_000, 100_000)
ROUNDS = 5
COUNTERS_AT_ONCE = 10_000
PAYLOAD = bytes(1_000)
LAYER3_BYTES = len(PAYLOAD) + 28
PAUSE_S = 0.001
FIRST, _ = meter_names(SessionKey(f"{0:032x}"), "0")
HOOK = f"""
add chain inet lango bench {{ type filter hook output priority 0; }}
add rule inet lango bench oifname lo udp dport 9 counter name "{FIRST}"
"""


class Traffic:
    """Datagrams to ourselves, for as long as it is entered."""

    def __init__(self) -> None:
        self._end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._end.bind(("127.0.0.1", 9))
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._over = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._over.set()
        self._thread.join()
        self._end.close()
        self._out.close()

    def _send(self) -> None:
        while not self._over.wait(PAUSE_S):
            self._out.sendto(PAYLOAD, ("127.0.0.1", 9))
            self.sent += 1


def run() -> list[Row]:
    """Measure, interleaved."""
    spent: dict[tuple[str, int], list[float]] = {}
    error_bytes = 0
    for size in SIZES:
        with Booth() as booth:
            error_bytes += booth.gateway.call(partial(_measure, booth.gateway, size, spent))
    small, large = SIZES
    middle = {key: statistics.median(seconds) for key, seconds in spent.items()}
    return [
        Row(
            name="count",
            unit="CPU s per 100,000",
            ours=spent["ours", large],
            peer=spent["nft", large],
            peer_is="nft -j list counters in a process of its own",
            limit=spent["dump", large],
            limit_is="raw netlink dump, not read",
            lower_is_better=True,
            correct=error_bytes == 0,
            more={
                "ours_10k": round(middle["ours", small], 4),
                "vs_peer_10k": round(middle["nft", small] / middle["ours", small], 3),
                "error_bytes": error_bytes,
            },
        )
    ]


def _measure(gateway: Namespace, size: int, spent: dict[tuple[str, int], list[float]]) -> int:
    """Read in turns; how many bytes the readings after the last datagram are wrong by."""
    tables = Tables(WIRING)
    netlink = NetlinkSocket(NETLINK_NETFILTER)
    with closing(tables), closing(netlink):
        tables.ensure_installed()
        names = _make(tables, size)
        many = names if size >= COUNTERS_BY_NAME else []
        gateway.run("nft", "-f", "-", stdin=HOOK)
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: tables.counted(many),
            "nft": _by_nft,
            "dump": lambda: netlink.dump(*wire.counters_request()),
        }
        with closing(Traffic()) as traffic:
            for number in range(ROUNDS):
                for name, way in ways.items():
                    spent.setdefault((name, size), []).append(_cpu_s(way))
                print(f"  {size} {number + 1}: {spent['ours', size][-1]:.3f} s", file=sys.stderr)
        told = {tables.counted(many)[FIRST], tables.counted()[FIRST], _by_nft()[FIRST]}
        return sum(abs(count - traffic.sent * LAYER3_BYTES) for count in told)


def _make(tables: Tables, size: int) -> list[str]:
    keys = [SessionKey(f"{number:032x}") for number in range(size // 2)]
    names = [name for key in keys for name in meter_names(key, "0")]
    for first in range(0, len(names), COUNTERS_AT_ONCE):
        tables.commit([PutCounter(name) for name in names[first : first + COUNTERS_AT_ONCE]])
    return names


def _by_nft() -> dict[str, int]:
    words = ("nft", "-j", "list", "counters", "table", "inet", "lango")
    told = subprocess.run(words, capture_output=True, check=True).stdout
    found = (entry["counter"] for entry in json.loads(told)["nftables"] if "counter" in entry)
    return {one["name"]: one["bytes"] for one in found}


def _cpu_s(work: Callable[[], object]) -> float:
    """Processor time of this thread and of the processes that it waited for."""
    own, before = time.thread_time(), os.times()
    work()
    after = os.times()
    children = after.children_user + after.children_system
    return time.thread_time() - own + children - before.children_user - before.children_system
