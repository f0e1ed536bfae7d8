"""Every page of the network in a real browser, on a desk and on a phone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from controller.jobs import Rounds
from controller.main import due_work
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.network import keep_network
from tests.support.office import NOON, opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.support.office import Office

pytestmark = pytest.mark.browser

SCREENS = ROOT / "build" / "screens"
LIVE = "#live[data-tone=good]"
SERIOUS = {"serious", "critical"}
PAGES = {
    "overview": "/noc",
    "sites": "/noc/sites",
    "site": "/noc/sites/ruiru",
    "map": "/noc/map?site=kisumu",
    "system": "/noc/system",
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


@asynccontextmanager
async def signed_in(
    office: Office, browser: Browser, path: str, **how: Any
) -> AsyncIterator[tuple[Page, list[str], list[str]]]:
    """A page of the dashboard, with what it asked for and what was wrong with it."""
    faults: list[str] = []
    asked: list[str] = []
    async with opened(office) as url:
        context = await browser.new_context(**{"viewport": DESK_SIZE, **how})
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        await page.goto(f"{url}/noc?key={office.key}")
        page.on("request", lambda request: asked.append(request.url.removeprefix(url)))
        await page.goto(f"{url}{path}")
        yield page, asked, faults
        await context.close()


def jobs_of(office: Office) -> None:
    """Jobs that ran, one that fails."""
    for job in due_work():
        office.deps.rounds[job.name] = Rounds(job.every_s, NOON, last_at=NOON)
    office.deps.rounds["pull_due"].failures = 3
    office.deps.rounds["pull_due"].face = "ConnectError"


@pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", list(PAGES))
async def test_a_page_is_live_fits_and_has_no_serious_fault_of_access(
    office: Office, browser: Browser, name: str, size: dict[str, int]
) -> None:
    await keep_network(office)
    jobs_of(office)

    async with signed_in(office, browser, PAGES[name], viewport=size) as (page, asked, faults):
        await page.wait_for_selector(LIVE)
        await page.wait_for_load_state("load")
        await page.wait_for_timeout(400)
        SCREENS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SCREENS / f"noc-{name}-{size['width']}x{size['height']}.png")
        if size == PHONE_SIZE or name in {"site", "system"}:
            await page.screenshot(
                path=SCREENS / f"noc-{name}-{size['width']}-whole.png", full_page=True
            )
        found = (await Axe().run(page)).response["violations"]
        width = await page.evaluate("document.documentElement.scrollWidth")
        height = await page.evaluate("document.documentElement.scrollHeight")

    assert faults == []
    assert [
        (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
        for v in found
        if v["impact"] in SERIOUS
    ] == []
    assert width <= size["width"]
    assert name != "overview" or size == PHONE_SIZE or height <= size["height"]
    assert all(one.startswith(("/", "data:")) for one in asked)
