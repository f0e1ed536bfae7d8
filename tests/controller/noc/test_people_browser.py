"""The pages of people in a real browser, at the size of a desk and of a phone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe

from controller.usecases.logins import set_credentials
from controller.usecases.subscribers import SubscriberChange, change_subscriber
from tests.controller.noc.test_dialling_pages import LINE, a_contract, applied, kept
from tests.controller.noc.test_people_pages import MAC, PHONE, SESSION, a_customer, devices, posted
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.office import Office, opened
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.browser

SCREENS = ROOT / "build" / "screens"
SERIOUS = {"serious", "critical"}
SIZES = {"desk": DESK_SIZE, "phone": PHONE_SIZE}
EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
PATHS = {
    "customers": "/noc/customers",
    "customer": f"/noc/customers/{PHONE}",
    "customer-edit": f"/noc/customers/{PHONE}/edit",
    "customer-add": "/noc/customers/add",
    "sessions": "/noc/sessions",
    "session": f"/noc/sessions/{SESSION}",
    "search": "/noc/search?q=wan",
    "usage": "/noc/usage",
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


@asynccontextmanager
async def staff_page(office: Office, browser: Browser, **how: Any) -> AsyncIterator[Page]:
    """A tab that is signed in; faults, dialogs and requests to others fail the test."""
    faults: list[str] = []
    async with opened(office) as url:
        context = await browser.new_context(**{"viewport": DESK_SIZE, "base_url": url, **how})
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on(
            "request", lambda asked: None if asked.url.startswith(url) else faults.append(asked.url)
        )
        await page.goto(f"/noc?key={office.key}")
        yield page
        await context.close()
    assert faults == []


@pytest.mark.parametrize("size", SIZES)
async def test_pages_of_people_have_no_serious_fault_and_fit(
    office: Office, browser: Browser, size: str
) -> None:
    await a_customer(office)
    await posted(office, f"/noc/customers/{PHONE}/note", text="calls when it rains")
    office.clock.forward(seconds=60)
    SCREENS.mkdir(parents=True, exist_ok=True)
    async with staff_page(office, browser, viewport=SIZES[size]) as page:
        for name, path in PATHS.items():
            await page.goto(path)
            found = await Axe().run(page)
            grave = [v["id"] for v in found.response["violations"] if v["impact"] in SERIOUS]
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            await page.screenshot(path=SCREENS / f"people-{name}-{size}.png", full_page=True)

            assert grave == [], name
            assert wide <= 0, name


async def test_hits_appear_while_somebody_types_and_enter_opens_the_first(
    office: Office, browser: Browser
) -> None:
    await a_customer(office)
    async with staff_page(office, browser) as page:
        await page.keyboard.press("Control+k")
        await page.keyboard.type("0712 3")
        await page.wait_for_selector("#found .hit")
        await page.screenshot(path=SCREENS / "people-palette-desk.png")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/noc/customers/{PHONE}")

        assert "Wanjiku Kamau" in await page.inner_text("h1")


async def test_a_command_is_a_hit_and_dark_mode_is_on(office: Office, browser: Browser) -> None:
    async with staff_page(office, browser) as page:
        await page.keyboard.press("/")
        await page.keyboard.type("dark mode")
        await page.wait_for_selector("#found .hit")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("html[data-theme=dark]")


async def test_a_device_is_disconnected_with_one_click_and_let_back_in_with_another(
    office: Office, browser: Browser
) -> None:
    grant_id = await a_customer(office)
    async with staff_page(office, browser) as page:
        await page.goto("/noc/sessions")
        await page.get_by_role("button", name=f"Disconnect {MAC}").click()
        await page.get_by_role("button", name="Undo").wait_for()
        gone = await devices(office, grant_id)
        await page.screenshot(path=SCREENS / "people-undo-desk.png")
        await page.get_by_role("button", name="Undo").click()
        await page.get_by_text("is let in again").wait_for()

    assert gone == ""
    assert await devices(office, grant_id) == MAC


async def test_the_undo_goes_by_itself_after_five_seconds(office: Office, browser: Browser) -> None:
    await a_customer(office)
    async with staff_page(office, browser) as page:
        await page.goto("/noc/sessions")
        await page.get_by_role("button", name=f"Disconnect {MAC}").click()
        undo = page.get_by_role("button", name="Undo")
        await undo.wait_for()
        await page.wait_for_selector("#live[data-tone=good]")
        office.clock.forward(seconds=6)
        office.deps.signals.wake("live")

        await undo.wait_for(state="detached", timeout=5_000)


async def test_a_block_wants_its_address_typed(office: Office, browser: Browser) -> None:
    await a_customer(office)
    async with staff_page(office, browser, viewport=PHONE_SIZE) as page:
        await page.goto(f"/noc/sessions/{SESSION}")
        await page.get_by_text("Block this device").first.click()
        await page.get_by_label("Why", exact=True).fill("spoofs the gateway")
        await page.get_by_label(f"Type {MAC} to go on").fill(MAC)
        await page.get_by_role("button", name="Block this device").click()
        await page.get_by_text("spoofs the gateway").wait_for()


async def test_what_strangers_wrote_stays_text_in_a_browser(
    office: Office, browser: Browser
) -> None:
    await a_customer(office, addresses=EVIL)
    await change_subscriber(office.deps, PHONE, SubscriberChange(name=EVIL, address=EVIL))
    await posted(office, f"/noc/customers/{PHONE}/note", text=EVIL)
    async with staff_page(office, browser) as page:
        for path in (*PATHS.values(), "/noc/search?q=img"):
            await page.goto(path)
            await asyncio.sleep(0)

            assert await page.locator("img[src=x]").count() == 0, path
        await page.fill("#search", "onerror")
        await page.wait_for_selector("#found .hit")

        assert "<script>" in await page.inner_text("#found")


async def test_a_customer_is_edited_without_scripts(office: Office, browser: Browser) -> None:
    await a_customer(office)
    async with staff_page(office, browser, java_script_enabled=False) as page:
        await page.goto(f"/noc/customers/{PHONE}/edit")
        await page.fill("#field-name", "Wanjiku Njoroge")
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url(f"**/noc/customers/{PHONE}")

        assert "Wanjiku Njoroge" in await page.inner_text("h1")


@pytest.mark.parametrize("language", ["en", "sw"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_new_password_is_shown_once_and_copied_with_a_tap(
    office: Office, browser: Browser, size: str, language: str
) -> None:
    await a_contract(office)
    await a_contract(office, "d" * 32)
    await set_credentials(office.deps, LINE, name="wanjiku@kahawa")
    await applied(office, "estate-1")
    new = {"en": "New password", "sw": "Nenosiri jipya"}[language]
    taken: list[str] = []
    SCREENS.mkdir(parents=True, exist_ok=True)
    async with staff_page(
        office, browser, viewport=SIZES[size], locale=f"{language}-KE", has_touch=True
    ) as page:
        for step in ("customer", "form", "once"):
            if step == "customer":
                await page.goto(f"/noc/customers/{PHONE}")
            elif step == "form":
                await page.get_by_role("link", name=new).click()
                await page.wait_for_url("**/edit#dialling")
                await page.locator("#dialling summary").click()
            else:
                await page.locator("#dialling input[name=sure]").fill("home-20")
                await page.get_by_role("button", name=new).click()
                await page.wait_for_selector("code.secret")
            found = await Axe().run(page)
            grave = [v["id"] for v in found.response["violations"] if v["impact"] in SERIOUS]
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            name = f"people-dialling-{step}-{language}-{size}.png"
            await page.screenshot(path=SCREENS / name, full_page=True)

            assert grave == [], step
            assert wide <= 0, step
        for number in range(2):
            await page.locator("code.secret").nth(number).click()
            taken.append(await page.evaluate("getSelection().toString()"))
        await page.locator("a.button").click()
        await page.wait_for_url(f"**/noc/customers/{PHONE}")
        shown = await page.content()
    login = await kept(office)

    assert login is not None
    assert taken == [login.name, office.deps.vault.unseal(login.sealed).decode()]
    assert taken[1] not in shown


async def test_pages_speak_swahili(office: Office, browser: Browser) -> None:
    await a_customer(office)
    async with staff_page(office, browser, locale="sw-KE") as page:
        await page.goto(f"/noc/customers/{PHONE}")

        assert (
            "KWA NINI MTEJA HUYU HAYUKO MTANDAONI?" in (await page.inner_text("#why-title")).upper()
        )
