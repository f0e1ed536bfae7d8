"""Pages as values: who may see them, in which language, and how they share a look."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from controller.api.app import create_app
from controller.noc.navigation import PLACES, places_of
from controller.noc.pages.overview import OVERVIEW
from controller.rights import RIGHTS, Right, Role, Who
from tests.controller.noc.test_page import Loads, events
from tests.support.network import keep_network
from tests.support.office import Office, a_day, a_site, caller, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from controller.noc.live import View

OURS = {"Sec-Fetch-Site": "same-origin"}
PATHS = ("/noc", "/noc/sites", "/noc/sites/ruiru", "/noc/map", "/noc/system", "/noc/help")


@dataclass(frozen=True, slots=True)
class Browser:
    """A client with the cookies of a signed-in browser."""

    client: httpx2.AsyncClient

    async def prefers(self, **choice: str) -> httpx2.Response:
        """Choose how the dashboard is shown."""
        return await self.client.post("/noc/preferences", data=choice, headers=OURS)


@asynccontextmanager
async def a_browser(office: Office) -> AsyncIterator[Browser]:
    async with caller(office, key=None) as client:
        await client.post("/noc/login", data={"key": office.key}, headers=OURS)
        yield Browser(client)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_holds_nothing_inline_and_asks_no_other_host(
    office: Office, path: str
) -> None:
    await keep_network(office)
    async with a_browser(office) as browser:
        answer = await browser.client.get(path)
    loads = Loads(answer.text)

    assert answer.status_code == 200
    assert loads.forbidden == []
    assert all(one.startswith("/noc") for one in loads.fetched)
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_stranger_is_asked_who_he_is_and_told_nothing(office: Office, path: str) -> None:
    await keep_network(office)
    async with caller(office, key=None) as client:
        answer = await client.get(path)

    assert answer.status_code == 401
    assert "Ruiru" not in answer.text


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_there_in_swahili(office: Office, path: str) -> None:
    await keep_network(office)
    async with a_browser(office) as browser:
        await browser.prefers(language="sw")
        answer = await browser.client.get(path)

    assert '<html lang="sw"' in answer.text
    assert "Muhtasari" in answer.text


async def test_a_browser_that_asks_for_swahili_first_gets_it(office: Office) -> None:
    async with a_browser(office) as browser:
        answer = await browser.client.get("/noc", headers={"Accept-Language": "sw-KE,en;q=0.5"})

    assert '<html lang="sw"' in answer.text


async def test_covered_pages_show_no_phone_name_or_amount(office: Office) -> None:
    await keep_network(office)
    async with a_browser(office) as browser:
        shown = (await browser.client.get("/noc")).text
        await browser.prefers(redacted="1")
        covered = (await browser.client.get("/noc")).text

    for private in ("0712 ••• 678", "KES 470", "SKQ00X7PLM", "02:00:00:00:00:03"):
        assert private in shown
        assert private not in covered
    assert "07•• ••• •••" in covered


@pytest.mark.parametrize("choice", [{"language": "xx"}, {"theme": "pink"}, {"redacted": "yes"}])
async def test_a_choice_that_is_none_is_refused(office: Office, choice: dict[str, str]) -> None:
    async with a_browser(office) as browser:
        answer = await browser.prefers(**choice)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/noc/sites?state=offline", "/noc/sites?state=offline"),
        ("https://evil.example/noc", "/noc"),
        ("//evil.example/noc", "/noc"),
        ("/noc\\@evil.example", "/noc"),
        ("/nocturnal", "/noc"),
        ("/noc\r\nX: y", "/noc"),
    ],
)
async def test_a_choice_leads_back_to_a_page_of_ours_only(
    office: Office, back: str, leads_to: str
) -> None:
    async with a_browser(office) as browser:
        answer = await browser.prefers(theme="dark", back=back)

    assert answer.headers["location"] == leads_to


async def test_a_choice_from_another_site_is_refused(office: Office) -> None:
    async with a_browser(office) as browser:
        answer = await browser.client.post(
            "/noc/preferences", data={"theme": "dark"}, headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 403


async def test_what_is_not_there_is_told_on_a_page_with_a_reference(office: Office) -> None:
    async with a_browser(office) as browser:
        answer = await browser.client.get("/noc/sites/nowhere")

    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize(
    "query", ["/noc/sites?state=odd", "/noc/sites/ruiru?span=9y", "/noc/map?z=3"]
)
async def test_an_address_that_asks_for_nothing_is_refused_on_a_page(
    office: Office, query: str
) -> None:
    await keep_network(office)
    async with a_browser(office) as browser:
        answer = await browser.client.get(query)

    assert answer.status_code == 422
    assert "<html" in answer.text


async def test_an_address_that_is_too_long_is_refused(office: Office) -> None:
    async with a_browser(office) as browser:
        answer = await browser.client.get("/noc/sites", params={"q": "x" * 300})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "page", ["/noc/help", "/noc/nothing", "/api/v1/sites", "", "https://x/noc"]
)
async def test_there_is_no_stream_of_what_is_not_live(office: Office, page: str) -> None:
    async with caller(office) as client:
        answer = await client.get("/noc/events", params={"page": page})

    assert answer.status_code == 422


async def test_a_stranger_gets_no_stream(office: Office) -> None:
    async with caller(office, key=None) as client:
        answer = await client.get("/noc/events", params={"page": "/noc"})

    assert answer.status_code == 401


async def test_a_site_shows_how_many_of_its_addresses_are_given_out(office: Office) -> None:
    await keep_network(office)
    async with a_browser(office) as browser:
        told = (await browser.client.get("/noc/sites/ruiru")).text
        untold = (await browser.client.get("/noc/sites/kisumu")).text

    assert "addresses 171 of 200" in told
    assert re.search(r"addresses \d+ of", untold) is None


async def test_fifty_tabs_of_a_page_are_one_look(office: Office) -> None:
    await office.keep(*a_day())
    app = create_app(office.deps)
    hub, looks = app.state.hub, 0
    async with opened(office, app) as url:
        streams = [events(office, url) for _ in range(50)]
        await asyncio.gather(*(anext(one) for one in streams))
        await asyncio.gather(*(anext(one) for one in streams))
        looks = hub.looks
        viewers = hub.viewers
        for one in streams:
            await one.aclose()

    assert viewers == 50
    assert looks <= 2 * 2, "of the page, and of what is open beside it"


def test_a_place_shows_to_those_who_have_its_right_only() -> None:
    shown = {place.path for place in PLACES}
    cashier = Who("1", "Cashier", Role.CASHIER)

    assert {place.right for place in places_of(cashier, shown)} <= RIGHTS[Role.CASHIER]
    assert "/noc/staff" not in {place.path for place in places_of(cashier, shown)}
    assert len(places_of(Who("2", "Owner", Role.OWNER), shown)) == len(PLACES)


def test_keys_of_places_differ() -> None:
    assert len({place.keys for place in PLACES}) == len(PLACES)


def test_every_live_page_has_its_panels_where_they_are_sent(office: Office) -> None:
    app = create_app(office.deps)
    views: tuple[View, ...] = app.state.views

    assert OVERVIEW in views
    for view in views:
        assert bool(view.panels) == bool(view.every_s), view.path


async def test_a_site_is_added_placed_and_looked_at_by_forms(office: Office) -> None:
    async with a_browser(office) as browser:
        post = browser.client.post
        added = await post("/noc/sites/new", data={"name": "Ruiru", "language": "sw"}, headers=OURS)
        placed = await post(
            "/noc/sites/ruiru/place", data={"place": "-1.1489, 36.9606"}, headers=OURS
        )
        probed = await post("/noc/sites/ruiru/probes", data={"kind": "arp"}, headers=OURS)
        shown = await browser.client.get("/noc/sites/ruiru")

    assert added.headers["location"] == "/noc/sites/ruiru/joining"
    assert added.status_code == placed.status_code == probed.status_code == 303
    assert "-1.148900, 36.960600" in shown.text
    assert "under way" in shown.text


async def test_what_a_form_is_refused_is_said_once_on_the_next_page(office: Office) -> None:
    await office.keep(a_site("ruiru"))
    async with a_browser(office) as browser:
        answer = await browser.client.post(
            "/noc/sites/ruiru/place", data={"place": "over there"}, headers=OURS
        )
        told = (await browser.client.get(answer.headers["location"])).text
        later = (await browser.client.get(answer.headers["location"])).text

    assert "with coordinates" in told
    assert "with coordinates" not in later


@pytest.mark.parametrize(
    "path", ["/noc/sites/new", "/noc/sites/ruiru/place", "/noc/sites/ruiru/joining"]
)
async def test_a_form_of_another_site_does_nothing(office: Office, path: str) -> None:
    await office.keep(a_site("ruiru"))
    async with a_browser(office) as browser:
        answer = await browser.client.post(
            path, data={"id": "x", "name": "X"}, headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 403


def test_only_help_wants_no_right(office: Office) -> None:
    views = create_app(office.deps).state.views

    assert [view.path for view in views if view.right is None and view.every_s] == []
    assert OVERVIEW.right is Right.SEE_SITES
