"""A subscriber pays from the phone's menu: the money is in the wallet, the receipt is a letter.

The whole trial but the lab: its own programs, started as `lango trial` starts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.sandbox.rig import Rig, RigPlan
from controller.sandbox.stall import SUBSCRIBER
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.lab import eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page, ViewportSize

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

SCREENS = "build/screens"
LOAD_WAIT_MS = 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    plan = RigPlan(tmp_path_factory.mktemp("paybill"), ports=free_ports(), lab=False)
    async with Rig(plan) as rig:
        yield rig


@pytest_asyncio.fixture(
    loop_scope="module", params=[DESK_SIZE, PHONE_SIZE], ids=["on a desk", "on a phone"]
)
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    size: ViewportSize = request.param
    async with browsing() as browser:
        page = await browser.new_page(viewport=size)
        page.set_default_timeout(LOAD_WAIT_MS)
        yield page


def at(rig: Rig, port: str, path: str) -> str:
    return f"http://127.0.0.1:{getattr(rig.plan.ports, port)}{path}"


async def pay(page: Page, rig: Rig, *, account: str, shillings: int) -> None:
    """From the start page to the menu of the handset, as a stranger goes."""
    await page.goto(at(rig, "daraja", "/trial"))
    await page.get_by_role("link", name="Open the menu of the handset").click()
    if await page.get_by_label("Your number").count():
        await page.get_by_label("Your number").fill(SUBSCRIBER["phone"])
    await page.get_by_label("Account number").fill(account)
    await page.get_by_label("Amount, Ksh").fill(str(shillings))
    await page.get_by_label("M-PESA PIN").fill("1234")
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.locator(".inbox")).to_contain_text(f"Ksh{shillings}.00")


async def wallet(rig: Rig) -> int:
    """What the subscriber's wallet holds, in whole shillings."""
    answer = await rig.stall.client.get(f"/api/v1/subscribers/{SUBSCRIBER['phone']}")
    answer.raise_for_status()
    amount: str = answer.json()["wallet"]["amount"]
    return int(amount.partition(".")[0])


async def notices(rig: Rig) -> list[dict[str, Any]]:
    return [one for one in await rig.stall.list("notices") if one["code"] == "payment_unmatched"]


async def test_who_pays_from_the_menu_has_the_money_in_the_wallet_and_a_letter(
    rig: Rig, page: Page
) -> None:
    before = await wallet(rig)
    await pay(page, rig, account="0712 345 678", shillings=111)
    held = await eventually(lambda: _more(rig, before))
    await page.goto(at(rig, "mail", "/mail"))
    letter = page.locator("article").first  # it goes out after the money is kept
    await expect(letter).to_contain_text("We received KES 111", timeout=LOAD_WAIT_MS)
    width = (page.viewport_size or DESK_SIZE)["width"]
    await page.screenshot(path=f"{SCREENS}/paybill-letter-{width}.png")

    assert held == before + 111


async def test_money_for_nobody_waits_for_staff(rig: Rig, page: Page) -> None:
    before, held = len(await notices(rig)), await wallet(rig)
    await pay(page, rig, account="NONSENSE", shillings=70)
    newest = await eventually(lambda: _newer(rig, before))

    assert "KES 70 by mpesa" in newest["text"]
    assert await wallet(rig) == held


async def _more(rig: Rig, before: int) -> int:
    held = await wallet(rig)
    return held if held != before else 0


async def _newer(rig: Rig, before: int) -> dict[str, Any]:
    found = await notices(rig)
    return found[0] if len(found) > before else {}
