"""Every page of the network in a real browser, on a desk and on a phone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from controller.jobs import Rounds
from controller.work import due_work
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


async def test_in_swahili_in_the_dark_nothing_is_too_faint_and_nothing_sticks_out(
    office: Office, browser: Browser
) -> None:
    await keep_network(office)

    async with signed_in(office, browser, "/noc") as (page, _, faults):
        await page.get_by_text("Display").click()
        await page.get_by_role("button", name="Kiswahili").click()
        await page.get_by_text("Mwonekano").click()
        await page.get_by_role("button", name="Nyeusi").click()
        await page.wait_for_selector(f"html[data-theme=dark] {LIVE}")
        await page.screenshot(path=SCREENS / "noc-overview-swahili-dark.png")
        found = (await Axe().run(page)).response["violations"]
        width = await page.evaluate("document.documentElement.scrollWidth")
        theme = await page.evaluate("document.documentElement.dataset.theme")

    assert (theme, faults) == ("dark", [])
    assert [v["id"] for v in found if v["impact"] in SERIOUS] == []
    assert width <= DESK_SIZE["width"]


async def test_keys_do_what_links_and_buttons_do(office: Office, browser: Browser) -> None:
    await keep_network(office)

    async with signed_in(office, browser, "/noc") as (page, _, faults):
        await page.keyboard.press("?")
        helped = await page.locator("dialog[open]").count()
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        line = await page.evaluate("document.activeElement.textContent")
        await page.keyboard.press("Control+k")
        searching = await page.evaluate("document.activeElement.id")
        await page.locator("#content").focus()
        await page.keyboard.press("g")
        await page.keyboard.press("m")
        await page.wait_for_url("**/noc/map")

    assert (helped, line, searching) == (1, "Ongata Rongai", "search")
    assert faults == []


async def test_the_map_is_dragged_and_comes_nearer_by_the_wheel(
    office: Office, browser: Browser
) -> None:
    await keep_network(office)

    async with signed_in(office, browser, "/noc/map") as (page, _, faults):
        await page.wait_for_selector(LIVE)
        await page.mouse.move(500, 400)
        await page.mouse.down()
        await page.mouse.move(420, 330, steps=4)
        await page.mouse.up()
        await page.wait_for_url("**z=1*")
        await page.mouse.wheel(0, -100)
        await page.wait_for_url("**z=2*")
        markers = await page.locator("a.marker").count()
        await page.screenshot(path=SCREENS / "noc-map-nearer.png")

    assert markers >= 6
    assert faults == []


async def test_without_scripts_a_site_is_found_placed_and_its_graphs_are_there(
    office: Office, browser: Browser
) -> None:
    await keep_network(office)

    async with signed_in(office, browser, "/noc/sites", java_script_enabled=False) as (page, _, _f):
        await page.get_by_role("link", name="Ruiru Kimbo").click()
        await page.get_by_text("Place", exact=True).click()
        await page.get_by_label("Where it is").fill("-1.15, 36.96")
        await page.get_by_role("button", name="Keep").click()
        said = await page.locator(".flash").inner_text()
        graphs = await page.locator("noscript svg polyline, .graph svg polyline").count()

    assert "The place is kept." in said
    assert graphs >= 6


async def test_a_site_that_falls_silent_changes_on_the_map_by_itself(
    office: Office, browser: Browser
) -> None:
    await keep_network(office)

    async with signed_in(office, browser, "/noc/map") as (page, _, _f):
        await page.wait_for_selector(LIVE)
        await page.wait_for_selector("#marker-mombasa.good")
        office.clock.forward(seconds=90)
        office.deps.signals.wake("live")
        await page.wait_for_selector("#marker-mombasa.bad", timeout=2_000)
