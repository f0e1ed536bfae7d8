"""The page that sells codes, where two wallets collect: its payer chooses, as on the portal."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.async_api import expect

from controller.api.app import BUY
from controller.payments.memory import MemoryGateway
from controller.usecases.plans import add_plan
from controller.usecases.settle import take_callback
from controller.usecases.sites import NewSite, add_site
from tests.portal.test_buy import PAGE_BYTES_MAX, SCREENS
from tests.portal.test_wallets import BUTTON
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.builders import SITE, a_plan, token_in
from tests.support.database import db, sqlite_template
from tests.support.office import Office, office, opened
from tests.support.office import sqlite_only as db_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["db", "db_url", "office", "sqlite_template"]

HIDDEN = re.compile(r'name="(\w+)" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Shop:
    """The page of a site, and whoever answers for each wallet."""

    office: Office
    page: str
    mpesa: MemoryGateway
    airtel: MemoryGateway

    @property
    def asked(self) -> dict[str, int]:
        """How many were asked by each wallet."""
        return {one.rail: len(one.pushes) for one in (self.mpesa, self.airtel)}

    async def ordered(self, client: httpx2.AsyncClient, **told: str) -> httpx2.Response:
        """Send the form of a fresh page."""
        key = dict(HIDDEN.findall((await client.get(self.page)).text))["key"]
        form = {"key": key, "plan": "hour", "phone": "0712 345 678", **told}
        return await client.post(f"{self.page}/order", data=form)

    async def cancelled(self) -> None:
        """The payer of Airtel's latest prompt says no."""
        name = list(self.airtel.asked)[-1]
        self.airtel.refuse(name)
        token = token_in(self.airtel.asked[name].push.callback_url)
        body = self.airtel.callback(name)
        await take_callback(self.office.deps, token=token, body=body, source="")


@pytest.fixture
async def shop(office: Office) -> AsyncIterator[Shop]:
    mpesa, airtel = MemoryGateway(), MemoryGateway(rail="airtel", place="LANGO")
    both = Office(replace(office.deps, gateway=mpesa, more_gateways=(airtel,)), office.clock)
    await add_site(both.deps, NewSite(SITE, "Kahawa West", "Upepo Networks", "0700 000 000"))
    await add_plan(both.deps, a_plan())
    async with opened(both) as url:
        yield Shop(both, f"{url}{BUY}/{SITE}", mpesa, airtel)


@asynccontextmanager
async def a_client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as client:
        yield client


async def test_the_page_has_a_button_for_each_wallet_and_stays_small(shop: Shop) -> None:
    async with a_client() as client:
        page = (await client.get(shop.page)).text
        async with client.stream("GET", shop.page) as answer:
            size = sum([len(part) async for part in answer.aiter_raw()])

    assert BUTTON.findall(page) == [("mpesa", "", "M-PESA"), ("airtel", "", "Airtel Money")]
    assert answer.headers["content-encoding"] == "gzip"
    assert size <= PAGE_BYTES_MAX


@pytest.mark.parametrize(
    ("told", "wallet"),
    [
        ({}, "mpesa"),
        ({"phone": "0733 345 678"}, "airtel"),
        ({"rail": "airtel"}, "airtel"),
        ({"phone": "0733 345 678", "rail": "mpesa"}, "mpesa"),
    ],
)
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "Enter your {} PIN on that phone."), ("sw", "Weka PIN yako ya {} kwenye simu hiyo.")],
)
async def test_who_is_asked_is_chosen_or_guessed_and_named(
    shop: Shop, told: dict[str, str], wallet: str, language: str, sentence: str
) -> None:
    async with a_client() as client:
        placed = await shop.ordered(client, **told)
        page = (await client.get(f"{placed.url}?lang={language}")).text
    name = {"mpesa": "M-PESA", "airtel": "Airtel Money"}[wallet]

    assert shop.asked == {"mpesa": 0, "airtel": 0} | {wallet: 1}
    assert sentence.format(name) in page


async def test_send_again_asks_the_same_wallet(shop: Shop) -> None:
    async with a_client() as client:
        placed = await shop.ordered(client, rail="airtel")
        await shop.cancelled()
        unpaid = (await client.get(placed.url)).text
        await client.post(f"{shop.page}/order", data=dict(HIDDEN.findall(unpaid)))

    assert shop.asked == {"mpesa": 0, "airtel": 2}


async def test_a_wallet_that_does_not_collect_is_refused_on_the_page(shop: Shop) -> None:
    async with a_client() as client:
        answer = await shop.ordered(client, rail="card")

    assert (answer.status_code, shop.asked) == (422, {"mpesa": 0, "airtel": 0})
    assert "That wallet is not taken here" in answer.text


async def test_the_choice_stands_when_the_number_was_wrong(shop: Shop) -> None:
    async with a_client() as client:
        answer = await shop.ordered(client, rail="airtel", phone="12")

    assert [rail for rail, checked, _ in BUTTON.findall(answer.text) if checked] == ["airtel"]


@pytest.mark.browser
async def test_the_choice_works_without_script_and_fits(shop: Shop) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    wide: list[int] = []
    async with browsing() as browser:
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(shop.page)
        for size in (DESK_SIZE, PHONE_SIZE):
            await page.set_viewport_size(size)
            name = f"buy-counter-wallets-{size['width']}x{size['height']}.png"
            await page.screenshot(path=SCREENS / name, full_page=True)
            box = await page.locator("form").bounding_box()
            assert box is not None
            wide += [size["width"]] if box["x"] + box["width"] > size["width"] else []
        await page.get_by_label("Number that will pay").fill("0712 345 678")
        await page.get_by_text("Airtel Money").click()
        await page.get_by_role("button", name="Pay", exact=True).click()

        await expect(page.get_by_text("Enter your Airtel Money PIN")).to_be_visible()
    assert (wide, shop.asked) == ([], {"mpesa": 0, "airtel": 1})
