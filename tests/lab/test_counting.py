"""Bytes are counted once, and what was bought ends where it should, also with the agent dead."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.device import INTERNET_V4, INTERNET_V6, asking_bytes
from tests.support.lab import REPORT_WAIT_S, Used, eventually

if TYPE_CHECKING:
    from controller.sandbox.lab.device import Device, Moved
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

BURST_BYTES = 64_000
"""The most that the kernel moves as one packet."""

SECONDS = 6


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
async def test_generator_kernel_controller_and_portal_count_the_same(
    lab: Lab, address: str
) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("counted"))
    before = await settled(lab, device)
    down = await device.udp_down(300_000, bps=1_500_000, address=address)
    up = await device.udp_up(100_000, bps=1_500_000, address=address)
    want = Used(
        before.down_bytes + down.sent_bytes,
        before.up_bytes + up.received_bytes + asking_bytes(address),
    )

    assert lab.counted(device) == want
    await lab.uses(device, want)
    await eventually(lambda: shows(lab, device, want))


@pytest.mark.parametrize("agent_dead", [False, True], ids=["agent-alive", "agent-dead"])
async def test_a_time_plan_ends_on_the_second(lab: Lab, *, agent_dead: bool) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("seconds", validity_s=SECONDS))
    streaming = asyncio.create_task(device.udp_up(160_000, bps=160_000))
    if agent_dead:
        lab.agent.kill9(stay_dead=True)
    moved = await streaming
    lab.agent.revive()
    ended = time.time() - (asyncio.get_running_loop().time() - (moved.last_at or 0))
    lasted = ended - await started(lab, device)

    assert abs(lasted - SECONDS) <= 1, f"{lasted:.2f} s"


@pytest.mark.parametrize("agent_dead", [False, True], ids=["agent-alive", "agent-dead"])
async def test_a_data_plan_ends_at_the_byte(lab: Lab, *, agent_dead: bool) -> None:
    device = lab.fresh()
    cap = 1_000_000
    await lab.buy(device, await lab.sell("megabyte", quota_bytes=cap))
    if agent_dead:
        lab.agent.kill9(stay_dead=True)
    moved: Moved = await device.udp_down(1_500_000, bps=1_800_000)
    lab.agent.revive()
    await lab.offline(device)
    used = await used_at_last(lab, device)

    assert moved.received_bytes < cap
    assert cap - 1_500 <= used.down_bytes + used.up_bytes <= cap + BURST_BYTES, used


async def settled(lab: Lab, device: Device) -> Used:
    """What was used so far, once kernel and controller agree."""

    async def agreed() -> bool:
        return await lab.used(device) == lab.counted(device)

    await eventually(agreed, wait_s=REPORT_WAIT_S)
    return await lab.used(device)


async def used_at_last(lab: Lab, device: Device) -> Used:
    """What the controller has when the session is closed there."""

    async def closed() -> bool:
        sessions = await lab.sessions(device)
        return all(session["closed_at"] for session in sessions)

    await eventually(closed, wait_s=REPORT_WAIT_S)
    return await lab.used(device)


async def shows(lab: Lab, device: Device, want: Used) -> bool:
    return await lab.shown(device) == want


async def started(lab: Lab, device: Device) -> float:
    """When access was given, as the controller has it."""

    async def known() -> str | None:
        found: str | None = (await lab.grant(device))["started_at"]
        return found

    return datetime.fromisoformat(str(await eventually(known, wait_s=REPORT_WAIT_S))).timestamp()
