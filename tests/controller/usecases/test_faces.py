"""What a site tells its customers of the operator, and of work to come, as its agent reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent.model import Logo, Works
from agent.wire import parse_item
from billing.errors import InvalidField
from controller.store import items, operators
from controller.usecases import maintenance, works
from controller.usecases.areas import Area
from controller.usecases.faces import tell_all
from controller.usecases.maintenance import Plan
from controller.usecases.operators import (
    OperatorChange,
    change_operator,
    draft_logo,
    set_logo,
)
from controller.usecases.sites import NewSite, add_site
from portal.captive.gate import SiteFace
from tests.controller.test_png import a_png, with_part
from tests.support.alerts import more_sites
from tests.support.builders import OTHER_SITE, SITE

if TYPE_CHECKING:
    from billing.ids import SiteId
    from tests.support.builders import World


async def told(world: World, key: str, site_id: SiteId = SITE) -> object:
    """What the site's agent makes of an item; None when there is none."""
    async with world.deps.db.read() as tx:
        body = (await items.bodies(tx, key, [site_id])).get(site_id)
    return None if body is None else parse_item(key, body)


async def face(world: World, site_id: SiteId = SITE) -> SiteFace:
    found = await told(world, "site", site_id)
    assert isinstance(found, SiteFace)
    return found


async def a_site(world: World, **said: str) -> None:
    settings = world.deps.settings.operator
    unsaid = {"operator_name": settings.name, "help_phone": settings.help_phone}
    told = {"language": "en", **unsaid, **said}
    name, phone, language = told["operator_name"], told["help_phone"], told["language"]
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", name, phone, language))


def a_plan(world: World, *, area: Area | None = None, in_s: int = 3_600) -> Plan:
    start = world.clock() + timedelta(seconds=in_s)
    return Plan(
        area or Area(SITE), start, start + timedelta(hours=2), "New mast.", "Mlingoti mpya."
    )


SEEN = OperatorChange(
    name="Kahawa Net", colour="#aa00ff", support_phone="0712345678", languages="sw,en"
)


async def test_a_site_that_says_nothing_of_its_own_follows_the_operator(world: World) -> None:
    await a_site(world)
    with world.deps.signals.listen(f"site:{OTHER_SITE}") as news:
        news.clear()
        await change_operator(world.deps, SEEN)

        assert news.is_set()
    assert await face(world, OTHER_SITE) == SiteFace(
        "Kahawa Net",
        "Ruiru",
        "0712 345 678",
        "sw",
        world.deps.wallets,
        colour="#aa00ff",
        languages=("sw", "en"),
    )


async def test_what_a_site_says_of_its_own_stays(world: World) -> None:
    await a_site(world, operator_name="Ruiru Wi-Fi", help_phone="0722 000 001", language="sw")
    await change_operator(world.deps, replace(SEEN, languages="en,sw"))
    found = await face(world, OTHER_SITE)

    assert (found.operator_name, found.help_phone) == ("Ruiru Wi-Fi", "0722 000 001")
    assert (found.language, found.colour) == ("sw", "#aa00ff")


async def test_a_language_that_is_not_offered_is_nobodys_default(world: World) -> None:
    await a_site(world, language="sw")
    await change_operator(world.deps, OperatorChange(languages="en"))
    found = await face(world, OTHER_SITE)

    assert (found.language, found.languages) == ("en", ("en",))


@pytest.mark.parametrize("noise", [False, True])
async def test_a_logo_reaches_the_portal_made_small_and_goes_again(
    world: World, *, noise: bool
) -> None:
    await set_logo(world.deps, a_png(noise=noise))
    shown = await told(world, "logo")
    await set_logo(world.deps, None)

    assert isinstance(shown, Logo)
    assert len(shown.name) == 16
    assert await told(world, "logo") is None


async def test_a_new_site_has_the_operators_looks_at_once(world: World) -> None:
    await change_operator(world.deps, SEEN)
    await set_logo(world.deps, a_png())
    await a_site(world)

    assert (await face(world, OTHER_SITE)).colour == "#aa00ff"
    assert isinstance(await told(world, "logo", OTHER_SITE), Logo)


async def test_planned_work_is_told_where_it_is_and_behind_it(world: World) -> None:
    (behind,) = await more_sites(world, "ruiru", behind=SITE)
    (elsewhere,) = await more_sites(world, "thika")
    row = await maintenance.plan(world.deps, a_plan(world))
    there = await told(world, "works")

    assert isinstance(there, Works)
    assert [(one.from_at, one.text_sw) for one in there.works] == [(row.from_at, "Mlingoti mpya.")]
    assert await told(world, "works", behind) == there
    assert await told(world, "works", elsewhere) is None


async def test_work_that_is_called_off_is_not_announced_any_more(world: World) -> None:
    row = await maintenance.plan(world.deps, a_plan(world))
    await maintenance.end(world.deps, row.id)

    assert await told(world, "works") is None


@pytest.mark.parametrize("late", [timedelta(hours=2), timedelta(hours=4)])
async def test_what_is_over_is_taken_away_by_itself(world: World, late: timedelta) -> None:
    await maintenance.plan(world.deps, a_plan(world))
    during = await works.tell_due(world.deps)
    world.clock.to(world.clock() + late)
    after = await works.tell_due(world.deps)

    assert (during, after) == (0, 1 if late > timedelta(hours=3) else 0)


NONSENSE = with_part(b"pHYs", b"-")
"""Whole, and nothing that a printer or a browser could show."""


async def test_a_picture_that_cannot_be_read_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="cannot be read"):
        await set_logo(world.deps, NONSENSE)
    with pytest.raises(InvalidField, match="cannot be read"):
        await draft_logo(world.deps, NONSENSE)


async def test_a_picture_of_before_that_cannot_be_read_keeps_no_controller_from_starting(
    world: World,
) -> None:
    async with world.deps.db.begin() as tx:
        (await operators.operator_locked(tx)).logo = NONSENSE

    await tell_all(world.deps)

    assert (await face(world)).logo == ""
