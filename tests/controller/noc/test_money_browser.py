"""The pages of money in a real browser: journeys, pictures, access."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from billing.charge import Mode
from billing.ids import PlanId, SiteId
from billing.period import Cycle, Unit
from controller.payments.seen import Road
from controller.usecases.agreements import NewSubscription
from controller.usecases.subscriptions import start
from controller.usecases.voucher_sales import sell
from controller.usecases.vouchers import create_vouchers
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.builders import hex_id
from tests.support.incoming import applied, bought, came, paid
from tests.support.office import Office, a_payment, a_plan, a_site, a_subscriber, opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page, ViewportSize

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


async def looked_at(page: Page, name: str, size: ViewportSize) -> None:
    """A picture, and no serious fault of access; nothing is wider than the screen."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(
        path=SCREENS / f"{name}-{size['width']}x{size['height']}.png",
        full_page=size["width"] < 800,
    )
    found = (await Axe().run(page)).response["violations"]
    width = await page.evaluate("document.documentElement.scrollWidth")

    assert [
        (v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in SERIOUS
    ] == []
    assert width <= size["width"]


async def on_paper(office: Office) -> None:
    """An invoice that is open, money for an account, vouchers that were sold."""
    home = a_plan(
        "home-10", name="Home 10", audience="contract", validity_s=366 * 86_400,
        price_minor=250_000, down_bps=10_000_000, up_bps=5_000_000, rank=9,
    )  # fmt: skip
    await office.keep(home)
    new = NewSubscription(
        id=hex_id("home"),
        subscriber="5" * 32,
        plan_id=PlanId("home-10"),
        site_id=SiteId("estate-1"),
        mode=Mode.ADVANCE,
        cycle=Cycle(Unit.MONTH),
        devices=("02:00:00:00:00:09",),
    )
    await start(office.deps, new)
    for n in range(4):
        office.clock.forward(hours=20)
        await bought(office, f"day {n}", phone=f"25472234567{n}")
        batch, _ = await create_vouchers(office.deps, PlanId("day"), 24 + n, None, offline=False)
        await sell(
            office.deps, batch, count=5 * (n + 1), seller="Mama Njeri", idempotent=hex_id(f"s{n}"),
            commission_bp=500,
        )  # fmt: skip


@SIZES
async def test_plans_are_shown_and_a_new_one_is_previewed(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/plans")
        await looked_at(page, "plans", size)
        await page.goto(f"{url}/noc/plans/new")
        await page.fill("#field-name", "Weekend")
        await page.fill("#field-id", "weekend")
        await page.fill("#field-validity", "2")
        await page.select_option("#field-validity_unit", "days")
        await page.get_by_role("button", name="Preview").click()
        await page.wait_for_selector(".portal-card")
        await looked_at(page, "plan-new", size)
        await page.get_by_role("button", name="Put on sale").click()
        await page.wait_for_selector(".flash.good")
        await looked_at(page, "plan", size)


@SIZES
async def test_vouchers_are_made_and_sold_at_the_counter(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/vouchers")
        await page.get_by_role("button", name="Make the codes").click()
        await page.wait_for_selector(".code-list")
        await looked_at(page, "vouchers-made", size)
        async with page.expect_download() as sheet:
            await page.get_by_role("button", name="Sheet to print, A4").click()
        await page.goto(f"{url}/noc/counter")
        await page.fill("#field-count", "3")
        await page.fill("#field-seller", "Counter")
        await page.get_by_role("button", name="Sell", exact=True).click()
        await page.wait_for_selector(".flash.good")
        await page.goto(f"{url}/noc/vouchers")
        await looked_at(page, "vouchers", size)

    assert (await sheet.value).suggested_filename.endswith(".pdf")


@SIZES
async def test_a_cashier_takes_cash_and_asks_a_phone(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    await on_paper(estate)
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/counter")
        await page.fill("#field-q", "0712 345 678")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".customer")
        await looked_at(page, "counter", size)
        await page.fill("#field-amount", "500")
        await page.get_by_role("button", name="Take the money").click()
        await page.wait_for_selector(".flash.good")
        owed = await page.inner_text(".customer")
        await page.get_by_role("button", name="Send the prompt").click()
        await page.get_by_text("Ask them to type their PIN.").wait_for()
        await looked_at(page, "counter-asked", size)
        await paid(estate)
        await page.locator(".nice").wait_for(timeout=5_000)

    assert "KES 2,000" in owed


@SIZES
async def test_reports_and_papers_are_shown_to_an_owner(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    await on_paper(estate)
    async with at(estate, browser, viewport=size) as (page, url):
        for name in ("revenue", "revenue&by=plan", "outstanding", "tax", "collected", "sellers"):
            await page.goto(f"{url}/noc/reports?name={name}")
            await looked_at(page, f"report-{name.replace('&by=', '-')}", size)
        await page.goto(f"{url}/noc/invoices")
        await looked_at(page, "invoices", size)


@SIZES
async def test_money_of_nobody_is_given_away_with_two_clicks(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/exceptions")
        await looked_at(page, "exceptions", size)
        await page.get_by_role("link", name="Wanjiku Mwangi").first.click()
        await page.get_by_role("button", name="Give to them").first.click()
        await page.wait_for_selector(".flash.good")
        await looked_at(page, "payment-given", size)


async def test_an_empty_page_of_exceptions_is_nice(office: Office, browser: Browser) -> None:
    async with at(office, browser) as (page, url):
        await page.goto(f"{url}/noc/exceptions")
        await looked_at(page, "exceptions-none", DESK_SIZE)


async def test_money_goes_back_without_scripts_once_the_word_is_typed(
    estate: Office, browser: Browser
) -> None:
    async with at(estate, browser, java_script_enabled=False) as (page, url):
        await page.goto(f"{url}/noc/payments?state=paid")
        await page.locator("tbody tr a").first.click()
        await page.locator("summary", has_text="Give back").click()
        await page.fill("#field-reason", "no internet")
        await page.fill("#field-sure", "REFUND")
        await page.get_by_role("button", name="Give back").click()
        said = await page.inner_text(".flash")

    assert said == "The refund is on its way."


async def test_in_swahili_and_dark_with_everything_covered(
    estate: Office, browser: Browser
) -> None:
    async with at(estate, browser, color_scheme="dark") as (page, url):
        await page.context.add_cookies(
            [{"name": "lango_look", "value": "sw.dark.1", "url": f"{url}/noc"}]
        )
        await page.goto(f"{url}/noc/payments")
        shown = await page.inner_text("main")
        await looked_at(page, "payments-covered", DESK_SIZE)
        await page.goto(f"{url}/noc/exceptions")
        await looked_at(page, "exceptions-covered", DESK_SIZE)

    assert "KES 10" not in shown
    assert "Wanjiku" not in shown.title()


@SIZES
async def test_payments_are_shown_to_an_owner(
    estate: Office, browser: Browser, size: ViewportSize
) -> None:
    async with at(estate, browser, viewport=size) as (page, url):
        await page.goto(f"{url}/noc/payments")
        await looked_at(page, "payments", size)
        await page.locator("tr", has_text="paid").first.locator("a").click()
        await page.wait_for_selector(".happened")
        await looked_at(page, "payment", size)
