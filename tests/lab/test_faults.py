"""Whatever happens to the callback: one credit, and online."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    "fault",
    [
        "callback_ten_at_once",
        "callback_doubled",
        "callback_before_answer",
        "callback_lost",
        "callback_text_code",
        "push_no_answer",
        "query_flaps",
    ],
)
async def test_one_credit_and_online(lab: Lab, fault: str) -> None:
    device = lab.fresh()
    plan_id = await lab.sell(fault.replace("_", "-"))
    async with switched(lab, **{fault: True}):
        await lab.order(device, plan_id)
        await lab.pay(device)
        await lab.online(device, wait_s=60)
    accounts = {row["account"]: row["balance"] for row in await lab.rig.stall.balances()}

    assert accounts[f"income:main:plan:{plan_id}"]["amount"] == "-10.00"


@contextlib.asynccontextmanager
async def switched(lab: Lab, **faults: bool | int) -> AsyncIterator[None]:
    """The simulated network with these faults on."""
    (await lab.fingers.client.post("/sim/faults", json=faults)).raise_for_status()
    yield
    (await lab.fingers.client.post("/sim/faults/clear")).raise_for_status()
