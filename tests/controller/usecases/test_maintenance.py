"""Time given to work: alerts are held, customers are told once, and it can be called off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.charge import Mode
from billing.errors import InvalidField
from controller.store import maintenance as store
from controller.store.rows import SubscriberRow
from controller.store.site_rows import SiteRow
from controller.usecases import alerts, areas, maintenance, messages
from controller.usecases.areas import Area
from controller.usecases.maintenance import Message, Plan
from controller.usecases.sites import SiteUnknown
from tests.support.alerts import DESK, hear, history, more_sites, opened, pass_by, route, send
from tests.support.builders import SITE, Killed, MortalDatabase, hex_id
from tests.support.contracts import a_subscriber, pays, subscribed
from tests.support.desk import a_branch

if TYPE_CHECKING:
    from tests.support.builders import World

HERE = Area(SITE)


def a_plan(world: World, *, in_s: int = 0, lasts_s: int = 3_600, area: Area = HERE) -> Plan:
    start = world.clock() + timedelta(seconds=in_s)
    return Plan(area, start, start + timedelta(seconds=lasts_s), "New mast.", "Mlingoti mpya.")


async def town(world: World, count: int, *, swahili: int = 0) -> list[str]:
    """So many subscribers with a line at the site."""
    names = []
    for n in range(count):
        name = await a_subscriber(world, f"amina{n:03d}")
        await subscribed(world, name, Mode.PREPAID)
        names.append(name)
    async with world.deps.db.begin() as tx:
        for name in names[:swahili]:
            (await tx.get_one(SubscriberRow, name)).language = "sw"
    return names


async def test_what_falls_silent_during_work_is_told_when_the_work_is_over(shop: World) -> None:
    await hear(shop)
    await alerts.look(shop.deps)
    await route(shop)
    await maintenance.plan(shop.deps, a_plan(shop, lasts_s=300), who="njeri")
    await pass_by(shop, 295)
    await send(shop)
    (row,) = await opened(shop)
    during = len(shop.sms.to(DESK))
    await pass_by(shop, 70)
    await send(shop)

    assert (during, row.held_by[:7]) == (0, "window:")
    assert len(shop.sms.to(DESK)) == 1
    assert sorted(await history(shop)) == ["freed", "held", "raised", "worse"]


async def test_work_on_an_upstream_holds_the_alerts_of_those_behind(shop: World) -> None:
    (behind,) = await more_sites(shop, "ruiru", behind=SITE)
    await hear(shop, SITE, behind)
    await alerts.look(shop.deps)
    await maintenance.plan(shop.deps, a_plan(shop))
    await pass_by(shop, 70, SITE)
    (row,) = await opened(shop)

    assert row.site_id == behind
    assert row.held_by.startswith("window:")


async def test_work_on_a_branch_or_on_everything_covers_its_sites(shop: World) -> None:
    for area in (Area(branch_id="main"), Area()):
        row = await maintenance.plan(shop.deps, a_plan(shop, area=area))
        await hear(shop)
        await pass_by(shop, 125)
        assert {one.held_by for one in await opened(shop)} == {f"window:{row.id}"}
        await maintenance.end(shop.deps, row.id)
        await pass_by(shop, 130, SITE)
        assert await opened(shop) == []


async def test_the_same_plan_again_is_planned_once_and_another_is_refused(shop: World) -> None:
    new = replace(a_plan(shop), id=hex_id("mast"))
    first = await maintenance.plan(shop.deps, new)
    again = await maintenance.plan(shop.deps, new)

    assert first.id == again.id == hex_id("mast")
    with pytest.raises(maintenance.MaintenanceDiffers):
        await maintenance.plan(shop.deps, replace(new, text_en="Another."))


async def test_what_is_asked_for_twice_at_once_is_done_once(shop: World) -> None:
    new = replace(a_plan(shop, in_s=3_600), id=hex_id("mast"), tell_before_s=600)
    said = Message(HERE, "No light.", "Hakuna umeme.", id=hex_id("light"))
    windows = await asyncio.gather(*(maintenance.plan(shop.deps, new) for _ in range(4)))
    messages = await asyncio.gather(*(maintenance.tell_area(shop.deps, said) for _ in range(4)))

    assert {one.id for one in windows} == {hex_id("mast")}
    assert {(one.id, one.messages) for one in messages} == {(hex_id("light"), 0)}
    async with shop.deps.db.read() as tx:
        assert len(await store.notices_of(tx, hex_id("mast"))) == 1


async def test_customers_are_told_beforehand_each_in_their_language(shop: World) -> None:
    await town(shop, 3, swahili=1)
    new = replace(a_plan(shop, in_s=7_200), tell_before_s=3_600)
    seen = await maintenance.preview(shop.deps, new)
    await maintenance.plan(shop.deps, new)
    early = await maintenance.tell_due(shop.deps)
    shop.clock.advance(3_600)
    late = [await maintenance.tell_due(shop.deps), await maintenance.tell_due(shop.deps)]
    await messages.send_due(shop.deps)
    texts = sorted(one.text for one in shop.sms.taken)

    assert (seen.messages, seen.parts, early, late) == (3, 3, 0, [3, 0])
    assert texts == [
        "Lango: Kahawa West: matengenezo ya mtandao 01 Sep 14:00-15:00. Mlingoti mpya.",
        *["Lango: Kahawa West: work on the network 01 Sep 14:00-15:00. New mast."] * 2,
    ]


async def test_a_preview_says_what_it_costs_by_what_the_last_message_cost(shop: World) -> None:
    await town(shop, 4)
    before = await maintenance.preview(shop.deps, Message(HERE, "x" * 200))
    await maintenance.tell_area(shop.deps, Message(HERE, "Internet is back."))
    await maintenance.tell_due(shop.deps)
    await messages.send_due(shop.deps)
    after = await maintenance.preview(shop.deps, Message(HERE, "x" * 200))

    assert (before.messages, before.parts, before.cost_e4) == (4, 8, None)
    assert (after.parts, after.cost_e4) == (8, 8 * 8_000)


async def test_work_that_is_called_off_is_told_nobody(shop: World) -> None:
    await town(shop, 2)
    row = await maintenance.plan(shop.deps, replace(a_plan(shop, in_s=7_200), tell_before_s=3_600))
    await maintenance.end(shop.deps, row.id)
    shop.clock.advance(7_200)

    assert await maintenance.tell_due(shop.deps) == 0
    with pytest.raises(maintenance.MaintenanceUnknown):
        await maintenance.end(shop.deps, "none")


async def test_those_behind_a_site_are_told_with_it_and_no_others(shop: World) -> None:
    behind, _ = [*await more_sites(shop, "ruiru", behind=SITE), *await more_sites(shop, "thika")]
    await town(shop, 1)
    of_all = await maintenance.preview(shop.deps, Message(Area(), "Hello."))
    here = await maintenance.preview(shop.deps, Message(HERE, "Hello."))
    there = await maintenance.preview(shop.deps, Message(Area(behind), "Hello."))

    assert (of_all.messages, here.messages, there.messages) == (1, 1, 0)


async def test_staff_of_a_branch_write_to_nobody_behind_their_site_in_another(
    shop: World,
) -> None:
    """The site that others are reached through is in Thika; those are served from ``main``."""
    (hub,) = await more_sites(shop, "hub")
    await areas.set_upstream(shop.deps, SITE, hub)
    async with shop.deps.db.begin() as tx:
        tx.add(a_branch("thika"))
        await tx.flush()
        (await tx.get_one(SiteRow, hub)).branch_id = "thika"
    await town(shop, 2)
    thika, message = frozenset({"thika"}), Message(Area(hub), "Internet is back.")
    seen = await maintenance.preview(shop.deps, message, branches=thika)
    await maintenance.tell_area(shop.deps, message, branches=thika)
    new = replace(a_plan(shop, area=Area(hub)), tell_before_s=3_600)
    await maintenance.plan(shop.deps, new, branches=thika)
    of_thika = await maintenance.tell_due(shop.deps)
    await maintenance.tell_area(shop.deps, message)

    assert (seen.messages, of_thika, await maintenance.tell_due(shop.deps)) == (0, 0, 2)


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_each_customer_is_told_once_however_often_it_is_broken_off(
    shop: World, db_url: str, nth: int, moment: str
) -> None:
    await town(shop, 3)
    await maintenance.tell_area(shop.deps, Message(HERE, "Internet is back."))
    mortal = MortalDatabase(db_url, nth=nth, moment=moment)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await maintenance.tell_due(shop.on(mortal).deps)
    await mortal.close()
    await maintenance.tell_due(shop.deps)
    await messages.send_due(shop.deps)

    assert sorted(one.msisdn for one in shop.sms.taken) == sorted(
        {one.msisdn for one in shop.sms.taken}
    )
    assert len(shop.sms.taken) == 3


async def test_a_telling_can_be_stopped(shop: World) -> None:
    await town(shop, 2)
    row = await maintenance.tell_area(shop.deps, Message(HERE, "Internet is back."))
    await maintenance.stop_telling(shop.deps, row.id)

    assert await maintenance.tell_due(shop.deps) == 0
    with pytest.raises(maintenance.NoticeUnknown):
        await maintenance.stop_telling(shop.deps, "none")


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("until_at", {"lasts_s": 0}),
        ("until_at", {"lasts_s": 15 * 86_400}),
        ("from_at", {"in_s": 400 * 86_400}),
        ("from_at", {"in_s": -301, "lasts_s": 3_600}),
    ],
)
async def test_a_window_that_cannot_be_is_refused(
    shop: World, field: str, told: dict[str, int]
) -> None:
    new = a_plan(shop, in_s=told.get("in_s", 0), lasts_s=told.get("lasts_s", 60))
    with pytest.raises(InvalidField, match=field):
        await maintenance.plan(shop.deps, new)


async def test_a_window_that_began_long_ago_is_refused_but_not_asking_for_it_again(
    shop: World,
) -> None:
    new = replace(a_plan(shop, in_s=-300), id=hex_id("mast"))
    first = await maintenance.plan(shop.deps, new)
    shop.clock.advance(60)
    again = await maintenance.plan(shop.deps, new)

    assert again.id == first.id
    with pytest.raises(InvalidField, match="from_at"):
        await maintenance.preview(shop.deps, new)


async def test_a_site_cannot_be_reached_through_itself(shop: World) -> None:
    first, second = await more_sites(shop, "ruiru", "thika", behind=SITE)
    for parent in (second, first, SITE):
        with pytest.raises(InvalidField, match="parent_id"):
            await areas.set_upstream(shop.deps, SITE, parent)
    with pytest.raises(InvalidField, match="parent_id"):
        await areas.set_upstream(shop.deps, SITE, "nowhere")
    with pytest.raises(SiteUnknown):
        await areas.set_upstream(shop.deps, "nowhere", None)  # type: ignore[arg-type]
    await areas.set_upstream(shop.deps, first, None)
    await areas.set_upstream(shop.deps, SITE, second)
    await pays(shop, await a_subscriber(shop), 10)
