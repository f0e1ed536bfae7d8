"""What is open stands beside its place, live, and is looked for once for everybody."""

from __future__ import annotations

import re

import pytest

from controller.api.app import create_app
from controller.noc.counts import SHOWN_MAX
from controller.noc.hub import Hub
from controller.noc.live import Asked
from controller.noc.pages import exceptions
from controller.rights import Role
from tests.controller.noc.test_alert_pages import an_alert
from tests.controller.noc.test_hub import PLAIN, House
from tests.controller.noc.test_page import events
from tests.support.desk import at_desk, somebody
from tests.support.incoming import came
from tests.support.office import Office, a_plan, a_site, a_subscriber, opened


@pytest.fixture
async def estate(office: Office) -> Office:
    await office.keep(a_site(), a_plan(), a_subscriber())
    return office


async def shown(office: Office, path: str, role: Role = Role.OWNER) -> dict[str, str]:
    """What stands beside each place, by the id of its panel; without what only ears are told."""
    async with at_desk(office, role) as client:
        html = (await client.get(path)).text
    found = re.findall(r'<b class="count figure" id="([\w-]+)-panel">(.*?)</b>', html, re.DOTALL)
    return {name: re.sub("<span.*", "", text, flags=re.DOTALL).strip() for name, text in found}


async def test_what_is_open_stands_beside_its_place(estate: Office) -> None:
    quiet = await shown(estate, "/noc")
    await estate.keep(
        an_alert(estate, "1" * 32), an_alert(estate, "2" * 32, subject="x", site_id=None)
    )
    await came(estate, "SGH7", reference="nobody")
    busy = await shown(estate, "/noc/help")

    assert set(quiet.values()) == {""}
    assert (busy["count-alerts"], busy["count-exceptions"]) == ("2", "1")
    assert (busy["count-alerts-more"], busy["count-behind"]) == ("2", "3")


async def test_it_is_as_much_as_the_page_of_exceptions_says(estate: Office) -> None:
    for n in range(3):
        await came(estate, f"SGH{n}", reference="nobody")
    beside = (await shown(estate, "/noc/exceptions"))["count-exceptions"]
    asked = Asked(somebody(Role.OWNER), {}, {}, estate.clock(), estate.deps)
    board = await exceptions.look(asked)

    assert beside == f"{board.open}" == "3"


@pytest.mark.parametrize(
    ("role", "places"),
    [
        (Role.TECHNICIAN, {"count-alerts"}),
        (Role.CASHIER, set()),
        (Role.SUPPORT, {"count-alerts", "count-exceptions"}),
    ],
)
async def test_nobody_is_told_how_much_there_is_of_what_they_may_not_see(
    estate: Office, role: Role, places: set[str]
) -> None:
    beside = await shown(estate, "/noc/help", role)

    assert {name for name in beside if not name.endswith(("-more", "-behind"))} == places


async def test_a_branch_is_not_told_of_what_belongs_to_none(estate: Office) -> None:
    await estate.keep(an_alert(estate, "1" * 32, site_id=None))
    await came(estate, "SGH7", reference="nobody")
    async with at_desk(estate, Role.SUPPORT, frozenset({"thika"})) as client:
        html = (await client.get("/noc/help")).text

    assert 'id="count-alerts-panel"></b>' in html
    assert 'id="count-exceptions-panel"></b>' in html


async def test_past_so_many_it_only_says_that_there_are_more(estate: Office) -> None:
    await estate.keep(
        *(an_alert(estate, f"{n:032x}", subject=f"s{n}") for n in range(SHOWN_MAX + 2))
    )

    assert (await shown(estate, "/noc/help"))["count-alerts"] == f"{SHOWN_MAX}+"


async def test_an_open_tab_is_told_over_the_stream_that_it_has(estate: Office) -> None:
    app = create_app(estate.deps)
    async with opened(estate, app) as url:
        tab = events(estate, url)
        told = ""
        while "#count-alerts-panel" not in told:
            told = await anext(tab)
        await estate.keep(an_alert(estate, "1" * 32))
        while 'hx-target="#count-alerts-panel" hx-swap="innerMorph">1<' not in told:
            told = await anext(tab)
        viewers = app.state.hub.viewers
        await tab.aclose()

    assert viewers == 1


async def test_tabs_of_different_pages_share_one_look_at_what_is_beside() -> None:
    front, beside = House(), House(shown={"count": "3"})
    hub = Hub(signals=front.signals)
    shared = beside.subject("counts")
    async with (
        hub.watch(front.subject("a"), PLAIN, shared) as one,
        hub.watch(front.subject("b"), PLAIN, shared) as two,
    ):
        seen: list[dict[str, str]] = [{}, {}]
        for n, changes in enumerate((one, two)):
            while "count" not in seen[n] or "clock" not in seen[n]:
                seen[n] |= await anext(changes)
    await hub.close()

    assert seen[0] == seen[1] == {"clock": "en:1", "lines": "en:a", "count": "en:3"}
    assert (beside.looks, front.looks) == (1, 2)
