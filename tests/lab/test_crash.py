"""kill -9, and a cut link: transfers go on, nothing is counted twice or lost, all come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.device import asking_bytes
from controller.sandbox.lab.traffic import PORTAL
from tests.support.lab import REPORT_WAIT_S, Used, eventually

if TYPE_CHECKING:
    from controller.sandbox.children import Child
    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


def part(lab: Lab, name: str) -> Child:
    return {"agent": lab.agent, "controller": lab.controller}[name]


@pytest.mark.parametrize("name", ["agent", "controller"])
async def test_a_transfer_goes_on_over_a_kill(lab: Lab, name: str) -> None:
    device = await an_online_device(lab)
    running = asyncio.create_task(device.goodput_down_bps(seconds=5))
    await asyncio.sleep(2)
    part(lab, name).kill9()
    speed = await running

    assert speed * 100 // 2_000_000 >= 93


@pytest.mark.parametrize("name", ["agent", "controller"])
async def test_a_kill_in_mid_transfer_counts_nothing_twice_and_loses_nothing(
    lab: Lab, name: str
) -> None:
    device = await an_online_device(lab)
    before = lab.counted(device)
    running = asyncio.create_task(device.udp_down(500_000, bps=1_500_000))
    await asyncio.sleep(1)
    part(lab, name).kill9()
    moved = await running
    want = Used(before.down_bytes + moved.sent_bytes, before.up_bytes + asking_bytes())

    await lab.uses(device, want, wait_s=REPORT_WAIT_S)


@pytest.mark.parametrize("name", ["agent", "controller"])
async def test_a_payment_in_flight_survives_a_kill(lab: Lab, name: str) -> None:
    device = lab.fresh()
    await lab.order(device, await lab.sell("in-flight"))
    await lab.fingers.prompt("254" + lab.phone(device)[1:])
    part(lab, name).kill9()
    await lab.pay(device)

    await lab.online(device, wait_s=REPORT_WAIT_S)


async def test_an_order_while_the_link_is_cut_finishes_when_it_returns(lab: Lab) -> None:
    device = lab.fresh()
    plan_id = await lab.sell("cut-before")
    lab.site.link_down()
    answer = await lab.order(device, plan_id)
    lab.site.link_up()
    assert answer.status == 303, answer.text
    await lab.pay(device)

    await lab.online(device, wait_s=REPORT_WAIT_S)


async def test_a_link_cut_after_the_order_finishes_when_it_returns(lab: Lab) -> None:
    device = lab.fresh()
    await lab.order(device, await lab.sell("cut-after"))
    await lab.fingers.prompt("254" + lab.phone(device)[1:])
    lab.site.link_down()
    await lab.pay(device)
    await asyncio.sleep(2)
    lab.site.link_up()

    await lab.online(device, wait_s=REPORT_WAIT_S)


async def test_use_during_a_cut_is_reported_when_the_link_returns(lab: Lab) -> None:
    device = await an_online_device(lab)
    before = lab.counted(device)
    lab.site.link_down()
    await device.udp_up(50_000, bps=1_000_000, settle_s=0.1)
    await asyncio.sleep(6)
    lab.site.link_up()
    want = Used(before.down_bytes, before.up_bytes + 50_000)

    await lab.uses(device, want, wait_s=REPORT_WAIT_S)


async def test_a_plan_put_on_sale_during_a_cut_is_shown_when_the_link_returns(lab: Lab) -> None:
    device = lab.site.devices[-1]
    lab.site.link_down()
    selling = asyncio.create_task(lab.sell("cut-plan"))
    await asyncio.sleep(1)
    lab.site.link_up()
    await selling

    async def shown() -> bool:
        return "cut-plan" in (await device.get(f"{PORTAL}/packages")).text

    assert await eventually(shown)


async def an_online_device(lab: Lab) -> Device:
    """A device that has paid, and whose use so far the controller knows."""
    device = lab.fresh()
    await lab.buy(device, await lab.sell("hour"))

    async def agreed() -> bool:
        return await lab.used(device) == lab.counted(device)

    await eventually(agreed, wait_s=REPORT_WAIT_S)
    return device
