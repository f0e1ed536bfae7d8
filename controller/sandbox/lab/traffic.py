"""Devices with a life of their own: they buy at the portal and use a little of what they bought."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import structlog
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from controller.sandbox.fingers import Fingers, NoPrompt
from controller.sandbox.lab.dns import ResolveError
from controller.sandbox.lab.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.sandbox.lab.device import Device

PROBE = "http://connectivitycheck.gstatic.com/generate_204"
PORTAL = "http://wifi.lango"
ONLINE = 204
ONLINE_WAIT_S = 60.0
LOOK_EVERY_S = 1.0
REST_S = 4.0
"""Between two uses of the net."""

REST_AFTER_FAILURE_S = 30.0
DOWN_BYTES = 60_000
UP_BYTES = 10_000
USE_BPS = 400_000
"""One device moves about 120 kbit/s on average: enough to see, too little to matter."""

log = structlog.get_logger("traffic")


class NotSold(Exception):  # noqa: N818 - a sentence
    """The portal did not take the order, or the money did not open the gate."""


FAILURES = (
    OSError,
    EOFError,
    TimeoutError,
    ResolveError,
    WireError,
    NoPrompt,
    NotSold,
    httpx2.HTTPError,
)


@dataclass(frozen=True, slots=True)
class Habit:
    """What a device buys, and which phone pays for it."""

    plan_id: str
    phone: str

    @property
    def msisdn(self) -> str:
        """The phone as M-PESA writes it."""
        return "254" + self.phone[1:]


HABITS = (
    Habit("quick-40min", "0700000002"),
    Habit("bundle-500mb", "0700000003"),
    Habit("hour-online", "0700000004"),
)


async def live(devices: Sequence[Device], *, simulator_url: str) -> None:
    """Let each device live by its habit, for ever. Ends only by being cancelled."""
    fingers = Fingers(simulator_url)
    try:
        async with asyncio.TaskGroup() as group:
            for device, habit in zip(devices, HABITS, strict=False):
                group.create_task(_live(device, habit, fingers))
    finally:
        await fingers.close()


async def is_online(device: Device) -> bool:
    """Whether the device's own system would say that it is on the internet."""
    return (await device.get(PROBE)).status == ONLINE


async def buy(device: Device, habit: Habit, fingers: Fingers) -> None:
    """Order at the portal, pay on the phone, wait until online. Raises one of `FAILURES`."""
    form = {"plan": habit.plan_id, "phone": habit.phone}
    answer = await device.post(f"{PORTAL}/order", form)
    if answer.location is None:
        raise NotSold(f"the portal answers {answer.status}")
    await fingers.pay(habit.msisdn)
    opened: bool = await AsyncRetrying(
        retry=retry_if_result(lambda online: not online),
        stop=stop_after_delay(ONLINE_WAIT_S),
        wait=wait_fixed(LOOK_EVERY_S),
        retry_error_callback=lambda _: False,
    )(is_online, device)
    if not opened:
        raise NotSold(f"paid, and not online after {ONLINE_WAIT_S:g} s")


async def use(device: Device) -> None:
    """A little of the net, both ways."""
    await device.udp_down(DOWN_BYTES, bps=USE_BPS)
    await device.udp_up(UP_BYTES, bps=USE_BPS)


async def _live(device: Device, habit: Habit, fingers: Fingers) -> None:
    while True:
        try:
            if await is_online(device):
                await use(device)
            else:
                await buy(device, habit, fingers)
        except FAILURES as fault:
            log.info("device_rests", device=device.number, fault=str(fault) or type(fault).__name__)
            await asyncio.sleep(REST_AFTER_FAILURE_S)
        await asyncio.sleep(REST_S)
