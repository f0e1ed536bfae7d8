"""The set-up in a real browser: each step at both sizes, in both languages, pictures, access."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.office import opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, BrowserContext, ViewportSize

    from tests.support.office import Office

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCREENS = ROOT / "build" / "screens"
SERIOUS = {"serious", "critical"}
STEPS = ("", "/business", "/address", "/mpesa", "/sms", "/plans?t=home", "/site", "/backups")
SIZES = pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


async def a_context(browser: Browser, url: str, key: str, size: ViewportSize) -> BrowserContext:
    context = await browser.new_context(viewport=size)
    page = await context.new_page()
    await page.goto(f"{url}/noc?key={key}")
    await page.close()
    return context


@SIZES
async def test_every_step_can_be_read_and_fits(
    office: Office, browser: Browser, size: ViewportSize
) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    told: list[str] = []
    async with opened(office) as url:
        context = await a_context(browser, url, office.key, size)
        page = await context.new_page()
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
        for n, step in enumerate(STEPS):
            if n == len(STEPS) // 2:
                answer = await context.request.post(
                    f"{url}/noc/preferences",
                    form={"language": "sw"},
                    headers={"Sec-Fetch-Site": "same-origin"},
                )
                assert answer.ok
            await page.goto(f"{url}/noc/setup{step}")
            name = step.strip("/").partition("?")[0] or "steps"
            path = SCREENS / f"setup-{name}-{size['width']}x{size['height']}.png"
            await page.screenshot(path=path, full_page=size["width"] < 800)
            found = (await Axe().run(page)).response["violations"]
            told += [
                f"{step}: {v['id']} {[n['html'] for n in v['nodes']]}"
                for v in found
                if v["impact"] in SERIOUS
            ]
            width = await page.evaluate("document.documentElement.scrollWidth")
            told += [] if width <= size["width"] else [f"{step}: {width} wide"]
        await page.goto(f"{url}/noc")
        await page.screenshot(path=SCREENS / f"setup-card-{size['width']}x{size['height']}.png")
        told += [] if await page.locator(".checklist li").count() == 8 else ["no checklist"]
        await context.close()

    assert told == []
