"""The pages of money in a real browser: journeys, pictures, access."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from controller.payments.seen import Road
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.incoming import applied, bought, came, payers
from tests.support.office import Office, a_payment, a_plan, a_site, a_subscriber, opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.browser

SCREENS = ROOT / "build" / "screens"
SERIOUS = {"serious", "critical"}
EVIL = "<img src=x onerror=alert(1)>"
SIZES = pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site with payments of every kind."""
    whose = a_subscriber()
    whose.name = "Wanjiku Mwangi"
    await office.keep(
        a_site(name="Kayole Estate"),
        a_plan(),
        a_plan("day", name="One day", price_minor=5_000, validity_s=86_400, rank=1),
        whose,
    )
    for n in range(4):
        await bought(office, f"order {n}", phone=f"25471234567{n}")
        office.clock.forward(seconds=21)
    await applied(office)
    unpaid = {"settled_at": None, "receipt": None}
    await office.keep(
        a_payment("1" * 32, state="refused", reason="cancelled", code="1032", **unpaid),
        a_payment("2" * 32, state="pending", created_at=office.clock(), **unpaid),
        a_payment("3" * 32, state="unknown", **unpaid),
    )
    await came(office, "SGH7K2Q0XD", reference="0712345679", payer_name="WANJIKU MWANGI")
    await came(office, "SGH7K2Q0XE", 1_200, reference=EVIL, payer_name="PETER OTIENO")
    await came(office, "SGH7K2Q0XF", 90_000, reference="house 4", road=Road.CONFIRMATION)
    office.clock.forward(seconds=40)
    return office


@asynccontextmanager
async def at(office: Office, browser: Browser, **how: Any) -> AsyncIterator[tuple[Page, str]]:
    """A page after log-in, and the address of the office; faults of its scripts fail the test."""
    faults: list[str] = []
    async with opened(office) as url:
        context = await browser.new_context(**{"viewport": DESK_SIZE, **how})
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        await page.goto(f"{url}/noc?key={office.key}")
        yield page, url
        await context.close()
    assert faults == []


async def looked_at(page: Page, name: str, size: dict[str, int]) -> None:
    """A picture, and no serious fault of access; nothing is wider than the screen."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(
        path=SCREENS / f"{name}-{size['width']}x{size['height']}.png",
        full_page=size["width"] < 800,
    )
    found = (await Axe().run(page)).response["violations"]
    width = await page.evaluate("document.documentElement.scrollWidth")

    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in SERIOUS] == []
    assert width <= size["width"]


@SIZES
async def test_payments_are_shown_to_an_owner(
    estate: Office, browser: Browser, size: dict[str, int]
) -> None:
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/payments")
        await looked_at(page, "payments", size)
        await page.locator("tr", has_text="paid").first.locator("a").click()
        await page.wait_for_selector(".steps")
        await looked_at(page, "payment", size)
