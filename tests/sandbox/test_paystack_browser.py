"""The hosted card page in a real browser: a card is typed, a bank asks, the payer is told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE_SIZE, browsing
from tests.support.paystack import ASKS, DECLINES, a_card_push, a_paystack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from tests.support.paystack import PaystackWorld

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC)


@asynccontextmanager
async def a_page() -> AsyncIterator[tuple[PaystackWorld, Page, list[str]]]:
    """A card page on a phone, and everything that the browser complained of."""
    async with a_paystack() as paystack, browsing() as browser:
        answer = await paystack.gateway().push(a_card_push(shillings=1_500), NOW)
        page = await browser.new_page(viewport=PHONE_SIZE)
        complaints: list[str] = []
        page.on("console", lambda told: complaints.append(told.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(answer.pay_at or "")
        yield paystack, page, complaints


async def typed(page: Page, number: str) -> None:
    await page.get_by_label("Card number").fill(number)
    await page.get_by_label("Expires").fill("12/30")
    await page.get_by_label("CVV").fill("408")
    await page.get_by_role("button", name="Pay KES 1,500.00").click()


async def test_a_declined_card_is_followed_by_one_that_pays() -> None:
    async with a_page() as (paystack, page, complaints):
        await typed(page, DECLINES)
        await expect(page.get_by_role("alert")).to_contain_text("Declined")
        await typed(page, "4084 0840 8408 4081")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Paid")
        total = (await paystack.look("settled"))["cents_total"]

    assert (total, complaints) == (150_000, [])


async def test_a_bank_asks_and_the_holder_agrees() -> None:
    async with a_page() as (paystack, page, complaints):
        await typed(page, ASKS)
        await page.get_by_role("button", name="Yes, pay").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Paid")
        outcome = await paystack.gateway().query("0" * 32, NOW)

    assert (outcome.evidence.value, complaints) == ("paid", [])


async def test_what_is_no_card_is_told_beside_the_form() -> None:
    async with a_page() as (_, page, _complaints):
        await typed(page, "1234")
        await expect(page.get_by_role("alert")).to_contain_text("no such card")
