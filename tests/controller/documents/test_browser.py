"""The page of a paper in a real browser, under the policy that it is sent with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.async_playwright import Axe

from controller.usecases.papers import address_of
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.charges import ANNE, a_line, an_invoice, an_item
from tests.support.day_of_business import lowered
from tests.support.office import opened

if TYPE_CHECKING:
    from playwright.async_api import ViewportSize

    from tests.support.office import Office

pytestmark = pytest.mark.browser

SERIOUS = {"serious", "critical"}


@pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])
async def test_an_invoice_is_whole_readable_and_asks_for_nothing(
    office: Office, size: ViewportSize
) -> None:
    long = replace(a_line(12_345), text="Home_10_Mbit/s_with_a_long_name_without_spaces" * 4)
    row = await an_invoice(office.deps, ANNE, a_line(), an_item(), lowered(100_00), long)
    faults: list[str] = []
    asked: list[str] = []
    async with browsing() as browser, opened(office) as url:
        page = await browser.new_page(viewport=size)
        page.on("console", lambda line: faults.append(line.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        path = address_of(office.deps, row.id).removeprefix(office.deps.settings.public_url)
        await page.goto(f"{url}{path}")
        width = await page.evaluate("document.documentElement.scrollWidth")
        colour = await page.evaluate("getComputedStyle(document.querySelector('h1')).color")
        logo = await page.evaluate("document.querySelector('header img').naturalWidth")
        found = (await Axe().run(page)).response["violations"]

    assert faults == []
    assert [one for one in asked if not one.startswith("data:")] == [f"{url}{path}"]
    assert width <= size["width"]
    assert (colour, logo) == ("rgb(11, 110, 79)", 210)
    assert [v["id"] for v in found if v["impact"] in SERIOUS] == []
