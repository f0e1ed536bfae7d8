"""What a page weighs, and what it may load: one response, nothing from anywhere else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.pages import PAGES_KEPT_MAX, Pages
from portal.captive.screens import Help
from portal.captive.text import TABLES, Tongue
from tests.support.portal import HOST, PHONE, Site, a_face, an_access

WEIGHT_MAX = 14 * 1024
WEIGHT_WANTED = 6 * 1024


async def weights(language: str) -> dict[str, bytes]:
    """Every screen's compressed page by name."""
    site = Site()
    pages: dict[str, bytes] = {}
    async with site.phone() as phone:

        async def see(name: str, path: str) -> None:
            link = f"{path}?lang={language}"
            async with phone.stream("GET", link, headers={"accept-encoding": "gzip"}) as answer:
                assert answer.status_code == 200, name
                pages[name] = b"".join([part async for part in answer.aiter_raw()])

        for path in ("/", "/voucher", "/joined", "/help", "/phone"):
            await see(path, path)
        order_id = await site.ordered()
        await see("sent", f"/o/{order_id}")
        site.clock.pass_s(95)
        await see("checking", f"/o/{order_id}")
        site.gate.moved_to(PHONE, OrderStage.REFUSED, Reason.WRONG_PIN)
        await see("failed", f"/o/{order_id}")
        site.gate.went_online(PHONE, an_access(bytes_left=5))
        await see("/ok", "/ok")
        await see("/status", "/status")
        many = [f"10.77.1.{last}" for last in range(1, 50)]
        site.gate.shared("SGH7K2Q0XD", an_access(devices_max=50), PHONE, *many)
        for last in range(1, 11):
            site.gate.nearby(f"10.77.2.{last}")
        await see("/tv", "/tv")
        await see("/devices", "/devices")
    return pages


@pytest.mark.parametrize("language", TABLES)
async def test_every_page_fits_into_the_first_flight(language: str) -> None:
    heavy = {name: len(page) for name, page in (await weights(language)).items()}

    assert max(heavy.values()) <= WEIGHT_WANTED <= WEIGHT_MAX, heavy


@pytest.mark.parametrize("language", TABLES)
async def test_no_page_asks_for_a_second_thing(language: str) -> None:
    pages = [gzip.decompress(page).decode() for page in (await weights(language)).values()]
    sources = {s for page in pages for s in re.findall(r'\b(?:src|srcset|data)="([^"]*)"', page)}
    linked = {s for page in pages for s in re.findall(r'<link[^>]*href="([^"]*)"', page)}

    assert (sources, linked) == (set(), {"data:,"})


async def test_the_policy_allows_just_our_own_style_and_script() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/")
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", answer.text, re.DOTALL)

    assert style is not None
    assert script is not None
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src '{hashed(style[1])}'; script-src '{hashed(script[1])}'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def hashed(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


async def test_no_page_forbids_zoom_or_carries_inline_handlers() -> None:
    for page in (await weights("en")).values():
        words = gzip.decompress(page).decode()

        assert "user-scalable" not in words
        assert "maximum-scale" not in words
        assert not re.search(r'\son[a-z]+="|\sstyle="', words)


async def test_a_page_is_never_kept_by_anybody() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept-Encoding, Accept-Language"


async def test_a_browser_without_gzip_gets_plain_text() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in answer.headers
    assert answer.text.startswith("<!doctype html>")


def test_equal_screens_are_rendered_once() -> None:
    pages = Pages(HOST)
    screen = Help(a_face(), "AAAAAA", None, online=False)

    assert pages.page(screen, Tongue("en")) is pages.page(screen, Tongue("en"))


def test_the_pages_kept_are_bounded() -> None:
    pages = Pages(HOST)
    for i in range(PAGES_KEPT_MAX + 10):
        pages.page(Help(a_face(), f"{i:06d}", None, online=False), Tongue("en"))

    assert pages.page.cache_info().currsize == PAGES_KEPT_MAX
