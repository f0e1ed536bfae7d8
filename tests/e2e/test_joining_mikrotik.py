"""A MikroTik site from its form to online, by nothing but what its page says.

The page's command runs on the machine beside the router, the line that it gives is pasted into the
emulated router's console, the agent signs in, and the page ticks. api-ssl of the emulator is behind
the port that a router has it at; the certificate that it shows is not the one that its console
made, so that the pin is of what is shown.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from ssl import PEM_cert_to_DER_cert
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from agent.router import TLS_PORT
from controller.config import Settings
from controller.config_sections import EdgeSettings, HttpSettings
from controller.main import open_controller
from controller.usecases.joining import ROUTER
from shaping.routeros.rows import LISTS
from tests.e2e.test_joining import SCREENS, an_agent, examined, free_port, ran, ticked
from tests.routeros.console import pasted
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

HERE, BESIDE = "127.0.0.1", "127.87.29.5"
"""This machine, and where the router's api-ssl is."""

ZEROS = "0" * 64


@asynccontextmanager
async def at_its_port(router: Emulated) -> AsyncIterator[None]:
    """The router's api-ssl at the port that everybody expects it at."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await reader.read(65_536):
                writer.write(octets)
                await writer.drain()
        writer.close()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = (router.box.host, router.box.tls_port)
        there, on = await asyncio.open_connection(*place, local_addr=(HERE, 0))
        await asyncio.gather(carry(reader, on), carry(there, writer))

    server = await asyncio.start_server(met, BESIDE, TLS_PORT)
    try:
        yield
    finally:
        server.close()


async def shown(page: Page, what: str) -> str:
    """Something that the page gives to copy."""
    return await page.locator(f"#{what}:visible").inner_text()


async def signed_in(root: Path, router: Emulated, confirm: str) -> str:
    """What the page's words for it say, once the router's certificate is written down."""
    toml = root / "etc/lango/agent.toml"
    pin = sha256(PEM_cert_to_DER_cert(router.box.certificate_pem.decode())).hexdigest()
    portal = f"\n[portal]\nport = {free_port()}\n"
    toml.write_text(toml.read_text().replace(ZEROS, pin) + portal)
    words = confirm.replace("sudo ", f"{root}/opt/lango-agent/bin/")
    return await ran(f"{words} --config {toml}", toml.parent)


async def test_what_the_page_of_a_mikrotik_site_says_brings_it_online(tmp_path: Path) -> None:
    root = tmp_path / "box"
    settings = Settings(
        state_dir=tmp_path / "controller",
        http=HttpSettings(port=free_port()),
        edge=EdgeSettings(port=free_port(), join_port=free_port()),
    )
    SCREENS.mkdir(parents=True, exist_ok=True)
    with Emulated(major=7) as router:
        async with (
            open_controller(settings) as controller,
            at_its_port(router),
            browsing() as browser,
        ):
            page = await browser.new_page(viewport=DESK_SIZE, base_url=settings.public_url)
            await page.goto(f"/noc?key={controller.deps.vault.staff_key()}")
            await page.goto("/noc/sites/new")
            await page.get_by_label("Name", exact=True).fill("Stage 4")
            await page.get_by_label("MikroTik").check()
            await examined(page, "mikrotik-form")
            await page.get_by_role("button", name="Make the site").click()
            await page.wait_for_url("**/noc/sites/stage-4/joining?kind=mikrotik")
            await ticked(page, "began", tone="busy")
            await examined(page, "mikrotik-begins")
            command, confirm = await shown(page, "command"), await shown(page, "confirm")

            beside = command.replace("sudo ", "").replace(ROUTER, BESIDE)
            told = await ran(f"{beside} --root {root}", tmp_path)
            await ticked(page, "began", "installed", "chosen", "joined")
            await expect(page.locator("#command")).to_be_hidden()
            assert await shown(page, "confirm") == confirm
            await examined(page, "mikrotik-joined")
            (line,) = [one for one in told.splitlines() if one.startswith((":", "/", "{"))]
            said = router.do(lambda box: pasted(box, line))
            confirmed = await signed_in(root, router, confirm)
            router.do(lambda box: box.pass_time(3_600))
            users = {row["name"] for row in router.rows("/user")}
            async with an_agent(root):
                await ticked(page, "connected", "policy", "portal", "interfaces", "online")
                await ticked(page, "clock")
                await examined(page, "mikrotik-online")
                chosen = await page.locator("#tick-chosen").inner_text()
                await page.set_viewport_size(DESK_SIZE)
                await page.get_by_text("Display").click()
                await page.get_by_role("button", name="Kiswahili").click()
                await expect(page.locator("#tick-online")).to_contain_text("Kituo kiko mtandaoni")
                await page.set_viewport_size(PHONE_SIZE)
                await page.screenshot(path=SCREENS / "joining-mikrotik-sw.png", full_page=True)
            lists = {row["list"] for row in router.rows(LISTS)}

    assert said[-1] == "Done. Undone in 10 minutes unless the agent signs in before."
    assert any(one.startswith("Certificate sha256 ") for one in said)
    assert "confirmed: nothing will be undone" in confirmed
    assert "lango" in users
    assert "Devices on bridge, internet on ether1." in chosen
    assert any(one.startswith("lango") for one in lists)
