"""The link is down, and the site goes on: it sells, shapes, counts, ends; then the books agree.

First the carrier is gone, as when a mast falls; then it is back, but the controller cannot be
reached, so that what was bought can be used and measured while the site is on its own.

``LANGO_LINK_DOWN_S=600 make test ARGS="-k test_offline -s"`` keeps the link down for ten minutes
and prints what was measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from controller.sandbox.lab.traffic import PORTAL
from tests.support.lab import Used, a_lab, eventually
from tests.support.witness import Passage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.sandbox.lab.device import Answer, Device
    from tests.support.lab import Lab

LINK_DOWN_S = int(os.environ.get("LANGO_LINK_DOWN_S", "60"))
"""At least so long; what is done meanwhile takes about 50 s."""

SETTLE_WAIT_S = 90.0
RATE_BPS = 2_000_000
SECONDS = 8
CAP_BYTES = 1_000_000
BURST_BYTES = 64_000
"""The most that the kernel moves as one packet."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300 + LINK_DOWN_S),
]


@dataclass
class Outage:
    """What customers did and met while the link was down, and what was found when it was back."""

    lab: Lab
    shown_to_third: Answer = field(init=False)
    people: dict[str, Device] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    speeds: dict[str, int] = field(default_factory=dict)
    counted: dict[str, Used] = field(default_factory=dict)
    ended_at: float = 0.0
    got_bytes: int = 0
    lasted_s: float = 0.0
    settled_s: float = 0.0
    told_early: list[str] = field(default_factory=list)

    async def redeems(self, who: str, code: str) -> None:
        """A device that nobody used before types a code."""
        device = self.people.setdefault(who, self.lab.fresh())
        answer = await self.lab.redeem(device, code)
        self.answers[who] = (answer.location or str(answer.status)).removeprefix(PORTAL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outage]:
    async with a_lab(tmp_path_factory.mktemp("rig"), devices=14) as lab:
        seen = Outage(lab)
        await lived_through(seen)
        yield seen


async def lived_through(seen: Outage) -> None:
    """Sell, cut the link, live, mend it, and wait until the controller knows of everything."""
    lab = seen.lab
    plans = {
        "hour": await lab.sell("off-hour"),
        "pair": await lab.sell("off-pair", validity_s=3_600, devices_max=2),
        "short": await lab.sell("off-short", validity_s=SECONDS),
        "small": await lab.sell("off-small", quota_bytes=CAP_BYTES),
    }
    codes = {name: (await lab.vouchers(plan, 3))[0] for name, plan in plans.items()}
    token = await lab.token(plans["hour"])
    seen.people["payer"] = lab.fresh()
    passage = Passage(lab.site.gateway, lab.site.devices)
    await lab.buy(seen.people["payer"], plans["pair"])
    receipt = await lab.receipt(seen.people["payer"])
    await lab.in_step()
    began = time.monotonic()
    lab.site.link_down()
    await redeemed(seen, codes, token, receipt)
    lab.site.controller_away()
    lab.site.link_up()
    await used(seen, codes)
    while time.monotonic() - began < LINK_DOWN_S:
        await asyncio.gather(*(seen.people[who].udp_up(50_000, bps=200_000) for who in ONLINE))
        await seen.people["voucher"].udp_down(50_000, bps=200_000)
    seen.told_early = [one["id"] for one in await lab.rig.stall.list("grants")]
    seen.lasted_s = time.monotonic() - began
    seen.counted = {who: passage.used(device) for who, device in seen.people.items()}
    lab.site.controller_back()
    began = time.monotonic()
    for who, device in seen.people.items():
        await lab.uses(device, seen.counted[who], wait_s=SETTLE_WAIT_S)
    seen.settled_s = time.monotonic() - began
    print(
        f"\nlink down {seen.lasted_s:.0f} s, settled {seen.settled_s:.1f} s after it was back; "
        f"speeds {seen.speeds}; bytes {seen.counted}"
    )


ONLINE = ("voucher", "token", "first", "second", "paster", "payer")
"""Who is still online when the link returns."""


async def redeemed(seen: Outage, codes: dict[str, str], token: str, receipt: str) -> None:
    """Codes are typed while there is no carrier."""
    await seen.redeems("voucher", codes["hour"])
    await seen.redeems("latecomer", codes["hour"])
    await seen.redeems("token", token)
    await seen.redeems("first", codes["pair"])
    await seen.redeems("second", codes["pair"])
    await seen.redeems("third", codes["pair"])
    seen.shown_to_third = await seen.people["third"].get(f"{PORTAL}/devices")
    await seen.redeems("paster", f"{receipt} Confirmed. Ksh10.00 paid to LANGO. on 2/3/26")
    await seen.redeems("guesser", "ABCDEFGHJKMN")


async def used(seen: Outage, codes: dict[str, str]) -> None:
    """What was bought is used, and ends, while the controller cannot be reached."""
    lab = seen.lab
    for who in ONLINE:
        await lab.online(seen.people[who])
    for who in ("voucher", "token"):
        device = seen.people[who]
        seen.speeds[f"{who} down"] = await device.goodput_down_bps(seconds=3)
        seen.speeds[f"{who} up"] = await device.goodput_up_bps(seconds=3)
    await seen.redeems("short", codes["short"])
    stream = await seen.people["short"].udp_up(220_000, bps=160_000)
    seen.ended_at = time.time() - (asyncio.get_running_loop().time() - (stream.last_at or 0))
    await seen.redeems("small", codes["small"])
    await lab.online(seen.people["small"])
    moved = await seen.people["small"].udp_down(1_500_000, bps=1_800_000)
    seen.got_bytes = moved.received_bytes
    await lab.offline(seen.people["small"])


async def test_good_codes_are_taken_and_wrong_ones_are_not(outage: Outage) -> None:
    assert outage.answers == {
        "voucher": "/joined",
        "latecomer": "/devices",
        "token": "/joined",
        "first": "/joined",
        "second": "/joined",
        "third": "/devices",
        "paster": "/joined",
        "guesser": "422",
        "short": "/joined",
        "small": "/joined",
    }


async def test_who_holds_a_code_whose_places_are_taken_is_shown_who_has_them(
    outage: Outage,
) -> None:
    assert outage.shown_to_third.status == 200
    assert outage.shown_to_third.text.count('action="/move') == 2


async def test_nobody_outside_was_told_while_the_link_was_down(outage: Outage) -> None:
    assert len(outage.told_early) == 1, "the payer's grant alone"
    assert outage.lasted_s >= LINK_DOWN_S


async def test_codes_are_worth_the_speed_that_was_bought(outage: Outage) -> None:
    percent = {which: bps * 100 // RATE_BPS for which, bps in outage.speeds.items()}

    assert all(93 <= one <= 100 for one in percent.values()), percent


async def test_a_time_plan_ends_on_the_second(outage: Outage) -> None:
    grant = await outage.lab.grant(outage.people["short"])
    lasted = outage.ended_at - datetime.fromisoformat(grant["started_at"]).timestamp()

    assert abs(lasted - SECONDS) <= 1, f"{lasted:.2f} s"


async def test_a_data_plan_ends_at_the_byte(outage: Outage) -> None:
    counted = outage.counted["small"]

    assert outage.got_bytes < CAP_BYTES
    assert CAP_BYTES - 1_500 <= counted.down_bytes + counted.up_bytes <= CAP_BYTES + BURST_BYTES


async def test_the_controllers_books_equal_the_kernels_to_the_byte(outage: Outage) -> None:
    books = {who: await outage.lab.used(device) for who, device in outage.people.items()}
    again = {
        who: outage.lab.counted(outage.people[who])
        for who in ONLINE
        if outage.counted[who] == books[who]
    }

    assert {who: books[who] for who in outage.counted} == outage.counted
    assert again.keys() == set(ONLINE)


async def test_every_redemption_is_in_the_books_once(outage: Outage) -> None:
    stall = outage.lab.rig.stall
    batches = {one["plan_id"]: one["redeemed"] for one in await stall.list("vouchers")}
    tokens = [one["redeemed_at"] is not None for one in await stall.list("tokens")]
    causes = [one["cause_id"] for one in await stall.list("grants")]

    assert batches == {"off-hour": 1, "off-pair": 1, "off-short": 1, "off-small": 1}
    assert tokens == [True]
    assert len(causes) == len(set(causes)) == 6
    assert await stall.list("vouchers/doubles") == []


async def test_who_joined_alone_is_of_the_grant_at_the_controller_too(outage: Outage) -> None:
    pairs = {"first": "second", "payer": "paster"}

    async def known() -> bool:
        found = [await outage.lab.grant(outage.people[who]) for who in pairs]
        macs = [{outage.people[one].mac for one in pair} for pair in pairs.items()]
        return [set(grant["devices"]) for grant in found] == macs

    assert await eventually(known, wait_s=SETTLE_WAIT_S)
