"""A running subscription is served elsewhere, and by other devices; its grant follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.charge import Mode
from billing.errors import InvalidField, SubscriptionEnded
from billing.ids import SiteId
from controller.store.site_rows import SiteItemRow
from controller.usecases.placement import place
from controller.usecases.sites import NewSite, add_site
from controller.usecases.subscriptions import SubscriptionUnknown, end
from tests.support.builders import MAC, SITE
from tests.support.contracts import (
    FIBRE,
    a_subscriber,
    grants_of,
    invoices,
    run_at,
    subscribed,
    subscription,
    the_grant,
)

if TYPE_CHECKING:
    from tests.support.builders import World

OTHER = "02:00:00:00:00:0b"
RUIRU = SiteId("ruiru")


async def told(world: World, site_id: str, grant_id: str) -> bytes | None:
    """What a site is told of a grant."""
    async with world.deps.db.read() as tx:
        row = await tx.get(SiteItemRow, (site_id, f"grant/{grant_id}"))
        return None if row is None else row.body


async def second_site(world: World) -> None:
    await add_site(world.deps, NewSite(RUIRU, "Ruiru", "Lango Net", "0700 000 000"))


async def test_other_devices_may_use_the_running_grant_at_once_and_the_next_ones(
    shop: World,
) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    before = await the_grant(shop, line)
    await place(shop.deps, line, devices=(OTHER, OTHER))
    now = await the_grant(shop, line)
    body = await told(shop, SITE, now.id)
    await run_at(shop, "2027-10-01")
    later = await the_grant(shop, line)

    assert (before.devices, now.devices, later.devices) == (MAC, OTHER, OTHER)
    assert now.id == before.id != later.id
    assert body is not None
    assert OTHER.encode() in body or bytes.fromhex(OTHER.replace(":", "")) in body


async def test_the_running_grant_is_brought_to_the_new_site_and_the_next_is_given_there(
    shop: World,
) -> None:
    await second_site(shop)
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    running = await the_grant(shop, line)
    await place(shop.deps, line, site_id=RUIRU)
    await place(shop.deps, line, site_id=RUIRU)
    here, there = await told(shop, SITE, running.id), await told(shop, RUIRU, running.id)
    same = await the_grant(shop, line)
    await run_at(shop, "2027-10-01")
    later = await the_grant(shop, line)

    assert same.id == running.id
    assert here is not None
    assert there is not None
    assert await told(shop, RUIRU, running.id) is await told(shop, SITE, running.id) is None
    assert (later.site_id, len(await grants_of(shop, amina))) == (RUIRU, 2)
    assert await told(shop, SITE, later.id) is None
    assert len(await invoices(shop, amina)) == 2


async def test_what_is_not_said_stays(shop: World) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    await place(shop.deps, line)

    row = await subscription(shop, line)
    assert (row.site_id, row.devices, row.plan_id) == (SITE, MAC, FIBRE)


async def test_one_that_waits_for_money_is_served_at_its_new_site_later(shop: World) -> None:
    await second_site(shop)
    line = await subscribed(shop, await a_subscriber(shop), Mode.PREPAID)
    await place(shop.deps, line, site_id=RUIRU, devices=())

    row = await subscription(shop, line)
    assert (row.site_id, row.devices, row.hold) == (RUIRU, "", "unpaid")


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("site_id", {"site_id": "nowhere"}),
        ("devices", {"devices": ("zz",)}),
        ("devices", {"devices": ("01:00:5e:00:00:01",)}),
    ],
)
async def test_places_that_cannot_be_are_refused_by_field(
    shop: World, field: str, asked: dict[str, Any]
) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    with pytest.raises(InvalidField) as refusal:
        await place(shop.deps, line, **asked)

    row = await subscription(shop, line)
    assert refusal.value.field == field
    assert (row.site_id, row.devices) == (SITE, MAC)


async def test_what_has_ended_or_never_was_has_no_place(shop: World) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    await end(shop.deps, line)

    with pytest.raises(SubscriptionEnded):
        await place(shop.deps, line, devices=())
    with pytest.raises(SubscriptionUnknown):
        await place(shop.deps, "0" * 32, devices=())
