"""Coming in with a real browser, and with its own (virtual) passkey authenticator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from axe_playwright_python.async_playwright import Axe

from controller.usecases import staff
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.staff import KEY, PASSWORD, opened_by_name
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.support.office import Office

pytestmark = pytest.mark.browser

SCREENS = ROOT / "build" / "screens"
SERIOUS = {"serious", "critical"}
PASSKEYS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def faults_of(page: Page, name: str) -> list[str]:
    """What axe finds that is serious, and whether the page is wider than the screen."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    width = await page.evaluate("window.innerWidth")
    await page.screenshot(path=SCREENS / f"staff-{name}-{width}.png", full_page=True)
    found: Any = await Axe().run(page)
    told = [one["id"] for one in found.response["violations"] if one["impact"] in SERIOUS]
    wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return [*told, *(["wider than the screen"] if wide else [])]


@pytest.mark.parametrize("size", [DESK_SIZE, PHONE_SIZE], ids=["desk", "phone"])
async def test_from_the_link_to_the_owner_to_a_passkey_that_signs_in(
    office: Office, size: dict[str, int]
) -> None:
    problems: list[str] = []
    faults: dict[str, list[str]] = {}
    async with opened_by_name(office) as (url, named), browsing() as browser:
        invited = await staff.invite_owner(named.deps, KEY)
        context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        talk = await context.new_cdp_session(page)
        await talk.send("WebAuthn.enable")
        await talk.send("WebAuthn.addVirtualAuthenticator", {"options": PASSKEYS})

        await page.goto(f"{url}/noc/welcome?token={invited.token}")
        faults["welcome"] = await faults_of(page, "welcome")
        secret = re.sub(r"\s", "", await page.inner_text("code"))
        for name, text in (
            ("name", "Amina Wanjiru"),
            ("login", "amina@example.co.ke"),
            ("password", PASSWORD),
            ("again", PASSWORD),
            ("code", pyotp.TOTP(secret).at(int(office.clock().timestamp()))),
        ):
            await page.fill(f"#{name}", text)
        await page.click("button[type=submit]")
        await page.wait_for_selector(".codes")
        codes = await page.locator(".codes code").all_inner_texts()
        faults["codes"] = await faults_of(page, "codes")

        await page.goto(f"{url}/noc/me")
        faults["me"] = await faults_of(page, "me")
        await page.fill("#passkey-name", "Laptop")
        await page.fill("#passkey-password", PASSWORD)
        await page.click("#passkey")
        await page.get_by_text("Laptop").wait_for()

        await page.goto(f"{url}/noc/staff")
        faults["staff"] = await faults_of(page, "staff")

        await context.clear_cookies()
        await page.goto(f"{url}/noc/staff")
        faults["sign-in"] = await faults_of(page, "sign-in")
        await page.click("#passkey")
        await page.wait_for_url(f"{url}/noc/staff")
        await page.get_by_role("heading", name="Staff").wait_for()

        await context.clear_cookies()
        await page.goto(f"{url}/noc/login")
        await page.fill("#login", "amina@example.co.ke")
        await page.fill("#password", PASSWORD)
        await page.click("form >> text=Log in")
        await page.wait_for_url("**/noc/second**")
        faults["second"] = await faults_of(page, "second")
        await page.fill("#code", codes[0])
        await page.click("button[type=submit]")
        await page.wait_for_url(f"{url}/noc")
        await context.close()

    assert len(codes) == 10
    assert problems == []
    assert {name: found for name, found in faults.items() if found} == {}
