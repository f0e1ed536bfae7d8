"""``admission``: 5,000 devices that have paid sign in over HTTP, each by its first look.

Ours is the product's own agent in a child process: captive portal, loop, journal, kernel. A sign-in
counts when the portal has answered that the gate is open, which it does only when the session is
journalled and in the kernel. The journal is SQLite with ``synchronous=FULL``, asserted on its very
connection, so each commit is an fsync; commits are counted (``fsyncs``). The oracle kills the agent
with SIGKILL, lists the kernel's set with the system's ``nft`` and the journal with plain SQL, and
wants exactly the 5,000 in both.

The peer is what openNDS does for one client (its ``iptables_fw_authenticate``): six times a shell
that calls ``nft`` for one rule. No HTTP and no disk is charged to it, only these. It is measured
half way, with 2,500 clients already there, since ours also begins with none and ends with 5,000;
``vs_peer_empty`` compares with its first clients, when it is fastest. The limit is one element put
by libnftables, in process.

``kernel_vs_peer`` compares the same kind of step: all that one session is in nftables (six elements
and two counters), one transaction for each. The plane does more than the peer: it also shapes each
device both ways and pins its address; ``plane_vs_peer`` is that whole step for one session at a
time, ``plane_batch_vs_peer`` for all of them in one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shaping.diff import OpenWay, StartMeter, Way
from shaping.linux.libnftables import Nftables
from shaping.linux.nft import ops
from shaping.linux.plane import LinuxPlane
from shaping.linux.tables import Tables
from shaping.plane import Access, Desired, MonotonicMs, Rate, SessionKey
from tests.bench.booth import (
    WIRING,
    Booth,
    address_of,
    journalled,
    mac_of,
)
from tests.bench.crowd import sign_in
from tests.bench.row import Row, quantile

if TYPE_CHECKING:
    from tests.support.netns import Namespace

DEVICES = 5_000
ROUNDS = 5
PEER_CLIENTS = 100
KERNEL_SESSIONS = 1_000
LIMIT_ELEMENTS = 2_000


@dataclass(slots=True)
class _Figures:
    """Rates a second of each round."""

    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    peer_empty: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    nft_alone: list[float] = field(default_factory=list)
    one_by_one: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    correct: bool = True


def run() -> list[Row]:
    """Measure, interleaved."""
    figures = _Figures()
    for number in range(ROUNDS):
        _ours(figures)
        with Booth() as booth:
            figures.peer.append(_peer(booth.gateway, there=DEVICES // 2))
            figures.peer_empty.append(_peer(booth.gateway, there=0))
            figures.limit.append(_limit(booth.gateway))
            figures.nft_alone.append(_nft_alone(booth.gateway))
            figures.one_by_one.append(_one_by_one(booth.gateway))
            figures.at_once.append(_at_once(booth.gateway))
        print(f"  {number + 1}: {figures.ours[-1]:.0f}/s", file=sys.stderr)
    return [
        Row(
            name="admission",
            unit="durable sign-ins/s",
            ours=figures.ours,
            peer=figures.peer,
            peer_is="the six nft calls of openNDS for one client, half way to as many",
            limit=figures.limit,
            limit_is="one libnftables element per transaction",
            lower_is_better=False,
            correct=figures.correct,
            more={
                "vs_peer_empty": _times(figures.ours, figures.peer_empty),
                "plane_vs_peer": _times(figures.one_by_one, figures.peer),
                "kernel_vs_peer": _times(figures.nft_alone, figures.peer),
                "plane_batch_vs_peer": _times(figures.at_once, figures.peer),
                "devices": DEVICES,
                "fsyncs": _middle(figures.told, "commits"),
                "journal_s": _middle(figures.told, "commit_s"),
                "plane_s": _middle(figures.told, "apply_s"),
                "cpu_s": _middle(figures.told, "cpu_s"),
                "p99_ms": _short(1_000 * quantile(figures.waits_s, 0.99)),
            },
        )
    ]


def _ours(figures: _Figures) -> None:
    state_dir = Path(tempfile.mkdtemp(prefix="lango-bench-"))
    try:
        with Booth() as booth, booth.agent(state_dir, devices=DEVICES) as agent:
            booth.with_own_macs(range(1, DEVICES + 1))
            before = agent.ready(grants=DEVICES)
            took_s, waits = booth.crowd.call(lambda: sign_in(range(1, DEVICES + 1)))
            after = agent.ask()
            agent.kill9()
            passing, kept = booth.open_addresses(), journalled(state_dir)
    finally:
        shutil.rmtree(state_dir)
    numbers = range(1, DEVICES + 1)
    figures.correct = (
        figures.correct
        and passing == {str(address_of(number)) for number in numbers}
        and kept == {mac_of(number) for number in numbers}
    )
    figures.ours.append(DEVICES / took_s)
    figures.waits_s += waits
    figures.told.append({key: after[key] - before[key] for key in after})


def _peer(gateway: Namespace, *, there: int) -> float:
    """Clients a second by six commands each, when so many others are there already."""
    rules = [rule for number in range(1, there + 1) for rule in _six(number)]
    gateway.run("nft", "-f", "-", stdin="\n".join([_OPENNDS, *rules, ""]))

    def admit() -> float:
        began = time.perf_counter()
        for number in range(there + 1, there + PEER_CLIENTS + 1):
            for rule in _six(number):
                shell = ["sh", "-c", f"nft {rule}"]
                pid = os.posix_spawn("/bin/sh", shell, os.environ)
                assert os.waitpid(pid, 0)[1] == 0, rule
        return PEER_CLIENTS / (time.perf_counter() - began)

    rate = gateway.call(admit)
    made = gateway.run("nft", "list", "ruleset").count("10.77.")
    assert made == 6 * (there + PEER_CLIENTS), f"the peer made {made} rules"
    gateway.run("nft", "flush", "ruleset")
    return rate


def _six(number: int) -> tuple[str, ...]:
    ip, mac = address_of(number), mac_of(number)
    mark = "counter meta mark set mark or 0x30000"
    return (
        f"insert rule inet nds_mangle ndsOUT ip saddr {ip} ether saddr {mac} {mark}",
        f"add rule inet nds_filter ndsULR ip saddr {ip} counter return",
        f"add rule inet nds_filter ndsULR ip saddr {ip} counter drop",
        f"insert rule inet nds_mangle ndsINC ip daddr {ip} {mark}",
        f"add rule inet nds_mangle ndsDLR ip daddr {ip} counter return",
        f"add rule inet nds_mangle ndsDLR ip daddr {ip} counter drop",
    )


_OPENNDS = """
add table inet nds_mangle
add chain inet nds_mangle ndsOUT
add chain inet nds_mangle ndsINC
add chain inet nds_mangle ndsDLR
add table inet nds_filter
add chain inet nds_filter ndsULR"""


def _limit(gateway: Namespace) -> float:
    """Elements a second, one in each transaction of the library."""
    gateway.run("nft", "-f", "-", stdin=_ONE_SET)

    def put() -> float:
        library = Nftables()
        began = time.perf_counter()
        for number in range(1, LIMIT_ELEMENTS + 1):
            one = f"{address_of(number)} . {mac_of(number)} timeout 3600s"
            library.run(f"add element inet one up4 {{ {one} }}")
        took_s = time.perf_counter() - began
        library.close()
        return LIMIT_ELEMENTS / took_s

    rate = gateway.call(put)
    gateway.run("nft", "flush", "ruleset")
    return rate


_ONE_SET = """
add table inet one
add set inet one up4 { type ipv4_addr . ether_addr; flags timeout; size 65536; }
"""


def _one_by_one(gateway: Namespace) -> float:
    """Sessions a second by the plane alone, one more in each `apply`."""
    plane = gateway.call(lambda: LinuxPlane(WIRING))

    async def admit() -> float:
        await plane.apply(Desired())
        access: dict[SessionKey, Access] = {}
        began = time.perf_counter()
        for number in range(1, KERNEL_SESSIONS + 1):
            access = {**access, SessionKey(f"{number:032x}"): _access(number)}
            await plane.apply(Desired(access=access))
        took_s = time.perf_counter() - began
        assert len(await plane.counters()) == KERNEL_SESSIONS, "sessions are missing"
        await plane.clear()
        return KERNEL_SESSIONS / took_s

    try:
        return asyncio.run(admit())
    finally:
        plane.close()


def _nft_alone(gateway: Namespace) -> float:
    """Sessions a second by nftables alone, as the peer does it: no shaper, no pinned neighbour."""

    def admit() -> float:
        tables = Tables(WIRING)
        tables.ensure_installed()
        began = time.perf_counter()
        for number in range(1, KERNEL_SESSIONS + 1):
            key, way = SessionKey(f"{number:032x}"), Way(mac_of(number), MonotonicMs(1 << 40), None)
            opened = (StartMeter(key, "0"), OpenWay(key, "0", address_of(number), way))
            tables.commit(ops(opened, slot_of=lambda _: 1, now=MonotonicMs(0)))
        took_s = time.perf_counter() - began
        assert len(tables.counted()) == 2 * KERNEL_SESSIONS + 1, "counters are missing"
        tables.remove()
        tables.close()
        return KERNEL_SESSIONS / took_s

    return gateway.call(admit)


def _at_once(gateway: Namespace) -> float:
    """Sessions a second by the plane alone, all in one `apply`."""
    plane = gateway.call(lambda: LinuxPlane(WIRING))
    access = {SessionKey(f"{n:032x}"): _access(n) for n in range(1, DEVICES + 1)}

    async def admit() -> float:
        await plane.apply(Desired())
        began = time.perf_counter()
        await plane.apply(Desired(access=access))
        took_s = time.perf_counter() - began
        assert len(await plane.counters()) == DEVICES, "sessions are missing"
        await plane.clear()
        return DEVICES / took_s

    try:
        return asyncio.run(admit())
    finally:
        plane.close()


def _access(number: int) -> Access:
    return Access(
        mac=mac_of(number),
        ipv4=address_of(number),
        ipv6=frozenset(),
        rate=Rate(down_bps=5_000_000, up_bps=2_000_000),
    )


def _times(ours: list[float], others: list[float]) -> float:
    return _short(statistics.median(ours) / statistics.median(others))


def _middle(told: list[dict[str, Any]], key: str) -> float:
    return _short(statistics.median(one[key] for one in told))


def _short(value: float) -> float:
    return float(f"{value:.4g}")
