"""Pay on the phone, be online without another tap; and nobody else is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.device import INTERNET_V4, INTERNET_V6
from controller.sandbox.lab.traffic import PORTAL, PROBE
from tests.support.lab import eventually

if TYPE_CHECKING:
    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

RATE_BPS = 2_000_000


async def test_a_paid_order_opens_the_gate_without_another_request(lab: Lab) -> None:
    device = lab.fresh()
    await lab.order(device, await lab.sell("opens"))
    await lab.pay(device)

    async def passes() -> bool:
        return (await device.udp_up(1_000, bps=100_000, settle_s=0.2)).received_bytes > 0

    assert await eventually(passes)


async def test_the_probe_of_a_paid_device_says_online(lab: Lab) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("probe"))

    assert (await device.get(PROBE)).status == 204


async def test_the_code_of_the_payment_connects_a_second_device(lab: Lab) -> None:
    paid, other = lab.fresh(), lab.fresh()
    await lab.buy(paid, await lab.sell("pair", validity_s=3_600, devices_max=2))
    await other.post(f"{PORTAL}/redeem", {"code": f"{await lab.receipt(paid)} Confirmed."})

    await lab.online(other)


async def test_an_unpaid_order_opens_nothing(lab: Lab) -> None:
    device = lab.fresh()
    await lab.order(device, await lab.sell("unpaid"))
    await lab.pay(device, pin="0000")

    async def refused() -> bool:
        return "wrong" in (await device.browse(f"{PORTAL}/")).text.lower()

    await eventually(refused)

    assert await nothing_passes(lab, device)


async def test_one_payment_of_a_plan_is_one_receipt_in_the_ledger(lab: Lab) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("ledger"))
    accounts = {row["account"]: row["balance"] for row in await lab.rig.stall.balances()}

    assert accounts["income:main:plan:ledger"]["amount"] == "-10.00"


@pytest.mark.parametrize("address", [INTERNET_V4, INTERNET_V6])
async def test_download_and_upload_run_at_the_speed_that_was_bought(lab: Lab, address: str) -> None:
    device = lab.fresh()
    await lab.buy(device, await lab.sell("speed"))
    speeds = [
        await device.goodput_down_bps(address=address),
        await device.goodput_up_bps(address=address),
    ]

    assert [93 <= speed * 100 // RATE_BPS <= 100 for speed in speeds] == [True, True], speeds


@pytest.mark.parametrize("borrowed", ["ipv4", "ipv6", "mac"])
async def test_a_device_that_borrows_from_a_paid_one_gets_nothing(lab: Lab, borrowed: str) -> None:
    paid, thief = lab.fresh(), lab.fresh()
    await lab.buy(paid, await lab.sell("spoofed"))
    borrow(thief, paid, borrowed)
    try:
        assert await nothing_passes(lab, thief, source=borrowed_source(paid, borrowed))
    finally:
        give_back(thief, paid, borrowed)


@pytest.mark.parametrize("borrowed", ["ipv4", "ipv6"])
async def test_a_paid_device_goes_on_while_another_borrows_its_address(
    lab: Lab, borrowed: str
) -> None:
    paid, thief = lab.fresh(), lab.fresh()
    await lab.buy(paid, await lab.sell("robbed"))
    borrow(thief, paid, borrowed)
    try:
        _, moved = await asyncio.gather(
            nothing_passes(lab, thief, source=borrowed_source(paid, borrowed)),
            paid.udp_down(300_000, bps=1_000_000, address=INTERNET_V4),
        )
    finally:
        give_back(thief, paid, borrowed)

    assert moved.received_bytes == moved.sent_bytes == 300_000


async def test_a_second_device_gets_nothing_from_the_first_ones_payment(lab: Lab) -> None:
    paid, other = lab.fresh(), lab.fresh()
    await lab.buy(paid, await lab.sell("alone"))

    assert await nothing_passes(lab, other)


def borrow(thief: Device, paid: Device, what: str) -> None:
    if what == "mac":
        thief.ns.ip(f"link set eth0 address {paid.mac}")
    elif what == "ipv4":
        thief.ns.ip(f"addr add {paid.ipv4}/16 dev eth0")
    else:
        thief.ns.ip(f"addr add {paid.ipv6}/64 dev eth0 nodad")


def give_back(thief: Device, paid: Device, what: str) -> None:
    if what == "mac":
        thief.ns.ip(f"link set eth0 address {thief.mac}")
    elif what == "ipv4":
        thief.ns.ip(f"addr del {paid.ipv4}/16 dev eth0")
    else:
        thief.ns.ip(f"addr del {paid.ipv6}/64 dev eth0")


def borrowed_source(paid: Device, what: str) -> str | None:
    return {"mac": None, "ipv4": str(paid.ipv4), "ipv6": str(paid.ipv6)}[what]


async def nothing_passes(lab: Lab, device: Device, *, source: str | None = None) -> bool:
    """Whether not one datagram of a device leaves the site, for two seconds, by both protocols."""
    addresses = [INTERNET_V4, INTERNET_V6]
    if source is not None:
        addresses = [INTERNET_V6 if ":" in source else INTERNET_V4]
    moved = await asyncio.gather(
        *(
            device.udp_up(20_000, bps=80_000, address=address, settle_s=0.2, source=source)
            for address in addresses
        )
    )
    return all(flow.received_bytes == 0 for flow in moved)
