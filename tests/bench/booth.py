"""A site without phones: a gateway, a crowd of addresses on its LAN, and the agent's own parts.

Everything lives in two namespaces. The whole crowd sits behind one link: its kernel takes every
frame and every address of a range for its own, so that thousands of devices cost no interface each.
The agent is the product's own composition in a child process; only the controller (in memory), the
list of who is on the LAN (arithmetic) and two counting wrappers are the benchmark's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent import running, small
from agent.clock import SystemClock
from agent.config import Config
from agent.journal import Journal
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, site_item
from billing.plan import Limits
from portal.captive.gate import SiteFace
from shaping.linux.nft import LinuxConfig
from shaping.linux.plane import LinuxPlane
from shaping.plane import MacAddress
from tests.support.netns import Namespace, NamespaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from ipaddress import IPv6Address

    from agent.loop import Loop
    from agent.model import Fact, State
    from shaping.plane import Applied, Desired

GATEWAY = "10.77.0.1"
PORT = 80
CROWD = IPv4Address("10.77.64.0")
CROWD_BITS = 18
"""16,384 addresses, the first and the last unused."""

HOST = "wifi.lango"
WIRING = LinuxConfig(lan="br-lan", wan="wan0")
LIMITS = Limits(
    down_bps=5_000_000,
    up_bps=2_000_000,
    validity_s=3_600,
    uptime_s=None,
    quota_bytes=None,
    devices_max=1,
)
READY_WAIT_S = 60.0


def address_of(number: int) -> IPv4Address:
    """The address of a device of the crowd, from 1."""
    return CROWD + number


def mac_of(number: int) -> MacAddress:
    """Its MAC, as the site's list of devices has it."""
    return MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")


class Booth:
    """Gateway and crowd. Enter it to have a LAN; leave it, or die, and nothing of it is left."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self.gateway = self._held.enter_context(Namespace("gateway"))
        self.crowd = self._held.enter_context(Namespace("crowd"))

    def __enter__(self) -> Self:
        self.gateway.ip(
            "link set lo up",
            "link add br-lan type bridge forward_delay 0 mcast_snooping 0",
            f"link add lan1 type veth peer name eth0 netns {self.crowd.path}",
            "link add wan0 type veth peer name wan1",
            f"addr add {GATEWAY}/16 dev br-lan",
            "addr add 198.51.100.2/24 dev wan0",
            "link set lan1 master br-lan up",
            "link set br-lan up",
            "link set wan0 up",
            "link set wan1 up",
            lend=(self.crowd,),
        )
        self.gateway.sysctl({"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0"})
        self.crowd.ip(
            "link set lo up",
            "addr add 10.77.255.254/16 dev eth0",
            "link set eth0 up",
            f"route add local {CROWD}/{CROWD_BITS} dev lo",
        )
        # Once a device is online the gateway sends to the device's own MAC, which no link here has.
        self.crowd.run("nft", "-f", "-", stdin=_TAKE_ALL)
        return self

    def __exit__(self, *_: object) -> None:
        # Thousands of classes die with their interfaces. That is waited for here: left to the
        # kernel's own workers it would weigh on whatever is measured next.
        with contextlib.suppress(NamespaceError):
            self.gateway.ip("link del br-lan", "link del wan0")
        self._held.close()

    def agent(self, state_dir: Path, *, devices: int) -> Agent:
        """Start an agent whose controller has paid grants for so many devices of the crowd.

        With none, the controller cannot be reached.
        """
        argv = (sys.executable, "-m", "tests.bench.booth", str(state_dir), str(devices))
        pipe = subprocess.PIPE
        return Agent(self.gateway.popen(*argv, stdin=pipe, stdout=pipe, stderr=sys.stderr.fileno()))

    def with_own_macs(self, numbers: Iterable[int]) -> None:
        """Let what each device of the crowd sends come from an address of its own.

        They share one interface, and the gateway bounds what a single device may ask of it.
        """
        own = ", ".join(f"{address_of(number)} : {mac_of(number)}" for number in numbers)
        lines = (
            "table netdev crowd {",
            f"map own {{ type ipv4_addr : ether_addr; elements = {{ {own} }}; }}",
            "chain out { type filter hook egress device eth0 priority 0;",
            "ether saddr set ip saddr map @own; }",
            "}",
        )
        self.crowd.run("nft", "-f", "-", stdin="\n".join(lines))

    def open_addresses(self) -> set[str]:
        """Every address that may pass now, as the system's own ``nft`` lists them."""
        listed = json.loads(self.gateway.run("nft", "-j", "list", "set", "inet", "lango", "up4"))
        (up,) = (entry["set"] for entry in listed["nftables"] if "set" in entry)
        return {_address(one) for one in up.get("elem", [])}


class Agent:
    """The child process, and what it tells of itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self) -> dict[str, Any]:
        """What it has done so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def ready(self, *, grants: int, access: int = 0) -> dict[str, Any]:
        """Wait until it has journalled so many grants and applied so many accesses."""
        deadline = time.monotonic() + READY_WAIT_S
        while time.monotonic() < deadline:
            told = self.ask()
            if (told["grants"], told["access"]) == (grants, access):
                return told
            time.sleep(0.02)
        raise AssertionError(f"not ready within {READY_WAIT_S:g} s: {told}")

    def kill9(self) -> None:
        """End it as want of memory would; whatever it had not written down is lost."""
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()


def journalled(state_dir: Path) -> set[str]:
    """The MACs of all sessions in the journal of an agent that was killed, read by plain SQL."""
    with contextlib.closing(sqlite3.connect(state_dir / running.JOURNAL)) as db:
        rows = db.execute("SELECT body FROM session").fetchall()
    macs = [str(json.loads(body)["mac"]) for (body,) in rows]
    assert len(macs) == len(set(macs)), "a device has two sessions"
    return set(macs)


def _address(element: Any) -> str:
    inner = element["elem"]["val"] if "elem" in element else element
    return str(inner["concat"][0])


_TAKE_ALL = """
add table netdev crowd
add chain netdev crowd arrivals { type filter hook ingress device eth0 priority 0; }
add rule netdev crowd arrivals meta pkttype set host
"""


class _CountedJournal(Journal):
    """The journal, counting its commits; each one is an fsync while ``synchronous`` is FULL."""

    commits = 0
    commit_s = 0.0
    latest: State | None = None

    def commit(self, state: State, facts: Sequence[Fact], at: datetime) -> bool:
        began = time.perf_counter()
        wrote = super().commit(state, facts, at)
        self.commit_s += time.perf_counter() - began
        self.commits += wrote
        self.latest = state
        return wrote

    def synchronous(self) -> tuple[str, int]:
        """SQLite's own word on journal mode and fsync (2 is FULL: synced at each commit)."""
        mode, level = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        )
        return str(mode), int(level)


class _TimedPlane(LinuxPlane):
    """The plane, noting how long it worked and when it was last done."""

    applies = 0
    apply_s = 0.0
    access = -1
    done_at = 0.0

    async def apply(self, desired: Desired) -> Applied:
        began = time.perf_counter()
        applied = await super().apply(desired)
        self.done_at = time.monotonic()
        self.apply_s += time.perf_counter() - began
        self.applies += 1
        self.access = len(desired.access)
        return applied


class _Crowd:
    """Who is on the LAN, by arithmetic."""

    def resolve(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        number = int(address) - int(CROWD)
        return mac_of(number) if 0 < number < 1 << (32 - CROWD_BITS) else None

    async def watch(self, loop: Loop) -> None:
        """Nobody is seen before asking at the portal."""


async def _run(state_dir: Path, devices: int) -> None:
    small.one_heap()
    running.seldom_collect()
    controller = MemoryController()
    face = SiteFace(operator_name="Bench", site_name="Bench", help_phone="", language="en")
    controller.items.update([site_item(face)])
    controller.items.update(
        grant_item(f"{number:032x}", limits=LIMITS, devices=(mac_of(number),))
        for number in range(1, devices + 1)
    )
    journal = _CountedJournal(state_dir / running.JOURNAL)
    plane = _TimedPlane(WIRING)
    uplink = MemoryUplink(controller)
    if not devices:
        uplink.cut()
    parts = running.Parts(site_id="bench", plane=plane, lan=_Crowd(), uplink=uplink)
    _answer_questions(journal, plane)
    file = running.ConfigFile(state_dir / "agent.toml", Config(state_dir=state_dir))
    await running.operate(file, parts, journal, clock=SystemClock(), identity=None)


def _answer_questions(journal: _CountedJournal, plane: _TimedPlane) -> None:
    def answer() -> None:
        if not os.read(0, 16):
            os._exit(0)  # whoever asked is gone
        told = {
            "grants": len(journal.latest.grants) if journal.latest else 0,
            "sessions": len(journal.latest.sessions) if journal.latest else 0,
            "commits": journal.commits,
            "commit_s": journal.commit_s,
            "access": plane.access,
            "applies": plane.applies,
            "apply_s": plane.apply_s,
            "done_at": plane.done_at,
            "cpu_s": time.process_time(),
        }
        os.write(1, json.dumps(told).encode() + b"\n")

    assert journal.synchronous() == ("wal", 2), "a commit would not be an fsync"
    asyncio.get_running_loop().add_reader(0, answer)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))
