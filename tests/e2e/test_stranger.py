"""A stranger with a phone: captive, choosing, paying on the handset, online with no further tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.support.browser import PHONE_SIZE, browsing, on_device, shot
from tests.support.lab import a_lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page, Response

    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [
    pytest.mark.root,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

PROBES = {
    "an iPhone": "http://captive.apple.com/hotspot-detect.html",
    "an Android": "http://connectivitycheck.gstatic.com/generate_204",
    "a Windows laptop": "http://www.msftconnecttest.com/redirect",
}
PAGE_BYTES_MAX = 14 * 1024
REQUESTS_MAX = 2
SCREENS = "build/screens"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("stranger"), devices=8) as lab:
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def phone(lab: Lab) -> Device:
    return lab.fresh()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(lab: Lab, phone: Device, tmp_path: Path) -> AsyncIterator[Browser]:
    resolv = lab.rig.plan.state_dir / "lab" / "resolv-device.conf"
    async with browsing(on_device(phone.ns, resolv, tmp_path)) as browser:
        yield browser


async def opened(browser: Browser, *, scripts: bool = True) -> BrowserContext:
    return await browser.new_context(viewport=PHONE_SIZE, java_script_enabled=scripts)


async def buy(page: Page, lab: Lab, device: Device) -> None:
    """Choose the first package, type the number, pay on the handset; touch the page no more."""
    await page.locator("input[name=phone]").fill(lab.phone(device))
    await page.locator("button[type=submit]").first.click()
    await lab.pay(device)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
async def test_what_a_phone_asks_first_leads_to_the_packages(browser: Browser, probe: str) -> None:
    page = await (await opened(browser)).new_page()
    await page.goto(probe)

    assert page.url.startswith("http://wifi.lango/")
    assert await page.locator("input[name=phone]").count() == 1


async def test_the_page_is_small_and_asks_nobody_else(browser: Browser) -> None:
    page = await (await opened(browser)).new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - wants a function
    await page.goto("http://wifi.lango/")
    await page.wait_for_load_state("networkidle")
    sizes = [await answer.request.sizes() for answer in answers]

    assert len(answers) <= REQUESTS_MAX
    assert {answer.url.split("/")[2] for answer in answers} == {"wifi.lango"}
    assert sum(size["responseBodySize"] for size in sizes) <= PAGE_BYTES_MAX


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_pays_on_the_handset_and_is_online_with_no_further_tap(
    lab: Lab,
    phone: Device,
    browser: Browser,
    scripts: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    page = await (await opened(browser, scripts=scripts)).new_page()
    await page.goto(PROBES["an iPhone"])
    await buy(page, lab, phone)
    await shot(page, f"{SCREENS}/stranger-paid-{scripts}.png")
    await page.locator("a.button[href^='/status']").wait_for(timeout=20_000)
    await shot(page, f"{SCREENS}/stranger-online-{scripts}.png")
    await page.goto("http://news.lab/")

    assert "You are on the internet" in await page.content()


async def test_closing_the_page_after_ordering_changes_nothing(
    lab: Lab, phone: Device, browser: Browser
) -> None:
    context = await opened(browser)
    page = await context.new_page()
    await page.goto("http://wifi.lango/")
    await page.locator("input[name=phone]").fill(lab.phone(phone))
    await page.locator("button[type=submit]").first.click()
    await context.close()
    await lab.pay(phone)
    await lab.online(phone)
    page = await (await opened(browser)).new_page()
    await page.goto("http://wifi.lango/")

    assert await page.locator("[data-bytes]").count() > 0
