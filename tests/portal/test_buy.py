"""The page that sells tokens, in a real browser over the real controller application.

Every screen is also photographed into ``build/screens/`` for people to look at.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from playwright.async_api import expect
from sqlalchemy import update

from billing.ids import PlanId
from billing.money import Money
from billing.plan import Limits, Plan
from controller.api.app import BUY
from controller.notify.memory import MemorySms
from controller.payments.memory import MemoryGateway
from controller.store.site_rows import OutageRow, SiteRow
from controller.usecases import maintenance, messages
from controller.usecases.areas import Area
from controller.usecases.operators import OperatorChange, change_operator
from controller.usecases.plans import add_plan
from controller.usecases.settle import take_callback
from controller.usecases.sites import NewSite, add_site
from tests.controller.test_png import a_png
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.builders import SITE, token_in
from tests.support.database import db, sqlite_template
from tests.support.incoming import applied
from tests.support.office import Office, office, opened
from tests.support.office import sqlite_only as db_url
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

__all__ = ["db", "db_url", "office", "sqlite_template"]

PAGE_BYTES_MAX = 14 * 1024
SCREENS = ROOT / "build" / "screens"
CODE = re.compile(r"(\d{4}-){4}\d{4}")
LADDER = (
    ("hour", "One hour", 10, 3_600),
    ("day", "Day", 50, 86_400),
    ("week", "Week", 250, 604_800),
)


@pytest.fixture
async def shop(office: Office) -> AsyncIterator[str]:
    """The address of the page of a site with three plans."""
    await add_site(office.deps, NewSite(SITE, "Kahawa West", "Upepo Networks", "0700 000 000"))
    for rank, (name, title, shillings, validity_s) in enumerate(LADDER):
        limits = Limits(5_000_000, 2_000_000, validity_s, None, None, 1)
        plan = Plan(PlanId(name), title, Money(shillings * 100), limits)
        await add_plan(office.deps, plan, rank=rank)
    async with opened(office) as url:
        yield f"{url}{BUY}/{SITE}"


@asynccontextmanager
async def a_page(**context: Any) -> AsyncIterator[Page]:
    async with browsing() as browser:
        yield await browser.new_page(viewport=PHONE_SIZE, **context)


def payer_of(office: Office) -> MemoryGateway:
    assert isinstance(office.deps.gateway, MemoryGateway)
    return office.deps.gateway


async def pays(office: Office) -> None:
    """The payer of the newest prompt types the PIN, and the provider calls back."""
    gateway = payer_of(office)
    name = list(gateway.asked)[-1]
    gateway.pay(name, office.clock())
    await called_back(office, name)


async def called_back(office: Office, name: str) -> None:
    gateway = payer_of(office)
    token = token_in(gateway.asked[name].push.callback_url)
    await take_callback(office.deps, token=token, body=gateway.callback(name), source="")


async def orders(page: Page, shop: str, phone: str = "0712 345 678") -> None:
    await page.goto(shop)
    await page.get_by_text("24 hours").click()
    await page.get_by_label("M-PESA number").fill(phone)
    await page.get_by_role("button", name="Pay with M-PESA").click()
    await expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()


async def shot(page: Page, scene: str) -> list[str]:
    """Photograph the page at both sizes; what of it is too wide."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    wide = []
    for size in (PHONE_SIZE, DESK_SIZE):
        await page.set_viewport_size(size)
        await page.screenshot(path=SCREENS / f"buy-{scene}-{size['width']}x{size['height']}.png")
        if await page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            wide.append(f"{scene} {size['width']}")
    await page.set_viewport_size(PHONE_SIZE)
    return wide


@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_customer_buys_a_token_with_two_taps_and_one_number(
    office: Office,
    shop: str,
    script: bool,  # noqa: FBT001 - a table's cell
) -> None:
    async with a_page(java_script_enabled=script) as page:
        await orders(page, shop)
        await pays(office)
        await expect(page.get_by_role("heading", name="Paid.")).to_be_visible(timeout=15_000)
        shown = (await page.locator("#token").inner_text()).strip()
        await messages.send_due(office.deps)
        await page.reload()

        await expect(page.get_by_text("We sent this code")).to_be_visible()
    assert isinstance(office.deps.sms, MemorySms)
    texts = office.deps.sms.to("254712345678")
    assert CODE.fullmatch(shown)
    assert [text.split()[0] for text in texts] == [shown]


@pytest.mark.browser
async def test_every_screen_fits_and_says_nothing_to_the_console(office: Office, shop: str) -> None:
    said: list[str] = []
    wide: list[str] = []
    async with a_page() as page:
        page.on("console", lambda told: said.append(told.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(shop)
        wide += await shot(page, "counter")
        await page.goto(f"{shop}?lang=sw")
        wide += await shot(page, "counter-sw")
        await orders(page, shop)
        wide += await shot(page, "prompted")
        office.clock.forward(seconds=100)
        await page.reload()
        await expect(page.get_by_role("heading", name="Still checking")).to_be_visible()
        wide += await shot(page, "checking")
        await pays(office)
        await page.reload()
        wide += await shot(page, "sold")
        await page.goto(f"{page.url}?lang=sw")
        wide += await shot(page, "sold-sw")
        await orders(page, shop, "0712 000 001")
        name = list(payer_of(office).asked)[-1]
        payer_of(office).refuse(name)
        await called_back(office, name)
        await page.reload()
        wide += await shot(page, "unpaid")
        await page.get_by_role("button", name="Send again").click()
        await expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()

    assert (said, wide) == ([], [])


@asynccontextmanager
async def a_client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield client


async def ordered(client: httpx2.AsyncClient, shop: str, **but: str) -> httpx2.Response:
    """Post the form of a fresh page."""
    page = (await client.get(shop)).text
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    form = {"key": key, "plan": "day", "phone": "0712345678", **but}
    return await client.post(f"{shop}/order", data=form)


async def test_the_page_is_small(shop: str) -> None:
    async with a_client() as client, client.stream("GET", shop) as answer:
        size = sum([len(part) async for part in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == "gzip"
    assert size <= PAGE_BYTES_MAX


async def test_the_page_wears_the_operators_looks(office: Office, shop: str) -> None:
    look = OperatorChange(colour="#ffee00", languages="sw", logo=a_png(noise=True))
    await change_operator(office.deps, look)
    async with a_client() as client:
        page = await client.get(shop)
        found = re.search(r'<img src="(/buy/[^"]+)"', page.text)
        assert found is not None
        picture = await client.get(f"{shop.partition('/buy')[0]}{found[1]}")
        strange = await client.get(f"{shop}/logo/{'0' * 16}.png")

    assert '<html lang="sw">' in page.text
    assert "--go:#ffee00" in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    assert picture.content.startswith(b"\x89PNG")
    assert len(picture.content) <= 16_384
    assert "immutable" in picture.headers["cache-control"]
    assert strange.status_code == 404


async def test_the_page_says_what_is_planned_at_the_site_and_that_it_is_silent(
    office: Office, shop: str
) -> None:
    now = office.clock()
    start = now + timedelta(hours=1)
    work = maintenance.Plan(Area(SITE), start, start + timedelta(hours=2), "New mast.", "Mlingoti.")
    await maintenance.plan(office.deps, work)
    await office.keep(OutageRow(site_id=SITE, began_at=now - timedelta(minutes=40)))
    async with a_client() as client:
        page = (await client.get(shop)).text
        swahili = (await client.get(f"{shop}?lang=sw")).text

    assert "This place has had no line since Mon 23 Nov, 11:20. We are on it." in page
    assert "Work on the network: Mon 23 Nov 13:00–15:00" in page  # noqa: RUF001
    assert ("New mast." in page, "Mlingoti." in swahili) == (True, True)


async def test_a_double_tap_orders_once(office: Office, shop: str) -> None:
    async with a_client() as client:
        key = re.findall(r'name="key" value="([^"]+)"', (await client.get(shop)).text)[0]
        answers = [await ordered(client, shop, key=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(payer_of(office).pushes) == 1


async def test_who_knows_only_the_orders_name_sees_nothing(office: Office, shop: str) -> None:
    async with a_client() as client:
        link = (await ordered(client, shop)).headers["location"]
        await pays(office)
        name = link.rpartition("/")[2].partition("-")[0]
        guessed = await client.get(f"{shop}/o/{name}-{'0' * 32}")
        right = await client.get(f"{shop}/o/{link.rpartition('/')[2]}")

    assert guessed.status_code == 404
    assert not CODE.search(guessed.text)
    assert right.status_code == 200


@pytest.mark.parametrize(
    ("but", "status"),
    [
        ({"phone": "12"}, 422),
        ({"phone": ""}, 422),
        ({"holder": "12"}, 422),
        ({"plan": "never"}, 422),
        ({"key": "0" * 32 + "-" + "0" * 32}, 409),
        ({"key": "x"}, 400),
    ],
)
async def test_an_order_that_cannot_be_is_refused_on_the_page(
    office: Office, shop: str, but: dict[str, str], status: int
) -> None:
    async with a_client() as client:
        answer = await ordered(client, shop, **but)

    assert answer.status_code == status
    assert payer_of(office).pushes == []


async def test_a_friend_pays_and_the_code_goes_to_the_other_phone(
    office: Office, shop: str
) -> None:
    async with a_client() as client:
        form = {"phone": "0712345678", "holder": "0722 000 001"}
        link = (await ordered(client, shop, **form)).headers["location"]
        await pays(office)
        await messages.send_due(office.deps)
        page = (await client.get(f"{shop}/o/{link.rpartition('/')[2]}")).text

    assert isinstance(office.deps.sms, MemorySms)
    assert [push.msisdn for push in payer_of(office).pushes] == ["254712345678"]
    assert CODE.search(office.deps.sms.to("254722000001")[0])
    assert not any(CODE.search(text) for text in office.deps.sms.to("254712345678"))
    assert "07•• ••• 001 by SMS" in page.replace("\N{NO-BREAK SPACE}", " ")


async def test_trying_again_is_for_the_same_other_phone(office: Office, shop: str) -> None:
    async with a_client() as client:
        form = {"phone": "0712345678", "holder": "0722000001"}
        link = (await ordered(client, shop, **form)).headers["location"]
        name = list(payer_of(office).asked)[-1]
        payer_of(office).refuse(name)
        await called_back(office, name)
        again = link.rpartition("/")[2]
        await ordered(client, shop, phone="", again=again)
        await pays(office)
        await messages.send_due(office.deps)

    assert isinstance(office.deps.sms, MemorySms)
    assert len(payer_of(office).pushes) == 2
    assert len(office.deps.sms.to("254722000001")) == 1


async def test_a_page_that_ordered_for_one_phone_orders_for_no_other(
    office: Office, shop: str
) -> None:
    async with a_client() as client:
        key = re.findall(r'name="key" value="([^"]+)"', (await client.get(shop)).text)[0]
        first = await ordered(client, shop, key=key)
        other = await ordered(client, shop, key=key, holder="0722000001")

    assert (first.status_code, other.status_code) == (303, 409)
    assert len(payer_of(office).pushes) == 1


async def test_what_was_typed_for_another_phone_is_kept_when_it_is_wrong(shop: str) -> None:
    async with a_client() as client:
        page = (await ordered(client, shop, holder="0722 00")).text

    assert 'value="0722 00"' in page
    assert "The other phone" in page


async def test_a_paid_code_says_while_its_site_has_not_heard_of_it(
    office: Office, shop: str
) -> None:
    async with a_client() as client:
        link = (await ordered(client, shop)).headers["location"]
        await pays(office)
        page = f"{shop}/o/{link.rpartition('/')[2]}"
        new = (await client.get(page)).text
        await applied(office, SITE)
        office.clock.forward(minutes=5)
        heard = (await client.get(page)).text
        async with office.deps.db.begin() as tx:
            await tx.execute(update(SiteRow).values(applied_generation=0))
        behind = (await client.get(page)).text
        office.clock.forward(days=1)
        later = (await client.get(f"{page}?lang=sw")).text

    assert "Paid. Waiting for your site; it has not been heard yet." in new
    assert 'id="behind"' not in heard
    assert "Paid. Waiting for your site; last heard 12:00." in behind
    assert "Umelipa. Tunasubiri kituo chako; kilisikika mwisho Jtatu 23 Nov, 12:00." in later


async def test_an_address_that_orders_without_end_is_stopped(shop: str) -> None:
    async with a_client() as client:
        answers = [await ordered(client, shop, phone=f"07120000{n:02d}") for n in range(31)]

    assert [answer.status_code for answer in answers[-2:]] == [303, 429]


async def test_a_site_that_is_not_there_sells_nothing(shop: str) -> None:
    async with a_client() as client:
        answer = await client.get(f"{shop}-not")

    assert answer.status_code == 404
