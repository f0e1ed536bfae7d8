"""Devices with a life of their own buy, go online and use a little."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab import traffic
from tests.support.lab import REPORT_WAIT_S, eventually

if TYPE_CHECKING:
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


async def test_each_buys_and_is_seen_to_use_what_it_bought(lab: Lab) -> None:
    devices = [lab.fresh() for _ in traffic.HABITS]
    url = f"http://127.0.0.1:{lab.rig.plan.ports.daraja}"
    living = asyncio.create_task(traffic.live(devices, simulator_url=url))

    async def all_seen() -> bool:
        used = [await lab.used(device) for device in devices]
        return all(each.down_bytes >= traffic.DOWN_BYTES for each in used)

    try:
        assert await eventually(all_seen, wait_s=2 * REPORT_WAIT_S)
    finally:
        living.cancel()
        await asyncio.wait({living})
