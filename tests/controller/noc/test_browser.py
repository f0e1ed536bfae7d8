"""The live page in a real browser."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.incoming import bought, came
from tests.support.office import NOON, Office, a_day, a_payment, a_site, opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page, Route

pytestmark = pytest.mark.browser

SCREENS = ROOT / "build" / "screens"
LIVE = "#live[data-tone=good]"
NEWS_WITHIN_MS = 1_000
SERIOUS = {"serious", "critical"}
TABS_MAX = 40


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


@asynccontextmanager
async def live_page(office: Office, browser: Browser, **how: Any) -> AsyncIterator[Page]:
    """The page after log-in by an address with the key; faults of its scripts fail the test."""
    faults: list[str] = []
    async with opened(office) as url:
        context = await browser.new_context(**{"viewport": DESK_SIZE, **how})
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        await page.goto(f"{url}/noc?key={office.key}")
        yield page
        await context.close()
    assert faults == []


async def test_a_payment_appears_by_itself_within_a_second(
    office: Office, browser: Browser
) -> None:
    await office.keep(*a_day())

    async with live_page(office, browser) as page:
        await page.wait_for_selector(LIVE)
        await page.evaluate("window.notReloaded = true")
        await office.keep(a_payment("b" * 32, receipt="NEWRECEIPT"))
        await page.wait_for_selector(f"#payment-{'b' * 32}", timeout=NEWS_WITHIN_MS)

        assert await page.evaluate("window.notReloaded") is True
        assert "KES 20 today" in await page.inner_text("#payments-title")


async def test_a_payment_that_is_settled_changes_in_place(office: Office, browser: Browser) -> None:
    asked = a_payment("b" * 32, state="pending", settled_at=None, receipt=None)
    await office.keep(*a_day(), asked)

    async with live_page(office, browser) as page:
        await page.wait_for_selector(LIVE)
        line = page.locator(f"#payment-{'b' * 32}")
        asked_words = await line.inner_text()
        async with office.deps.db.begin() as tx:
            row = await tx.merge(asked)
            row.state, row.settled_at, row.receipt = "settled", NOON, "NEWRECEIPT"
        office.deps.signals.wake("live")
        await line.get_by_text("NEWRECEIPT").wait_for(timeout=NEWS_WITHIN_MS)

        assert "asking" in asked_words
        assert "paid" in await line.inner_text()


async def test_scripts_that_come_late_do_not_keep_the_page_from_going_live(
    office: Office, browser: Browser
) -> None:
    async def late(route: Route) -> None:
        await asyncio.sleep(0.4)
        await route.continue_()

    async with opened(office) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.route("**/hx-sse.min.js", late)
        await page.goto(f"{url}/noc?key={office.key}")
        await page.wait_for_selector(LIVE, timeout=5_000)
        await context.close()


async def test_the_key_leaves_the_address(office: Office, browser: Browser) -> None:
    async with live_page(office, browser) as page:
        assert office.key not in page.url


async def test_no_request_leaves_the_host(office: Office, browser: Browser) -> None:
    await office.keep(*a_day())
    asked: list[str] = []

    async with opened(office) as url:
        context = await browser.new_context()
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{url}/noc?key={office.key}")
        await page.wait_for_selector(LIVE)
        await context.close()

    assert len(asked) > 5
    assert all(address.startswith(url) for address in asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])
async def test_the_page_has_no_serious_fault_of_access_and_fits(
    office: Office, browser: Browser, size: dict[str, int], scheme: str
) -> None:
    await office.keep(*a_day(), a_site("offline", last_seen_at=None))
    for n in range(3):
        await bought(office, f"order {n}", phone=f"25471234567{n}")
        await came(office, f"SGH7K2Q0X{n}")
    office.clock.forward(seconds=70)

    async with live_page(office, browser, viewport=size, color_scheme=scheme) as page:
        await page.wait_for_selector(LIVE)
        SCREENS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SCREENS / f"noc-{scheme}-{size['width']}x{size['height']}.png")
        found = (await Axe().run(page)).response["violations"]
        width = await page.evaluate("document.documentElement.scrollWidth")

    assert [v["id"] for v in found if v["impact"] in SERIOUS] == []
    assert width <= size["width"]


async def test_the_log_in_works_with_the_keyboard_alone(office: Office, browser: Browser) -> None:
    async with opened(office) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url}/noc")
        found = (await Axe().run(page)).response["violations"]
        await page.keyboard.type(office.key)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(LIVE)
        await context.close()

    assert [v["id"] for v in found if v["impact"] in SERIOUS] == []


async def test_every_panel_can_be_reached_and_scrolled_with_the_keyboard(
    office: Office, browser: Browser
) -> None:
    await office.keep(*a_day())
    reached: list[str] = []

    async with live_page(office, browser) as page:
        await page.wait_for_selector(LIVE)
        await page.locator("#content").focus()
        while len(reached) < TABS_MAX and reached[-1:] != ["sessions-title"]:
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate(
                    "document.activeElement.getAttribute('aria-labelledby')"
                    " || document.activeElement.textContent"
                )
            )

    assert [name for name in reached if name.endswith("-title")] == [
        "sites-title",
        "notices-title",
        "payments-title",
        "sessions-title",
    ]


async def test_without_scripts_the_page_reloads_itself(office: Office, browser: Browser) -> None:
    await office.keep(*a_day())

    async with live_page(office, browser, java_script_enabled=False) as page:
        await office.keep(a_payment("b" * 32))
        async with page.expect_navigation(timeout=9_000):
            pass

        assert await page.locator(f"#payment-{'b' * 32}").count() == 1


async def test_a_page_whose_controller_is_gone_says_so(office: Office, browser: Browser) -> None:
    async with opened(office) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url}/noc?key={office.key}")
        await page.wait_for_selector(LIVE)
    await page.get_by_text("not live, trying again").wait_for(timeout=10_000)
    await context.close()


async def test_a_log_in_that_ended_asks_for_the_key_again(office: Office, browser: Browser) -> None:
    async with opened(office) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url}/noc?key={office.key}")
        await page.wait_for_selector(LIVE)
        office.clock.forward(hours=13)
        await page.evaluate("htmx.find('#content')._htmx.sse.reader?.cancel()")
        await page.wait_for_selector("#key", timeout=10_000)
        await context.close()


async def test_a_slow_network_does_not_pile_up_news(office: Office, browser: Browser) -> None:
    await office.keep(*a_day())

    async with live_page(office, browser) as page:
        await page.wait_for_selector(LIVE)
        await page.evaluate(
            "window.messages = 0;"
            "document.addEventListener('htmx:sse:after:message', () => { window.messages++; })"
        )
        for n in range(20):
            await office.keep(a_payment(f"{n:032x}"))
            await asyncio.sleep(0.05)

        assert await page.evaluate("window.messages") <= 4
