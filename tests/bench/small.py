"""``small``: what the agent needs of the box: memory, idle processor time, and time to be back.

The agent is the product's own, started as its unit starts it, with an uplink over gRPC and mutual
TLS to a controller's end in another process (`tests.support.edge`). Everybody has paid and is seen
on the LAN by the kernel's own neighbour table. ``rss_mb`` is resident memory with 1,000 devices
online, a while after the last of them came; ``rss_10k_mb`` with 10,000; of these ``anon`` is ours
alone. ``idle_cpu_pct`` is its share of one processor with 1,000, user and system, while nothing is
asked of it. All of this has to be over before sessions that move nothing are closed: ten minutes.

``readopt_s`` begins with the start of the next process after SIGKILL, with 10,000 online, and ends
when it says that the kernel is as its journal wants it, and the portal shows a customer every byte
that ``nft`` had counted before; ``readopt_cpu_s`` is
the processor time of that process until then. ``cold_boot_s`` begins with the start of a process
that has the journal, in a kernel that knows nothing, and ends when ``nft`` lists all 10,000; the
agent finds who is there in its journal. ``back_rss_mb`` is resident memory with 10,000 some while
after the last kill.

The oracle wants, after the kills or the idle minute, every counter to have the name that it had,
and each address to be open. No peer is installed; the limits are those that the product promises.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from agent import identity as identities
from agent import running, status
from agent.uplink.memory import MemoryController, grant_item, site_item
from billing.plan import Limits
from portal.captive.gate import SiteFace
from tests.bench.booth import GATEWAY, HOST, PORT, Booth, address_of, mac_of
from tests.bench.crowd import IP_FREEBIND
from tests.bench.row import Row
from tests.support.edge import EdgeServer
from tests.support.netns import Namespace, NamespaceError

FEW, MANY = 1_000, 10_000
FEW_MB, MANY_MB = 60, 70
KILLS = 5
COLD_BOOTS = 3
ARRIVE_AT_ONCE = 100
"""The kernel forgets neighbours that are too many and not yet pinned."""

LIMITS = Limits(
    down_bps=5_000_000,
    up_bps=2_000_000,
    validity_s=86_400,
    uptime_s=None,
    quota_bytes=None,
    devices_max=1,
)
SETTLE_S = 75.0
"""Until the agent has reported all openings, and has given back what they took."""

IDLE_S = 60.0
WAIT_S = 60.0
LOOK_EVERY_S = 0.01
PAYLOAD = bytes(1_000)
LAYER3_BYTES = len(PAYLOAD) + 28
DATAGRAMS = 50
FAR = "198.51.100.1"
REQUEST = f"GET /status HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
_SHOWN_UP = re.compile(rb'id="up" data-bytes="([0-9]+)"')


@dataclass(slots=True)
class _Figures:
    rss_mb: dict[int, float] = field(default_factory=dict)
    anon_mb: dict[int, float] = field(default_factory=dict)
    idle_cpu_pct: list[float] = field(default_factory=list)
    readopt_s: list[float] = field(default_factory=list)
    readopt_cpu_s: list[float] = field(default_factory=list)
    cold_boot_s: list[float] = field(default_factory=list)
    cold_boot_cpu_s: list[float] = field(default_factory=list)
    back_rss_mb: list[float] = field(default_factory=list)
    correct: bool = True


class _Site:
    """A state directory, the controller's end and the agent; all of it in the booth's gateway."""

    def __init__(self, gateway: Namespace, state_dir: Path) -> None:
        self._gateway = gateway
        self._state_dir = state_dir
        self._config = state_dir / "agent.toml"
        self._agent: subprocess.Popen[bytes] | None = None
        self._edge: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()
        if self._edge is not None:
            self._edge.kill()
            self._edge.wait()

    @property
    def pid(self) -> int:
        assert self._agent is not None
        return self._agent.pid

    def follow(self, devices: int) -> None:
        """Start the controller's end, with paid grants for so many devices, and join it."""
        argv = (sys.executable, "-m", "tests.bench.small", str(self._state_dir), str(devices))
        self._edge = self._gateway.popen(*argv, stdout=subprocess.PIPE)
        assert self._edge.stdout is not None
        assert self._edge.stdout.readline(), "the controller's end did not start"

    def start(self) -> None:
        """Start the agent."""
        self._config.write_text(f'state_dir = "{self._state_dir}"\n[portal]\nport = {PORT}\n')
        argv = (sys.executable, "-m", "agent.main", "run", "--config", str(self._config))
        self._agent = self._gateway.popen(*argv, stderr=subprocess.DEVNULL)

    def await_adopted(self) -> None:
        """Until the agent says that it has brought the kernel to the newest generation it has."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if has_adopted(self._state_dir, self.pid):
                return
            time.sleep(LOOK_EVERY_S)
        raise AssertionError(f"not re-adopted within {WAIT_S:g} s")

    def kill9(self) -> None:
        """End the agent as want of memory would."""
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait()
        self._agent = None


def has_adopted(state_dir: Path, pid: int) -> bool:
    """Whether this process says that the kernel is as its journal wants it."""
    told = status.read(state_dir, now=datetime.now(UTC)) or {}
    return told.get("pid") == pid and told["applied_generation"] == told["generation"]


def run() -> list[Row]:
    """Measure."""
    figures = _Figures()
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        kept = Path(folder) / "kept"
        _online(Path(folder) / "few", FEW, figures, kills=0)
        _online(kept, MANY, figures, kills=KILLS)
        _cold_boots(kept, Path(folder), figures)
    return [
        Row(
            name="small",
            unit=f"MB resident with {MANY} online",
            ours=[figures.rss_mb[MANY]],
            peer=None,
            peer_is="openNDS: not installed",
            limit=[MANY_MB],
            limit_is="what is promised",
            lower_is_better=True,
            correct=figures.correct,
            more={
                "rss_mb": round(figures.rss_mb[FEW], 1),
                "rss_max_mb": FEW_MB,
                "anon_mb": round(figures.anon_mb[FEW], 1),
                "rss_10k_mb": round(figures.rss_mb[MANY], 1),
                "anon_10k_mb": round(figures.anon_mb[MANY], 1),
                "idle_cpu_pct": _middle(figures.idle_cpu_pct),
                "readopt_s": _middle(figures.readopt_s),
                "readopt_cpu_s": _middle(figures.readopt_cpu_s),
                "cold_boot_s": _middle(figures.cold_boot_s),
                "cold_boot_cpu_s": _middle(figures.cold_boot_cpu_s),
                "back_rss_mb": _middle(figures.back_rss_mb),
            },
        )
    ]


def _online(state_dir: Path, devices: int, figures: _Figures, *, kills: int) -> None:
    with Booth() as booth, _Site(booth.gateway, state_dir) as site:
        _connect(booth)
        site.follow(devices)
        site.start()
        _arrive(booth, range(1, devices + 1))
        time.sleep(SETTLE_S)
        figures.rss_mb[devices] = memory_mb(site.pid, "Rss")
        figures.anon_mb[devices] = memory_mb(site.pid, "Anonymous")
        print(f"  {devices}: {figures.rss_mb[devices]:.1f} MB", file=sys.stderr)
        meters = _meters(booth.gateway)
        if devices == FEW:
            figures.idle_cpu_pct.append(_idle_cpu_pct(site.pid))
        for number in range(kills):
            counted = _send(booth, meters["count_up4", str(address_of(1))])
            site.kill9()
            began = time.perf_counter()
            site.start()
            site.await_adopted()
            _await_shown(booth, counted)
            figures.readopt_s.append(time.perf_counter() - began)
            figures.readopt_cpu_s.append(cpu_s(site.pid))
            print(f"  kill {number + 1}: {figures.readopt_s[-1]:.2f} s", file=sys.stderr)
        figures.correct &= _meters(booth.gateway) == meters and len(meters) == 2 * devices
        figures.correct &= len(booth.open_addresses()) == devices
        if kills:
            time.sleep(SETTLE_S)
            figures.back_rss_mb.append(memory_mb(site.pid, "Rss"))


def _cold_boots(kept: Path, folder: Path, figures: _Figures) -> None:
    for number in range(COLD_BOOTS):
        state_dir = folder / str(number)
        shutil.copytree(kept, state_dir)
        with Booth() as booth, _Site(booth.gateway, state_dir) as site:
            last = _last_opened(state_dir)
            began = time.perf_counter()
            site.start()
            _await_open(booth, range(1, MANY + 1), last=last)
            figures.cold_boot_s.append(time.perf_counter() - began)
            figures.cold_boot_cpu_s.append(cpu_s(site.pid))
        print(f"  cold {number + 1}: {figures.cold_boot_s[-1]:.2f} s", file=sys.stderr)


def _connect(booth: Booth) -> None:
    """Give the crowd's link the first device's MAC, and ways to the other side."""
    booth.crowd.ip(f"link set eth0 address {mac_of(1)}", f"route add default via {GATEWAY}")


def _arrive(booth: Booth, numbers: range) -> None:
    """Have these devices seen on the LAN, and wait until all of them are online."""
    for first in numbers[::ARRIVE_AT_ONCE]:
        some = range(first, min(first + ARRIVE_AT_ONCE, numbers.stop))
        booth.gateway.ip(
            *(
                f"neigh replace {address_of(one)} lladdr {mac_of(one)} dev br-lan nud reachable"
                for one in some
            )
        )
        _await_open(booth, range(1, some.stop))


def _await_open(booth: Booth, numbers: range, *, last: int = 0) -> None:
    """Until the addresses of these and no others may pass, as ``nft`` lists them.

    All are listed only when ``last`` is there, so that looking costs little.
    """
    wanted = {str(address_of(number)) for number in numbers}
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if _is_open(booth.gateway, last or numbers[-1]) and booth.open_addresses() == wanted:
            return
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"{len(booth.open_addresses())} of {len(wanted)} are online")


def _is_open(gateway: Namespace, number: int) -> bool:
    one = f"{address_of(number)} . {mac_of(number)}"
    try:
        gateway.run("nft", "get", "element", "inet", "lango", "up4", f"{{ {one} }}")
    except NamespaceError:
        return False
    return True


def _last_opened(state_dir: Path) -> int:
    """The device whose session is put into an empty kernel last."""
    with contextlib.closing(sqlite3.connect(state_dir / running.JOURNAL)) as db:
        (body,) = db.execute("SELECT body FROM session ORDER BY id DESC LIMIT 1").fetchone()
    return int(IPv4Address(json.loads(body)["ipv4"])) - int(address_of(0))


def _meters(gateway: Namespace) -> dict[tuple[str, str], str]:
    """The name of the counter behind each address and way."""
    found = {}
    for way in ("count_down4", "count_up4"):
        text = gateway.run("nft", "-j", "list", "map", "inet", "lango", way)
        (table,) = (entry["map"] for entry in json.loads(text)["nftables"] if "map" in entry)
        found.update({(way, str(address)): str(name) for address, name in table.get("elem", [])})
    return found


def _send(booth: Booth, name: str) -> int:
    """Let the first device send to the other side; the bytes that its counter has then."""
    wanted = _counted(booth.gateway, name) + DATAGRAMS * LAYER3_BYTES

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
            out.bind((str(address_of(1)), 0))
            for _ in range(DATAGRAMS):
                out.sendto(PAYLOAD, (FAR, 9))

    booth.crowd.call(send)
    deadline = time.monotonic() + WAIT_S
    while (counted := _counted(booth.gateway, name)) < wanted and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    assert counted == wanted, "what was sent was not counted"
    return counted


def _counted(gateway: Namespace, name: str) -> int:
    told = json.loads(gateway.run("nft", "-j", "list", "counter", "inet", "lango", name))
    return int(told["nftables"][-1]["counter"]["bytes"])


def _await_shown(booth: Booth, counted: int) -> None:
    """Until the portal shows the first device so many bytes that it sent."""

    def look() -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                shown = _SHOWN_UP.search(_status_page())
                if shown and int(shown[1]) >= counted:
                    return
            time.sleep(LOOK_EVERY_S)
        raise AssertionError(f"not re-adopted within {WAIT_S:g} s")

    booth.crowd.call(look)


def _status_page() -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as phone:
        phone.settimeout(WAIT_S)
        phone.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        phone.bind((str(address_of(1)), 0))
        phone.connect((GATEWAY, PORT))
        phone.sendall(REQUEST)
        return b"".join(iter(lambda: phone.recv(65_536), b""))


def _idle_cpu_pct(pid: int) -> float:
    """Percent of one processor that it takes when nothing happens."""
    before = cpu_s(pid)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(pid) - before) / IDLE_S


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, what: str) -> float:
    """Resident memory, or the part of it that is no file's, from the kernel."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1_024


def _middle(figures: list[float]) -> float:
    return round(statistics.median(figures), 2)


async def _serve(state_dir: Path, devices: int) -> None:
    """Be the controller's end until killed: an identity for the agent, then its desired state."""
    controller = MemoryController()
    face = SiteFace(operator_name="Bench", site_name="Bench", help_phone="", language="en")
    controller.items.update([site_item(face)])
    controller.items.update(
        grant_item(f"{number:032x}", limits=LIMITS, devices=(mac_of(number),))
        for number in range(1, devices + 1)
    )
    edge = EdgeServer(controller)
    await edge.start()
    shown = edge.credentials()
    identity = identities.Identity(
        site_id="bench",
        edge_address=shown.edge_address,
        key_pem=shown.key_pem,
        certificate_pem=shown.certificate_pem,
        ca_pem=shown.ca_pem,
        valid_until=datetime.now(UTC) + timedelta(days=30),
    )
    identities.save(identity, state_dir)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
