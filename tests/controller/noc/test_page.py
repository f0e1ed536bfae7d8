"""The live page and its stream, without a browser."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx2

from controller.noc.incoming import WAITING_LINES_MAX
from controller.store.site_rows import SiteItemRow
from tests.support.desk import a_branch, at_desk
from tests.support.incoming import bought, came
from tests.support.office import (
    NOON,
    Office,
    a_day,
    a_grant,
    a_notice,
    a_payment,
    a_plan,
    a_site,
    a_subscriber,
    caller,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from controller.store.rows import Row

NEWS_MAX_S = 20
EVIL = "<script>alert(1)</script>\"'&"


class Loads(HTMLParser):
    """Everything that a page would fetch, and everything that a strict policy would forbid."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.forbidden: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        given = dict(attrs)
        self.fetched += [str(given[name]) for name in ("src", "action") if name in given]
        if tag == "link":
            self.fetched.append(str(given["href"]))
        if tag == "style" or (tag == "script" and "src" not in given):
            self.forbidden.append(tag)
        self.forbidden += [n for n in given if n == "style" or n.startswith("on")]


async def page_of(office: Office) -> str:
    async with caller(office) as client:
        await client.post(
            "/noc/login", data={"key": office.key}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        return (await client.get("/noc")).text


async def events(office: Office, url: str) -> AsyncGenerator[str, None]:
    headers = {"Authorization": f"Bearer {office.key}"}
    async with (
        httpx2.AsyncClient(trust_env=False, headers=headers, timeout=10) as client,
        client.stream("GET", f"{url}/noc/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        block: list[str] = []
        async for line in stream.aiter_lines():
            if line:
                block.append(line)
            elif block:
                yield "\n".join(block)
                block = []


async def test_the_page_shows_everything_without_scripts(office: Office) -> None:
    await office.keep(*a_day())
    page = await page_of(office)

    for words in (
        "1 online · 0 offline",
        "1 session · ↓ 0 · ↑ 0",
        "KES 10 today · 1 paid",
        "02:00:00:00:00:01",
        "0712 ••• 678",
        "amount differs",
    ):
        assert words in page
    assert '<noscript><meta http-equiv="refresh"' in page


async def test_an_empty_house_says_what_to_do_next(office: Office) -> None:
    page = await page_of(office)

    for words in (
        "No sites yet",
        "lango site add",
        "Nobody is online",
        "No payment yet",
        "Everybody who paid is connected.",
        "All money that came in is somebody",
    ):
        assert words in page


async def test_the_page_holds_nothing_inline_and_nothing_of_another_host(office: Office) -> None:
    await office.keep(*a_day())
    loads = Loads(await page_of(office))

    assert loads.forbidden == []
    assert all(re.fullmatch(r"/noc(/[a-z.-]+)*(\?v=[0-9a-f]{10})?", path) for path in loads.fetched)


async def test_whole_phone_numbers_are_nowhere_on_the_page(office: Office) -> None:
    await office.keep(*a_day())

    assert "254712345678" not in await page_of(office)


async def test_who_paid_and_waits_and_money_of_nobody_are_on_the_page(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    await bought(office)
    await came(office, reference="254799999999 or so")
    office.clock.forward(seconds=70)
    page = await page_of(office)

    for words in (
        "1 waits for its site",
        "waiting for site, last seen 11:59",
        "SIM0000001",
        "1 · KES 500",
        "2547••••999 or so",
        "JOHN KAMAU",
    ):
        assert words in page
    assert "254712345678" not in page
    assert "254799999999" not in page


def waiting_at(site_id: str, n: int, *, paid_s: int = 120) -> list[Row]:
    """A grant that was paid so long ago and that its site has not applied."""
    name, paid_at = f"{n:032x}", NOON - timedelta(seconds=paid_s)
    return [
        a_payment(name, site_id=site_id, created_at=paid_at, settled_at=paid_at),
        a_grant(name, site_id=site_id, created_at=paid_at, started_at=None),
        SiteItemRow(site_id=site_id, key=f"grant/{name}", generation=13, body=b"x"),
    ]


async def test_those_who_wait_in_another_branch_hide_nobody_of_theirs(office: Office) -> None:
    sites = [a_site(), a_site("thika-1", branch_id="thika")]
    await office.keep(a_branch("thika"), *sites, a_plan(), a_subscriber())
    others = [row for n in range(WAITING_LINES_MAX) for row in waiting_at("estate-1", n)]
    await office.keep(*others, *waiting_at("thika-1", WAITING_LINES_MAX, paid_s=110))
    async with at_desk(office, branches=frozenset({"thika"})) as client:
        page = (await client.get("/noc")).text

    assert "1 waits for its site" in page


async def test_what_others_wrote_is_text_and_never_markup(office: Office) -> None:
    await office.keep(a_site(name=EVIL, agent_version=EVIL[:32]), a_notice(text=EVIL, code=EVIL))
    await came(office, reference=EVIL, payer_name=EVIL)
    page = await page_of(office)

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


async def until(stream: AsyncIterator[str], word: str) -> str:
    """The next message with a word; the counts beside the places come in messages of their own."""
    async with asyncio.timeout(NEWS_MAX_S):
        async for message in stream:
            if word in message:
                return message
    raise AssertionError(f"the stream ended without {word}")


async def test_the_stream_sends_every_panel_to_its_place(office: Office) -> None:
    await office.keep(*a_day())

    async with opened(office) as url:
        stream = events(office, url)
        retry = await anext(stream)
        first = await until(stream, "tiles-panel")
        await stream.aclose()

    assert retry == "retry: 2000"
    assert all(line.startswith("data: ") for line in first.splitlines())
    for name in (
        "clock",
        "tiles",
        "sites",
        "waiting",
        "unmatched",
        "sessions",
        "payments",
        "notices",
    ):
        assert f'hx-target="#{name}-panel"' in first


async def test_the_stream_brings_news(office: Office) -> None:
    await office.keep(*a_day())

    async with opened(office) as url:
        stream = events(office, url)
        await until(stream, "tiles-panel")
        await office.keep(a_payment("b" * 32, receipt="NEWRECEIPT"))
        news = await until(stream, "NEWRECEIPT")
        await stream.aclose()

    assert 'hx-target="#payments-panel"' in news
    assert 'hx-target="#waiting-panel"' not in news
