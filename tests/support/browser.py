"""Headless Chromium, on this machine or on a device of the lab."""

from __future__ import annotations

import os
import shlex
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import Error, async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page, ViewportSize

    from controller.sandbox.lab.namespace import Namespace

CHROMIUM = "/usr/lib/chromium/chromium-headless-shell"
"""The engine alone: a whole browser without a window takes three times the CPU for each page."""

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Keeps Chromium from talking to anybody by itself."""

PHONE_SIZE: ViewportSize = {"width": 360, "height": 740}
DESK_SIZE: ViewportSize = {"width": 1366, "height": 768}


@asynccontextmanager
async def browsing(executable: str = CHROMIUM) -> AsyncIterator[Browser]:
    """A running browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=[*QUIET])
        try:
            yield browser
        finally:
            await browser.close()


async def shot(page: Page, path: str) -> None:
    """A picture of a page that may be leaving by itself just then: once more, of what came."""
    try:
        await page.screenshot(path=path)
    except Error:
        await page.wait_for_load_state()
        await page.screenshot(path=path)


def on_device(ns: Namespace, resolv: Path, directory: Path) -> str:
    """A command that starts Chromium inside a device's namespace, with the device's resolver.

    The browser's driver does not hand descriptors on, so the namespace is named by this process.
    """
    bind = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    argv = [
        *("nsenter", f"--net=/proc/{os.getpid()}/fd/{ns.fd}"),
        *("unshare", "--mount", "--propagation", "private"),
        *("sh", "-c", bind, str(resolv), CHROMIUM),
    ]
    script = directory / "chromium-on-device"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)
