"""Devices that are blocked: what sites are told, and by whom and why it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from wirepb.v1 import desired_pb2 as pb

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.rights import Role, Who
from controller.store import items, people
from controller.usecases.blocking import block, unblock
from controller.usecases.sites import NewSite, add_site
from tests.support.builders import MAC, OTHER_MAC, SITE

if TYPE_CHECKING:
    from tests.support.builders import World

WHO = Who("w", "Wanjiru", Role.TECHNICIAN)
THERE = SiteId("ruiru")


async def told(world: World, site_id: SiteId = SITE) -> list[str]:
    async with world.deps.db.read() as tx:
        body = (await items.bodies(tx, "blocked", [site_id])).get(site_id)
    return [] if body is None else list(pb.ItemBody.FromString(body).blocked.devices)


async def test_a_device_is_blocked_at_its_site_and_let_in_again(world: World) -> None:
    await block(world.deps, WHO, MAC, site_id=SITE, reason="spoofs the gateway")
    first = await told(world)
    await block(world.deps, WHO, MAC, site_id=SITE, reason="once more")
    async with world.deps.db.read() as tx:
        (row,) = await people.blocks_of(tx, MAC)
    gone = await unblock(world.deps, MAC, site_id=SITE)

    assert first == [MAC]
    assert (row.staff_name, row.reason) == ("Wanjiru", "spoofs the gateway")
    assert gone
    assert await told(world) == []
    assert not await unblock(world.deps, MAC, site_id=SITE)


async def test_who_is_blocked_everywhere_is_blocked_at_sites_to_come(world: World) -> None:
    await block(world.deps, WHO, MAC, reason="stolen")
    await block(world.deps, WHO, OTHER_MAC, site_id=SITE, reason="loud")
    await add_site(world.deps, NewSite(THERE, "Ruiru", "Lango Net", "0700 000 000"))

    assert await told(world) == [MAC, OTHER_MAC]
    assert await told(world, THERE) == [MAC]


@pytest.mark.parametrize(
    ("mac", "site", "reason", "field"),
    [
        ("aa-bb", SITE, "x", "device_mac"),
        (MAC, SiteId("nowhere"), "x", "site_id"),
        (MAC, SITE, "  ", "reason"),
        (MAC, SITE, "a\nb", "reason"),
    ],
)
async def test_what_cannot_be_blocked_is_refused_by_name(
    world: World, mac: str, site: SiteId, reason: str, field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        await block(world.deps, WHO, mac, site_id=site, reason=reason)

    assert refused.value.field == field
