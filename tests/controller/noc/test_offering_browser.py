"""Branding, maintenance and promotions in a real browser, on a desk and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from axe_playwright_python.async_playwright import Axe

from billing.money import Money
from billing.promo import Coupon, Discount, Loyalty, Referral
from controller.store import operators
from controller.usecases import promotions
from controller.usecases.operators import OperatorChange, change_operator
from tests.controller.noc.test_pages_browser import SCREENS, SERIOUS, browser, signed_in
from tests.controller.test_png import a_png
from tests.support.browser import DESK_SIZE, PHONE_SIZE
from tests.support.network import keep_network
from tests.support.office import caller

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.support.office import Office

__all__ = ["browser"]

pytestmark = pytest.mark.browser

PAGES = {
    "brand": "/noc/brand",
    "maintenance": "/noc/maintenance",
    "promotions": "/noc/promotions?kind=coupon",
}
WORK = {
    "from": "2026-11-24T22:00", "lasts": "2", "text_en": "New mast at Kimbo.",
    "text_sw": "Mlingoti mpya Kimbo.",
}  # fmt: skip


async def furnish(office: Office) -> None:
    await keep_network(office)
    look = OperatorChange(name="Kahawa Net", colour="#e4a11b", support_phone="0712345678")
    await change_operator(office.deps, look)
    for name, terms in (
        ("karibu", Discount(basis_points=2_000, periods=3)),
        ("xmas26", Coupon("XMAS26", Discount(amount=Money(500_00)), 100)),
        ("friends", Referral(Money(200_00), Money(100_00))),
        ("loyal", Loyalty(every_invoices=12, reward=Money(500_00))),
    ):
        await promotions.create(office.deps, promotion_id=name, name=name.title(), terms=terms)
    async with caller(office) as client:
        await client.post(
            "/api/v1/maintenance",
            json={
                "site_id": "ruiru",
                "from_at": "2026-11-24T22:00:00+03:00",
                "until_at": "2026-11-25T00:00:00+03:00",
                "text_en": "New mast.",
                "text_sw": "Mlingoti mpya.",
            },
        )


async def faults_of(page: Page) -> list[str]:
    """What is seriously wrong for whoever cannot see or use a mouse; and what sticks out."""
    found = (await Axe().run(page)).response["violations"]
    size = page.viewport_size
    assert size is not None
    wide = await page.evaluate("document.documentElement.scrollWidth") > size["width"]
    wrong = [
        f"{v['id']}: {n['html'][:120]}"
        for v in found
        if v["impact"] in SERIOUS
        for n in v["nodes"][:3]
    ]
    return [*wrong, *(["it is too wide"] if wide else [])]


@pytest.mark.parametrize(("language", "size"), [("en", DESK_SIZE), ("sw", PHONE_SIZE)])
async def test_each_page_fits_and_has_no_serious_fault_of_access(
    office: Office, browser: Browser, language: str, size: dict[str, int]
) -> None:
    await furnish(office)
    SCREENS.mkdir(parents=True, exist_ok=True)
    wrong = []
    how = {"viewport": size, "locale": language}
    async with signed_in(office, browser, "/noc/me", **how) as (page, asked, faults):
        for name, path in PAGES.items():
            await page.goto(urljoin(page.url, path))
            picture = f"noc-{name}-{language}-{size['width']}.png"
            await page.screenshot(path=SCREENS / picture, full_page=True)
            wrong += await faults_of(page)
            assert await page.evaluate("document.documentElement.lang") == language

    assert (faults, wrong) == ([], [])
    assert all(one.startswith(("/", "data:")) for one in asked)


async def test_a_brand_is_tried_with_its_logo_and_kept(
    office: Office, browser: Browser, tmp_path: Path
) -> None:
    await furnish(office)
    (tmp_path / "logo.png").write_bytes(a_png(noise=True))
    async with signed_in(office, browser, "/noc/brand") as (page, _, faults):
        await page.get_by_label("A PNG of at most 200 KB").set_input_files(tmp_path / "logo.png")
        await page.get_by_role("button", name="Try it").click()
        await page.get_by_label("Name", exact=True).fill("Mlima Net")
        await page.get_by_label("Colour").fill("#8e24aa")
        await page.get_by_role("button", name="Preview").click()
        phone = page.frame_locator("iframe[title='Portal on dark']")
        shown = await phone.locator(".brand").inner_text()
        pictures = await phone.locator(".brand img").evaluate("one => one.naturalWidth")
        inks = await phone.locator("button").evaluate("one => getComputedStyle(one).color")
        papers = page.frame_locator("iframe.paper")
        paper = await papers.locator("body").inner_text()
        await page.screenshot(path=SCREENS / "noc-brand-tried.png", full_page=True)
        async with office.deps.db.read() as tx:
            before = (await operators.operator(tx)).name
        await page.get_by_role("button", name="Keep it").click()
        said = await page.get_by_role("status").first.inner_text()
        home = await page.locator("a.home").inner_text()
    async with office.deps.db.read() as tx:
        after = (await operators.operator(tx)).name

    assert (shown.strip(), pictures > 0, inks != "") == ("Mlima Net", True, True)
    assert "Mlima Net" in paper
    assert (before, after, home.strip()) == ("Kahawa Net", "Mlima Net", "Mlima Net")
    assert "It is kept" in said
    assert faults == []


async def test_work_is_counted_planned_and_called_off_by_hand(
    office: Office, browser: Browser
) -> None:
    await furnish(office)
    async with signed_in(office, browser, "/noc/maintenance") as (page, _, faults):
        await page.get_by_label("Where", exact=True).select_option(label="Ruiru Kimbo")
        for name, value in WORK.items():
            await page.locator(f"[name={name}]").fill(value)
        await page.get_by_label("Customers are told", exact=True).select_option(
            label="By SMS, a day before"
        )
        await page.get_by_role("button", name="Count messages and cost").click()
        dry = await page.get_by_role("region", name="If customers are told by SMS").inner_text()
        await page.screenshot(path=SCREENS / "noc-maintenance-counted.png", full_page=True)
        await page.get_by_role("button", name="Plan it").click()
        row = page.get_by_role("row").filter(has_text="New mast at Kimbo.")
        planned = await row.inner_text()
        await row.get_by_role("button", name="Call off").click()
        over = await row.inner_text()

    assert "New mast at Kimbo." in dry
    assert "to come" in planned
    assert "called off" in over
    assert faults == []
