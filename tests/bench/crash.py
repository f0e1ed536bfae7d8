"""``crash``: the agent is killed with SIGKILL while a paid device sends and receives.

The product's own parts (controller, agent, lab) with 1,000 devices online. Packets are counted by
the generators at both ends, not by the product. ``readopt_s`` runs from the kill until the next
process says that the kernel is as its journal wants it, and the portal shows the customer at least
the bytes that ``nft`` had counted just before. The oracle also wants every counter to
have the same name, which holds its epoch. ``rss_mb`` is the agent's resident memory with them all,
``idle_cpu_pct`` its share of one processor, user and system, while nothing is asked of it;
``rss_10k_mb`` is its memory with 10,000, when they have just been put into the kernel.

``cold_boot_s`` is another machine's morning: a journal with 10,000 sessions, a kernel that knows
nothing, no way to the controller; until all of them are in the kernel. ``nft`` lists them.

With ``KILLS=1000`` in the environment it is only this: so many kills at random moments, also while
the agent is starting. Every packet of the flow must arrive, and in the end kernel, portal and
controller must tell the same bytes.

No peer is installed: openNDS is not among the packages that tests need, so the row has none. The
limit is the same flow with nobody killed: the kernel forwards by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from controller.sandbox.lab.device import GATEWAY_V4
from controller.sandbox.lab.traffic import PORTAL
from tests.bench.booth import Booth, address_of, mac_of
from tests.bench.crowd import sign_in
from tests.bench.row import Row
from tests.bench.small import has_adopted
from tests.support.lab import SHOWN, a_lab, eventually
from tests.support.witness import Ends

if TYPE_CHECKING:
    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab, Used

ROUNDS = 5
COLD_ROUNDS = 5
OTHERS = range(1_001, 2_001)
"""Devices that are online beside the one that moves bytes, by their number in the crowd."""

AT_ONCE = 8
ARRIVE_AT_ONCE = 100
"""The kernel forgets neighbours that are too many and not yet pinned."""

SUBSCRIBERS = 10_000
FLOW_BPS = 4_000_000
FLOW_BYTES = 1_500_000
"""Three seconds each way."""

KILL_AFTER_S = 0.8
LOOK_EVERY_S = 0.01
READOPT_MAX_S = 20.0
IDLE_S = 60.0
SETTLE_S = 10.0
KILL_PAUSE_MAX_S = 2.0
"""Kills come within this of the start before, at random: half of them while the agent starts."""

SEED = 4
PLAN = {"validity_s": 86_400, "down_bps": 50_000_000, "up_bps": 50_000_000}


@dataclass(slots=True)
class _Figures:
    lost: list[float] = field(default_factory=list)
    lost_without: list[float] = field(default_factory=list)
    readopt_s: list[float] = field(default_factory=list)
    cold_boot_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    rss_10k_mb: list[float] = field(default_factory=list)
    idle_cpu_pct: list[float] = field(default_factory=list)
    correct: bool = True


def run() -> list[Row]:
    """Measure."""
    if kills := int(os.environ.get("KILLS", "0")):
        with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
            return [asyncio.run(_killed_often(Path(folder), kills))]
    figures = _Figures()
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        asyncio.run(_kills(Path(folder), figures))
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        _cold_boots(Path(folder), figures)
    return [
        Row(
            name="crash",
            unit="packets lost",
            ours=figures.lost,
            peer=None,
            peer_is="openNDS restart: not installed",
            limit=figures.lost_without,
            limit_is="the same flow with nobody killed",
            lower_is_better=True,
            correct=figures.correct,
            more={
                "readopt_s": round(statistics.median(figures.readopt_s), 2),
                "cold_boot_s": round(statistics.median(figures.cold_boot_s), 2),
                "rss_mb": round(max(figures.rss_mb), 1),
                "rss_10k_mb": round(max(figures.rss_10k_mb), 1),
                "idle_cpu_pct": round(statistics.median(figures.idle_cpu_pct), 2),
                "devices": len(OTHERS) + 1,
                "subscribers": SUBSCRIBERS,
            },
        )
    ]


async def _kills(folder: Path, figures: _Figures) -> None:
    async with a_lab(folder, devices=2) as lab:
        device = lab.fresh()
        plan_id = await lab.sell("crash", **PLAN)
        await lab.buy(device, plan_id)
        await _others_come(lab, plan_id)
        ends = Ends(device, lab.site.internet)
        meters = await asyncio.to_thread(_meters, lab)
        figures.rss_mb.append(_resident_mb(lab.agent.pid))
        figures.idle_cpu_pct.append(await _idle_cpu_pct(lab.agent.pid))
        for number in range(ROUNDS):
            figures.lost_without.append(await _flow(device, ends))
            flow = asyncio.create_task(_flow(device, ends))
            await asyncio.sleep(KILL_AFTER_S)
            figures.readopt_s.append(await _killed(lab, device))
            figures.lost.append(await flow)
            figures.rss_mb.append(_resident_mb(lab.agent.pid))
            print(f"  {number + 1}: {figures.readopt_s[-1]:.2f} s", file=sys.stderr)
        after = await asyncio.to_thread(_meters, lab)
    same = meters == after and len(meters) == 2 * (len(OTHERS) + 1)
    figures.correct = figures.correct and same and not any(figures.lost)


async def _others_come(lab: Lab, plan_id: str) -> None:
    """Give each of the others the plan, then let them turn up on the LAN."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def give(number: int) -> None:
        body = {"site_id": lab.rig.site_id, "plan_id": plan_id, "device_mac": mac_of(number)}
        async with gate:
            answer = await lab.rig.stall.client.post(
                "/api/v1/grants", json=body, headers={"Idempotency-Key": f"bench-{number}"}
            )
        assert answer.status_code == 201, answer.text

    await asyncio.gather(*map(give, OTHERS))
    for first in OTHERS[::ARRIVE_AT_ONCE]:
        some = range(first, first + ARRIVE_AT_ONCE)
        seen = [f"{address_of(number)} lladdr {mac_of(number)}" for number in some]
        await asyncio.to_thread(
            lab.site.gateway.ip,
            *(f"neigh replace {one} dev br-lan nud reachable" for one in seen),
        )
        await eventually(partial(_is_open, lab, some[-1]), wait_s=30)


async def _is_open(lab: Lab, number: int) -> bool:
    listed = await asyncio.to_thread(_meters, lab)
    return str(address_of(number)) in {address for _, address in listed}


def _meters(lab: Lab) -> dict[tuple[str, str], str]:
    """The name of the counter behind each address and way."""
    found = {}
    for way in ("count_down4", "count_up4"):
        text = lab.site.gateway.run("nft", "-j", "list", "map", "inet", "lango", way)
        (table,) = (entry["map"] for entry in json.loads(text)["nftables"] if "map" in entry)
        found.update({(way, str(address)): str(name) for address, name in table.get("elem", [])})
    return found


async def _flow(device: Device, ends: Ends) -> float:
    """Send bytes both ways at the same time; how many packets were lost on the way.

    The kernels at both ends say so: a busy machine also loses what has arrived and is not read.
    """
    before = await asyncio.to_thread(ends.lost)
    up, down = await asyncio.gather(
        device.udp_up(FLOW_BYTES, bps=FLOW_BPS), device.udp_down(FLOW_BYTES, bps=FLOW_BPS)
    )
    assert min(up.sent_bytes, down.sent_bytes) == FLOW_BYTES, "the flow was not sent whole"
    return await asyncio.to_thread(ends.lost) - before


async def _killed(lab: Lab, device: Device) -> float:
    """Kill the agent; seconds until the next has adopted all, and shows all that was counted."""
    counted = await asyncio.to_thread(lab.counted, device)
    killed = lab.agent.pid
    began = time.perf_counter()
    lab.agent.kill9()
    while time.perf_counter() - began < READOPT_MAX_S:
        if lab.agent.pid == killed or not has_adopted(lab.agent_config.parent, lab.agent.pid):
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        try:
            page = await device.get(f"{PORTAL}/status", address=GATEWAY_V4, wait_s=1)
        except (OSError, EOFError, TimeoutError):
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        shown = {key: int(count) for key, count in SHOWN.findall(page.text)}
        if shown.get("up", 0) >= counted.up_bytes and shown.get("down", 0) >= counted.down_bytes:
            return time.perf_counter() - began
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not re-adopted within {READOPT_MAX_S:g} s")


async def _killed_often(folder: Path, kills: int) -> Row:
    """Kill at random moments while packets flow; how many were lost, and whether all is counted."""
    chance = random.Random(SEED)
    lost: list[float] = []
    lost_without: list[float] = []
    begun = 0
    async with a_lab(folder, devices=2) as lab:
        device = lab.fresh()
        await lab.buy(device, await lab.sell("crash", **PLAN))
        ends = Ends(device, lab.site.internet)
        meters = await asyncio.to_thread(_meters, lab)
        lost_without.append(await _flow(device, ends))
        while begun < kills:
            flow = asyncio.create_task(_flow(device, ends))
            while not flow.done() and begun < kills:
                await lab.agent.started.wait()
                await asyncio.sleep(chance.uniform(0, KILL_PAUSE_MAX_S))
                lab.agent.kill9()
                begun += 1
            lost.append(await flow)
            print(f"  {begun} kills: {sum(lost):.0f} packets lost", file=sys.stderr)
        counted = await asyncio.to_thread(lab.counted, device)
        same = await asyncio.to_thread(_meters, lab) == meters
        shown = await _told_by_all(lab, device, counted)
    return Row(
        name="crash-often",
        unit="packets lost",
        ours=lost,
        peer=None,
        peer_is="openNDS restart: not installed",
        limit=lost_without,
        limit_is="the same flow with nobody killed",
        lower_is_better=True,
        correct=same and shown and not any(lost),
        more={
            "kills": begun,
            "starts": lab.agent.starts,
            "bytes_equal": shown,
            "bytes": counted.down_bytes + counted.up_bytes,
        },
        figure=sum,
    )


async def _told_by_all(lab: Lab, device: Device, counted: Used) -> bool:
    """Whether the controller comes to know of exactly what the kernel has counted."""
    await lab.whole()
    try:
        await lab.uses(device, counted)
    except AssertionError as wrong:
        print(f"  {wrong}", file=sys.stderr)
        return False
    return True


async def _idle_cpu_pct(pid: int) -> float:
    """Percent of one processor that it takes when nothing happens."""
    await asyncio.sleep(SETTLE_S)
    before = _cpu_s(pid)
    await asyncio.sleep(IDLE_S)
    return 100 * (_cpu_s(pid) - before) / IDLE_S


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    """Resident memory, from the kernel."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1_024


def _cold_boots(folder: Path, figures: _Figures) -> None:
    wanted = {str(address_of(number)) for number in range(1, SUBSCRIBERS + 1)}
    kept = folder / "kept"
    with Booth() as booth, booth.agent(kept, devices=SUBSCRIBERS) as agent:
        agent.ready(grants=SUBSCRIBERS)
        booth.with_own_macs(range(1, SUBSCRIBERS + 1))
        booth.crowd.call(lambda: sign_in(range(1, SUBSCRIBERS + 1)))
        agent.ready(grants=SUBSCRIBERS, access=SUBSCRIBERS)
    for number in range(COLD_ROUNDS):
        state_dir = folder / str(number)
        shutil.copytree(kept, state_dir)
        with Booth() as booth:
            began = time.monotonic()
            with booth.agent(state_dir, devices=0) as agent:
                told = agent.ready(grants=SUBSCRIBERS, access=SUBSCRIBERS)
                figures.cold_boot_s.append(told["done_at"] - began)
                figures.rss_10k_mb.append(_resident_mb(agent.pid))
                figures.correct = figures.correct and booth.open_addresses() == wanted
        print(f"  cold {number + 1}: {figures.cold_boot_s[-1]:.2f} s", file=sys.stderr)
