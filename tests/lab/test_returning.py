"""A phone that made up another address keeps what was paid, in real packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.traffic import PORTAL, is_online
from tests.support.lab import eventually

if TYPE_CHECKING:
    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

FALLS_SILENT_S = 45.0
"""A device is believed to have left after 15 s; the lab is slow."""


async def badge(device: Device) -> str:
    """The cookie that the portal gives to the browser of a device that is online."""
    cookie = (await device.get(f"{PORTAL}/status")).head.field("set-cookie")
    assert cookie is not None
    return cookie.partition(";")[0]


async def test_a_new_address_with_the_cookie_has_the_place_of_the_old_one(lab: Lab) -> None:
    before, after = lab.fresh(), lab.fresh()
    await lab.buy(before, await lab.sell("rotating"))
    cookie = await badge(before)
    lab.site.link_down()  # so that nobody else can be asked
    try:

        async def back() -> bool:
            await after.get(f"{PORTAL}/", fields={"Cookie": cookie})
            return (await after.get(f"{PORTAL}/ok")).status == 200

        await eventually(back, wait_s=FALLS_SILENT_S)
    finally:
        lab.site.link_up()

    assert await eventually(lambda: passes(after))
    assert not await passes(before)


async def test_while_the_old_one_is_alive_the_new_one_is_shown_it_and_waits(lab: Lab) -> None:
    before, after = lab.fresh(), lab.fresh()
    await lab.buy(before, await lab.sell("alive"))
    cookie = await badge(before)
    await is_online(before)
    page = await after.get(f"{PORTAL}/", fields={"Cookie": cookie})

    assert page.status == 200
    assert 'action="/move' in page.text
    assert await passes(before)


async def passes(device: Device) -> bool:
    """Whether a packet of the device leaves the site."""
    return (await device.udp_up(1_000, bps=100_000, settle_s=0.2)).received_bytes > 0
