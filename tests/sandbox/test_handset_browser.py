"""The handset in a real browser: the prompt comes by itself, fingers pay, the message arrives."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.browser import browsing
from tests.support.daraja import a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from tests.support.daraja import World

NOW = datetime.now(UTC)

pytestmark = pytest.mark.browser


@asynccontextmanager
async def a_page(*, width: int, height: int) -> AsyncIterator[tuple[World, Page, list[str]]]:
    """A simulated network, a browser's page, and everything that the browser complained of."""
    async with a_world() as world, browsing() as browser:
        page = await browser.new_page(viewport={"width": width, "height": height})
        complaints: list[str] = []
        page.on("console", lambda told: complaints.append(told.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield world, page, complaints


async def test_a_payer_pays_with_fingers_and_reloads_nothing() -> None:
    async with a_page(width=360, height=740) as (world, page, complaints):
        await page.goto(world.url)
        await world.gateway().push(world.push(), NOW)
        for key in "1234":
            await page.get_by_role("button", name=key, exact=True).click()
        await page.get_by_role("button", name="Pay").click()
        await expect(page.locator(".inbox article")).to_contain_text("Confirmed. Ksh50.00")
        await expect(page.locator(".balance")).to_contain_text("950")

    assert complaints == []


async def test_digits_that_were_typed_outlive_other_news() -> None:
    async with a_page(width=1366, height=768) as (world, page, complaints):
        await page.goto(world.url)
        await world.gateway().push(world.push(), NOW)
        await page.locator("#pin").fill("12")
        await world.http.post(f"{world.url}/sim/lines/254712345678/top-up", json={"shillings": 111})
        await expect(page.locator(".balance")).to_contain_text("1,111")
        typed = await page.locator("#pin").input_value()

    assert (typed, complaints) == ("12", [])


async def test_the_start_page_has_a_working_handset_beside_it() -> None:
    async with a_page(width=1366, height=768) as (world, page, complaints):
        await page.goto(f"{world.url}/trial")
        await world.gateway().push(world.push(), NOW)
        phone = page.frame_locator("iframe")
        await phone.locator("#pin").fill("1234")
        await phone.get_by_role("button", name="Pay").click()
        await expect(phone.locator(".inbox article")).to_contain_text("Confirmed")

    assert complaints == []


async def test_a_switch_holds_without_a_reload() -> None:
    async with a_page(width=1366, height=768) as (world, page, complaints):
        await page.goto(f"{world.url}/faults")
        await page.get_by_role("checkbox", name="Lost", exact=True).check()
        await world.seen("faults", lambda told: told["callback_lost"])
        await page.get_by_role("button", name="All off").click()
        await world.seen("faults", lambda told: not told["callback_lost"])

    assert complaints == []


@pytest.mark.parametrize("known", [False, True])
async def test_a_payer_pays_from_the_menu(*, known: bool) -> None:
    async with a_page(width=360, height=740) as (world, page, complaints):
        if known:
            await world.http.post(
                f"{world.url}/sim/pay",
                json={"msisdn": "254712345678", "shillings": 1, "account": "X"},
            )
        await page.goto(world.url)
        await page.get_by_role("link", name="Pay").click()
        if not known:
            await page.get_by_label("Your number").fill("0712 345 678")
        await page.get_by_label("Account number").fill("ISP10023")
        await page.get_by_label("Amount").fill("150")
        await page.get_by_label("PIN").fill("1234")
        await page.get_by_role("button", name="Pay").click()
        await expect(page.locator(".inbox article").first).to_contain_text(
            "Ksh150.00 sent to LANGO WIFI for account ISP10023"
        )

    assert complaints == []


async def test_what_is_typed_in_the_menu_outlives_other_news() -> None:
    async with a_page(width=1366, height=768) as (world, page, complaints):
        await page.goto(f"{world.url}/?menu=1")
        await page.get_by_label("Account number").fill("ISP1")
        news = {"msisdn": "254700000001", "shillings": 1, "account": "X"}
        async with page.expect_response(lambda told: told.url.endswith("/?menu=1")):
            await world.http.post(f"{world.url}/sim/pay", json=news)
        await expect(page.locator(".balance")).to_contain_text("999")
        typed = await page.get_by_label("Account number").input_value()
        focused = await page.evaluate("document.activeElement.id")

    assert (typed, focused, complaints) == ("ISP1", "menu-account", [])


@pytest.mark.parametrize("path", ["/", "/?menu=1", "/trial", "/faults"])
async def test_nothing_is_wider_than_a_small_phone(path: str) -> None:
    async with a_page(width=360, height=740) as (world, page, _):
        await world.gateway().push(world.push(), NOW)
        await page.goto(world.url + path)
        width = await page.evaluate("document.documentElement.scrollWidth")

    assert width == 360
