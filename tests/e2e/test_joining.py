"""A site from its form to online: the command that its page shows is run, and the page ticks.

A real controller, the real script, a real agent on the plane that moves no packets. The Python that
runs the tests has the agent's packages already (LANGO_PYTHON), so nothing is downloaded.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from controller.config import Settings
from controller.config_sections import EdgeSettings, HttpSettings
from controller.main import open_controller
from tests.support.browser import DESK_SIZE, PHONE_SIZE, browsing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SCREENS = Path("build/screens")
SERIOUS = {"serious", "critical"}
NAME = """O'Brien's "$(touch PWNED)" `touch PWNED`; </script>"""
SITE = "o-brien-s-touch-pwned-touch"
TICK_WAIT_MS = 40_000
TOML = """
state_dir = "{root}/var/lib/lango-agent"
plane = "memory"
[lan]
interface = "{lan}"
[wan]
interface = "{wan}"
[portal]
port = {port}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def a_box(root: Path) -> None:
    """A machine whose gateway is configured: by two interfaces that any machine has."""
    lan, wan = [name for _, name in socket.if_nameindex()][:2]
    (root / "etc/lango").mkdir(parents=True)
    text = TOML.format(root=root, lan=lan, wan=wan, port=free_port())
    (root / "etc/lango/agent.toml").write_text(text)


async def ran(command: str, folder: Path) -> str:
    """What a command said that is run as at the box; it has to succeed."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=folder,
        env=bare | {"LANGO_PYTHON": sys.executable},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@asynccontextmanager
async def an_agent(root: Path) -> AsyncIterator[None]:
    """The agent that was installed, run as the script said."""
    command = (f"{root}/opt/lango-agent/bin/lango-agent", "run")
    process = await asyncio.create_subprocess_exec(
        *command, "--config", f"{root}/etc/lango/agent.toml", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def examined(page: Page, name: str) -> None:
    """Pictures of a page at both sizes, in which nothing sticks out and axe finds nothing grave."""
    for size, called in ((DESK_SIZE, "desk"), (PHONE_SIZE, "phone")):
        await page.set_viewport_size(size)
        await page.screenshot(path=SCREENS / f"joining-{name}-{called}.png", full_page=True)
        found = (await Axe().run(page)).response["violations"]
        wide = await page.evaluate("document.documentElement.scrollWidth")

        assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in SERIOUS] == []
        assert wide <= size["width"]


async def ticked(page: Page, *keys: str, tone: str = "good") -> None:
    for key in keys:
        await expect(page.locator(f"#tick-{key}")).to_have_class(tone, timeout=TICK_WAIT_MS)


async def test_the_command_of_the_page_brings_a_site_online_and_the_page_shows_each_step(
    tmp_path: Path,
) -> None:
    root = tmp_path / "box"
    a_box(root)
    settings = Settings(
        state_dir=tmp_path / "controller",
        http=HttpSettings(port=free_port()),
        edge=EdgeSettings(port=free_port(), join_port=free_port()),
    )
    async with open_controller(settings) as controller, browsing() as browser:
        page = await browser.new_page(viewport=PHONE_SIZE, base_url=settings.public_url)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        await page.goto(f"/noc?key={controller.deps.vault.staff_key()}")
        await page.goto("/noc/sites/new?back=/noc/system")
        await examined(page, "form")
        await page.get_by_label("Name", exact=True).fill(NAME)
        await page.get_by_role("button", name="Make the site").click()
        await page.wait_for_url(f"**/noc/sites/{SITE}/joining**")
        await expect(page.locator("#live")).to_have_attribute("data-tone", "good")
        await ticked(page, "began", tone="busy")
        await examined(page, "begins")

        shown = await page.locator("#command").inner_text()
        tried = await ran(f"{shown.replace('sudo ', '')} --root {root} --dry-run", tmp_path)
        await ticked(page, "began", tone="busy")
        told = await ran(f"sh lango.sh --root {root}", tmp_path)
        await ticked(page, "began", "installed", "chosen", "joined")
        await expect(page.locator("#command")).to_be_hidden()
        await ticked(page, "connected", tone="busy")
        async with an_agent(root):
            await ticked(page, "connected", "policy", "portal", "interfaces", "online")
            await page.screenshot(path=SCREENS / "joining-half-phone.png", full_page=True)
            await ticked(page, "clock")
            await page.get_by_role("link", name="Go on").wait_for()
            await examined(page, "online")
            await page.set_viewport_size(DESK_SIZE)
            await page.get_by_text("Display").click()
            await page.get_by_role("button", name="Kiswahili").click()
            await expect(page.locator("#tick-online")).to_contain_text("Kituo kiko mtandaoni")
            await page.screenshot(path=SCREENS / "joining-kiswahili-desk.png")
            again = await ran(f"sh lango.sh --root {root}", tmp_path)
            gone = await ran(f"{shown.partition(' && ')[0]} && ! sh lango.sh", tmp_path)
            touched = await ran("find . -name '*PWNED*'", tmp_path)

    assert "This was a dry run: nothing was done." in tried
    assert f"gateway of {NAME} (site {SITE})" in told
    assert "joined as site" in told
    assert "The agent is here already." in again
    assert f"This machine has joined as {SITE} already." in again
    assert "this code is not good" in gone
    assert re.search(r"lango.sh: OK", tried)
    assert touched == ""
    assert faults == []
