"""What outages give back: by a rule, once for each, traceable, however often it is broken off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.charge import Mode
from billing.errors import InvalidField
from billing.money import Money
from billing.outage import CreditRule, Gives
from controller.store.alert_rows import OutageCreditRow
from controller.store.billing_rows import DocumentLineRow
from controller.store.site_rows import OutageRow
from controller.usecases import maintenance, outage_credits
from controller.usecases.areas import Area, set_upstream
from controller.usecases.crediting import credit
from controller.usecases.maintenance import Plan
from controller.usecases.outage_credits import NewRun
from tests.support.alerts import more_sites
from tests.support.builders import SITE, Killed, MortalDatabase, hex_id
from tests.support.contracts import (
    a_subscriber,
    at,
    credits_of,
    documents,
    pays,
    run_at,
    subscribed,
    wallet,
)

if TYPE_CHECKING:
    from tests.support.builders import World

HOUR_S = 3_600
ONE_DAY = CreditRule(4 * HOUR_S, Gives.DAYS, days=1)


async def outage(world: World, began: datetime, lasted_s: int) -> None:
    async with world.deps.db.begin() as tx:
        tx.add(
            OutageRow(site_id=SITE, began_at=began, ended_at=began + timedelta(seconds=lasted_s))
        )


async def served(world: World, name: str = "amina") -> str:
    """Somebody who paid for September; 2,500 shillings for thirty days."""
    subscriber = await a_subscriber(world, name)
    await subscribed(world, subscriber, Mode.ADVANCE)
    return subscriber


def a_run(name: str = "september", *, rule: CreditRule = ONE_DAY) -> NewRun:
    return NewRun(hex_id(name), Area(), at("2027-09-01"), at("2027-10-01"), rule)


async def kept(world: World) -> list[OutageCreditRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(OutageCreditRow).order_by(OutageCreditRow.began_at)))


@pytest.fixture
async def dark(shop: World) -> World:
    """A site that was out for three hours, and for two, in September; it is October."""
    await outage(shop, at("2027-09-10", "18:00"), 3 * HOUR_S)
    await outage(shop, at("2027-09-20", "18:00"), 2 * HOUR_S)
    return shop


async def test_outages_of_a_period_are_summed_and_credited_once(dark: World) -> None:
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    seen = await outage_credits.preview(dark.deps, a_run())
    before = await credits_of(dark, subscriber)
    await outage_credits.run(dark.deps, a_run(), who="njeri")
    await outage_credits.run(dark.deps, a_run(), who="njeri")
    after = await credits_of(dark, subscriber)
    async with dark.deps.db.read() as tx:
        texts = set(await tx.scalars(select(DocumentLineRow.text)))
    (text,) = (one for one in texts if "outage" in one)

    assert (seen.outages, len(seen.credits), before) == (2, 1, [])
    assert [abs(one) for one in after] == [seen.total_minor]
    assert "outage at kahawa from 2027-09-10" in text
    assert [row.lasted_s for row in await kept(dark)] == [3 * HOUR_S, 2 * HOUR_S]
    assert all(row.done_at is not None for row in await kept(dark))


async def test_a_run_that_is_asked_for_twice_at_once_gives_once(dark: World) -> None:
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    seen = await outage_credits.preview(dark.deps, a_run())
    made = await asyncio.gather(*(outage_credits.run(dark.deps, a_run()) for _ in range(3)))

    assert len({one.id for one in made}) == 1
    assert [abs(one) for one in await credits_of(dark, subscriber)] == [seen.total_minor]


async def test_another_run_over_the_same_days_gives_nothing(dark: World) -> None:
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    await outage_credits.run(dark.deps, a_run())
    given = await credits_of(dark, subscriber)
    await outage_credits.run(dark.deps, a_run("again"))

    assert await credits_of(dark, subscriber) == given
    assert (await outage_credits.preview(dark.deps, a_run("third"))).credits == ()


async def test_as_much_as_the_rule_suffers_gives_nothing(dark: World) -> None:
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    rule = replace(ONE_DAY, more_than_s=5 * HOUR_S)
    await outage_credits.run(dark.deps, a_run(rule=rule))

    assert await credits_of(dark, subscriber) == []


async def test_time_of_maintenance_does_not_count(shop: World) -> None:
    await served(shop)
    start = at("2027-09-10", "18:00")
    new = Plan(Area(SITE), start, start + timedelta(hours=3), "New mast.")
    await maintenance.plan(shop.deps, new)
    await outage(shop, start, 5 * HOUR_S)
    await run_at(shop, "2027-10-02")
    without = await outage_credits.preview(shop.deps, a_run())
    share = await outage_credits.preview(shop.deps, a_run(rule=CreditRule(0, Gives.SHARE)))

    assert without.credits == ()
    assert [one.lost_s for one in share.credits] == [2 * HOUR_S]


async def test_staff_of_a_branch_see_no_credit_behind_their_site_in_another(dark: World) -> None:
    (hub,) = await more_sites(dark, "hub")
    await set_upstream(dark.deps, SITE, hub)
    await served(dark)
    await run_at(dark, "2027-10-02")
    new = replace(a_run(), area=Area(hub))
    of_all = await outage_credits.preview(dark.deps, new)
    of_thika = await outage_credits.preview(dark.deps, new, branches=frozenset({"thika"}))

    assert (of_all.outages, of_thika.outages, of_thika.credits) == (2, 0, ())


async def test_work_that_was_planned_while_it_was_out_counts_only_from_then(shop: World) -> None:
    await served(shop)
    start = at("2027-09-10", "18:00")
    shop.clock.to(start + timedelta(minutes=4))
    await maintenance.plan(shop.deps, Plan(Area(SITE), start, start + timedelta(hours=3), "Mast."))
    await outage(shop, start, 5 * HOUR_S)
    await run_at(shop, "2027-10-02")
    share = await outage_credits.preview(shop.deps, a_run(rule=CreditRule(0, Gives.SHARE)))

    assert [one.lost_s for one in share.credits] == [2 * HOUR_S + 4 * 60]


async def test_what_had_been_paid_comes_back_to_the_wallet(dark: World) -> None:
    subscriber = await served(dark)
    await pays(dark, subscriber, 10_000)
    await run_at(dark, "2027-10-02")
    before = await wallet(dark, subscriber)
    rule = CreditRule(HOUR_S, Gives.AMOUNT, amount=Money(150_00))
    await outage_credits.run(dark.deps, a_run(rule=rule))

    assert await wallet(dark, subscriber) - before == 150_00


async def test_who_came_after_the_outage_gets_nothing(dark: World) -> None:
    dark.clock.to(at("2027-09-25"))
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    await outage_credits.run(dark.deps, a_run())

    assert await credits_of(dark, subscriber) == []


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
async def test_broken_off_anywhere_it_gives_everybody_the_same_once(
    dark: World, db_url: str, nth: int, moment: str
) -> None:
    names = [await served(dark, name) for name in ("amina", "baraka")]
    await run_at(dark, "2027-10-02")
    seen = await outage_credits.preview(dark.deps, a_run())
    mortal = MortalDatabase(db_url, nth=nth, moment=moment)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await outage_credits.run(dark.on(mortal).deps, a_run())
    await mortal.close()
    await outage_credits.book_due(dark.deps)
    await outage_credits.run(dark.deps, a_run())
    given = [sum(abs(one) for one in await credits_of(dark, name)) for name in names]

    assert sum(given) == seen.total_minor
    assert given[0] == given[1]
    assert sum(row.amount_minor for row in await kept(dark)) == seen.total_minor


async def test_no_more_is_given_than_the_invoice_has_left(dark: World) -> None:
    subscriber = await served(dark)
    await run_at(dark, "2027-10-02")
    seen = await outage_credits.preview(dark.deps, a_run())
    for document in await documents(dark, subscriber):
        if document.kind == "invoice" and document.id == seen.credits[0].of.document_id:
            left = Money(document.total_minor - 1_00)
            await credit(
                dark.deps, document.id, amount=left, reason="kind", idempotent=hex_id("kind")
            )
    await outage_credits.run(dark.deps, a_run())

    assert [row.amount_minor for row in await kept(dark)] == [1_00, 0]


async def test_another_rule_under_the_same_id_is_refused(dark: World) -> None:
    dark.clock.to(at("2027-10-02"))
    await outage_credits.run(dark.deps, a_run())
    with pytest.raises(outage_credits.CreditRunDiffers):
        await outage_credits.run(dark.deps, a_run(rule=CreditRule(0, Gives.SHARE)))
    with pytest.raises(InvalidField, match="until_at"):
        await outage_credits.preview(dark.deps, replace(a_run(), until_at=at("2027-12-01")))
