"""``hosted``: what one process needs that runs several small sites, each beside its own router.

The agent is the product's own, with an uplink over gRPC and mutual TLS to a controller's end; each
router is an emulated one (RouterOS 7), over its real API. All devices have paid and are seen by
their router. ``rss_1_mb`` is resident memory with one site, ``rss_10_mb`` with ten; ``site_mb``
what one more of them takes; ``idle_cpu_pct`` the share of one processor with ten, while nothing is
asked of it. The oracle wants every device of every site online, on its router, and counted by a
queue. No peer is installed; the limit is what as many processes of one site each would take.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent import identity as identities
from agent import status
from agent.uplink.memory import MemoryController, grant_item, site_item
from portal.captive.gate import SiteFace
from shaping.routeros.rows import LISTS, QUEUES
from tests.bench.booth import mac_of
from tests.bench.row import Row
from tests.bench.small import LIMITS, cpu_s, memory_mb
from tests.routeros.emulator import PASSWORD, USER
from tests.support.edge import EdgeServer
from tests.support.router import Emulated

FEW, MANY, DEVICES = 1, 10, 20
PORTAL_PORT = 18_000
WAIT_S = 90.0
SETTLE_S = 100.0
"""Until what the start took was given back, twice."""

IDLE_S = 30.0
SITE = """state_dir = "{state}"
plane = "routeros"
[portal]
port = {port}
[routeros]
host = "{host}"
port = {api}
tls = false
user = "{user}"
password_file = "{password}"
interfaces = ["bridge"]
portal = "127.0.0.1"
"""


def run() -> list[Row]:
    """Measure."""
    figures = {count: _measured(count) for count in (FEW, MANY)}
    one, ten = figures[FEW][0], figures[MANY][0]
    return [
        Row(
            name="hosted",
            unit=f"MB resident with {MANY} sites of {DEVICES} devices in one process",
            ours=[ten],
            peer=None,
            peer_is="none is known",
            limit=[MANY * one],
            limit_is=f"{MANY} processes of one site each",
            lower_is_better=True,
            correct=all(correct for *_, correct in figures.values()),
            more={
                "rss_1_mb": round(one, 1),
                "rss_10_mb": round(ten, 1),
                "site_mb": round((ten - one) / (MANY - FEW), 2),
                "idle_cpu_pct": round(figures[MANY][1], 2),
            },
        )
    ]


def _measured(sites: int) -> tuple[float, float, bool]:
    """Memory, idle processor time in percent, and whether everybody was served."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lango-hosted-")))
        controller = _controller(stack)
        routers = [
            stack.enter_context(Emulated(clock=time.monotonic, seed=number + 1))
            for number in range(sites)
        ]
        for number, router in enumerate(routers):
            _join(folder, number, router, controller)
        argv = (sys.executable, "-m", "agent.main", "run", "--config", str(folder / "sites"))
        agent = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        stack.callback(_ended, agent)
        states = [folder / str(number) for number in range(sites)]
        served = _all_online(states, agent.pid)
        time.sleep(SETTLE_S)
        taken_mb, before = memory_mb(agent.pid, "Rss"), cpu_s(agent.pid)
        time.sleep(IDLE_S)
        idle = 100 * (cpu_s(agent.pid) - before) / IDLE_S
        served &= all(_rows(router) == (DEVICES, DEVICES) for router in routers)
        print(f"  {sites} sites: {taken_mb:.1f} MB, {idle:.2f} %", file=sys.stderr)
        return taken_mb, idle, served


def _controller(stack: ExitStack) -> EdgeServer:
    """The controller's end, in a thread of its own."""
    controller = MemoryController()
    face = SiteFace(operator_name="Bench", site_name="Bench", help_phone="", language="en")
    controller.items.update([site_item(face)])
    controller.items.update(
        grant_item(f"{number:032x}", limits=LIMITS, devices=(mac_of(number),))
        for number in range(1, DEVICES + 1)
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begun() -> EdgeServer:
        edge = EdgeServer(controller)
        await edge.start()
        return edge

    edge = asyncio.run_coroutine_threadsafe(begun(), loop).result()

    def stop() -> None:
        asyncio.run_coroutine_threadsafe(edge.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    stack.callback(stop)
    return edge


def _join(folder: Path, number: int, router: Emulated, edge: EdgeServer) -> None:
    """A site's folder, identity and configuration, and its devices at its router."""
    state, sites = folder / str(number), folder / "sites"
    for place in (state, sites):
        place.mkdir(exist_ok=True)
    shown = edge.credentials()
    identity = identities.Identity(
        site_id=f"bench-{number}",
        edge_address=shown.edge_address,
        key_pem=shown.key_pem,
        certificate_pem=shown.certificate_pem,
        ca_pem=shown.ca_pem,
        valid_until=datetime.now(UTC) + timedelta(days=30),
    )
    identities.save(identity, state)
    (state / "password").write_text(f"{PASSWORD}\n")
    words = {"host": router.box.host, "api": router.box.port, "user": USER}
    text = SITE.format(state=state, port=PORTAL_PORT + number, password=state / "password", **words)
    (sites / f"{number}.toml").write_text(text)
    for one in range(1, DEVICES + 1):
        row = {"address": f"10.5.50.{one + 10}", "mac_address": mac_of(one), "interface": "bridge"}
        router.do(lambda box, words=row: box.add("/ip/arp", **words))  # type: ignore[misc]


def _all_online(states: list[Path], pid: int) -> bool:
    """Whether every site says that all of its devices are online, in time."""

    def online(state: Path) -> bool:
        told = status.read(state, now=datetime.now(UTC)) or {}
        return told.get("pid") == pid and told["sessions"] == DEVICES

    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if all(map(online, states)):
            return True
        time.sleep(0.1)
    return False


def _rows(router: Emulated) -> tuple[int, int]:
    """How many devices a router lets pass, and how many it counts."""
    ways = [row for row in router.rows(LISTS) if row.get("comment", "").startswith("lango way")]
    queues = [r for r in router.rows(QUEUES) if r.get("comment", "").startswith("lango session")]
    return len(ways), len(queues)


def _ended(agent: subprocess.Popen[bytes]) -> None:
    agent.terminate()
    agent.wait()
