"""A new owner: from nothing to a first customer who paid, counting fields and time."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pyotp
import pytest
import pytest_asyncio

from controller.sandbox.lab.traffic import PORTAL
from tests.support.browser import DESK_SIZE, browsing, shot
from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [
    pytest.mark.root,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

FIELDS_MAX = 25
TIME_MAX_S = 600.0
PASSWORD = "four wet goats sing"
KEYS = {
    "shortcode": "600111",
    "consumer_key": "trial-key",
    "consumer_secret": "trial-secret",
    "passkey": "trial-passkey",
}
"""Of the app at the simulated M-PESA."""

PHONE = "0700 000 099"
SCREENS = "build/screens"


class Owner:
    """Somebody at a desk, whose every typed field is counted."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.typed: list[str] = []

    async def types(self, **values: str) -> None:
        for name, value in values.items():
            await self.page.locator(f"main [name={name}]:visible").fill(value)
            self.typed.append(name)

    async def presses(self, words: str) -> None:
        """Press a button, and wait for the page that comes of it: the one before says nothing."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=words, exact=True).first.click()

    async def opens(self, step: str) -> None:
        await self.page.goto(f"{self.url}/noc/setup/{step}")

    async def keeps(self, words: str) -> None:
        """Press, and wait until the controller runs with what was chosen."""
        await self.presses(words)
        await self.page.get_by_text("is being taken over").wait_for(state="detached")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("owner"), devices=2, empty=True) as lab:
        yield lab


async def becomes_owner(owner: Owner, lab: Lab) -> None:
    made = await lab.rig.stall.client.post("/api/v1/staff/setup-url")
    await owner.page.goto(made.json()["url"])
    secret = await owner.page.locator("main code").first.inner_text()
    code = pyotp.TOTP(secret.replace(" ", "")).now()
    await owner.types(
        login="amina@mtaa.example", name="Amina", password=PASSWORD, again=PASSWORD, code=code
    )
    await owner.page.locator("main button[type=submit]").click()
    await owner.page.get_by_text("I have kept them").click()
    await owner.page.wait_for_url("**/noc/setup")


async def makes_a_site(owner: Owner, lab: Lab) -> None:
    """The command that the page shows is `test_joining`'s; the lab's gateway joins by its code."""
    await owner.page.goto(f"{owner.url}/noc/sites/new?back=/noc/setup")
    await owner.types(name="First site")
    await owner.presses("Make the site")
    await owner.page.wait_for_url("**/noc/sites/first-site/joining*")
    await shot(owner.page, f"{SCREENS}/owner-joining.png")
    await lab.rig.join("first-site")


async def sells(device: Device, plan_id: str) -> bool:
    """Whether the portal offers a plan."""
    try:
        return plan_id in (await device.get(f"{PORTAL}/packages", wait_s=2)).text
    except (OSError, EOFError, TimeoutError):
        return False


async def pays_on(lab: Lab, phone: str) -> None:
    await lab.fingers.pay("254" + re.sub(r"\D", "", phone)[1:], pin="1234")


async def test_from_nothing_to_a_first_paid_customer(lab: Lab) -> None:
    began = time.monotonic()
    async with browsing() as browser:
        page = await (await browser.new_context(viewport=DESK_SIZE)).new_page()
        owner = Owner(page, f"http://127.0.0.1:{lab.rig.plan.ports.http}")
        await becomes_owner(owner, lab)
        await owner.opens("business")
        await owner.types(name="Mtaa Net", kra_pin="P051234567X", support_phone=PHONE)
        await owner.presses("Keep")
        await owner.opens("address")
        await owner.types(public_url=owner.url)
        await owner.keeps("Keep and look")
        await owner.opens("mpesa")
        await owner.types(**KEYS)
        await owner.keeps("Keep")
        await owner.presses("Ask for KES 1")
        await pays_on(lab, PHONE)
        await page.get_by_text("in the payer's wallet").wait_for()
        await shot(page, f"{SCREENS}/owner-shilling.png")
        await owner.opens("sms")
        await owner.types(username="sandbox", api_key="trial-sms-key")
        await owner.keeps("Keep")
        await owner.presses("Send a message")
        await page.get_by_text("Delivered to the phone").wait_for()
        await owner.opens("plans")
        await owner.presses("Sell these")
        await makes_a_site(owner, lab)
        await owner.opens("site")
        await page.get_by_text("A site was online.").wait_for()
        await owner.opens("backups")
        await owner.presses("Make the recovery key")
        key = await page.locator("code.recovery").inner_text()
        await owner.types(ending=key[-6:])
        await owner.presses("It is kept")
        await page.get_by_text("made by itself within seconds").wait_for(state="detached")
        await page.goto(f"{owner.url}/noc/setup")
        await shot(page, f"{SCREENS}/owner-steps.png")
        done = await page.locator(".steps li.over").count()
    customer = lab.fresh()
    await eventually(lambda: sells(customer, "estate-40min"), wait_s=30)
    await lab.buy(customer, "estate-40min")
    took = time.monotonic() - began

    assert done == 8
    assert len(owner.typed) <= FIELDS_MAX, owner.typed
    assert took < TIME_MAX_S
