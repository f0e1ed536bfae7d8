"""Pools, the garden and probes: what staff say becomes what a site is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from wirepb.v1 import desired_pb2 as pb

from billing.errors import InvalidField
from billing.ids import GrantId, PlanId, SiteId
from controller.records import ProbeResult
from controller.store.site_rows import ProbeRow, SiteItemRow
from controller.usecases import garden, pools, probes
from controller.usecases.grants import give
from controller.usecases.ingest import ingest
from controller.usecases.plans import PlanDiffers, add_plan
from controller.usecases.pools import PoolExists, PoolHasParts, PoolUnknown, SharedRate
from controller.usecases.probes import ProbeUnderWay
from controller.usecases.sites import NewSite, SiteUnknown, add_site
from tests.support.builders import MAC, OTHER_SITE, SITE, a_batch, a_plan, a_record

if TYPE_CHECKING:
    from tests.support.builders import World


async def told(world: World, key: str, site_id: SiteId = SITE) -> pb.ItemBody | None:
    """What stands at a key of a site's desired state."""
    async with world.deps.db.read() as tx:
        row = await tx.get(SiteItemRow, (site_id, key))
    return None if row is None or row.body is None else pb.ItemBody.FromString(row.body)


def a_pool(pool_id: str = "mast", **changed: Any) -> SharedRate:
    """50 Mbit/s down and 20 up."""
    usual = {"name": pool_id, "down_bps": 50_000_000, "up_bps": 20_000_000}
    return SharedRate(id=pool_id, **{**usual, **changed})


async def with_other_site(world: World) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango"))


async def test_a_pool_is_told_to_its_site(world: World) -> None:
    await pools.add_pool(world.deps, SITE, a_pool())
    await pools.add_pool(world.deps, SITE, a_pool("ap1", parent_id="mast", ports=("eth1",)))
    body = await told(world, "pool/ap1")

    assert body is not None
    assert (body.pool.parent_id, list(body.pool.ports)) == ("mast", ["eth1"])
    assert (body.pool.down_bps, body.pool.up_bps) == (50_000_000, 20_000_000)


async def test_the_same_pool_again_changes_nothing_and_another_is_refused(world: World) -> None:
    await pools.add_pool(world.deps, SITE, a_pool())
    await pools.add_pool(world.deps, SITE, a_pool())

    with pytest.raises(PoolExists):
        await pools.add_pool(world.deps, SITE, a_pool(down_bps=1_000_000))


async def test_a_pool_is_set_and_removed(world: World) -> None:
    await pools.add_pool(world.deps, SITE, a_pool())
    await pools.set_pool(world.deps, SITE, a_pool(down_bps=30_000_000))
    body = await told(world, "pool/mast")
    await pools.remove_pool(world.deps, SITE, "mast")
    await pools.remove_pool(world.deps, SITE, "mast")

    assert body is not None
    assert body.pool.down_bps == 30_000_000
    assert await told(world, "pool/mast") is None
    with pytest.raises(PoolUnknown):
        await pools.set_pool(world.deps, SITE, a_pool())


async def test_a_pool_with_parts_stays(world: World) -> None:
    await pools.add_pool(world.deps, SITE, a_pool())
    await pools.add_pool(world.deps, SITE, a_pool("ap1", parent_id="mast"))

    with pytest.raises(PoolHasParts, match="ap1"):
        await pools.remove_pool(world.deps, SITE, "mast")


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("id", {"pool_id": "Mast 1"}),
        ("name", {"name": " "}),
        ("down_bps", {"down_bps": 0}),
        ("up_bps", {"up_bps": 10**12}),
        ("ports", {"ports": ("eth 1",)}),
        ("ports", {"ports": ("eth1", "eth1")}),
        ("ports", {"ports": ("taken",)}),
        ("parent_id", {"parent_id": "nowhere"}),
        ("parent_id", {"parent_id": "ap9"}),
    ],
)
async def test_a_bad_pool_is_refused_by_its_field(
    world: World, field: str, changed: dict[str, Any]
) -> None:
    await pools.add_pool(world.deps, SITE, a_pool("held", ports=("taken",)))

    with pytest.raises(InvalidField) as refused:
        await pools.add_pool(world.deps, SITE, a_pool(**{"pool_id": "ap9", **changed}))
    assert refused.value.field == field


async def test_a_ring_and_a_sixth_floor_are_refused(world: World) -> None:
    names = ["p1", "p2", "p3", "p4", "p5", "p6"]
    for parent, name in zip(["", *names], names[:5], strict=False):
        await pools.add_pool(world.deps, SITE, a_pool(name, parent_id=parent))

    with pytest.raises(InvalidField, match="part of p1 already") as ring:
        await pools.set_pool(world.deps, SITE, a_pool("p1", parent_id="p3"))
    with pytest.raises(InvalidField, match="at most 5 deep") as deep:
        await pools.add_pool(world.deps, SITE, a_pool("p6", parent_id="p5"))
    assert {ring.value.field, deep.value.field} == {"parent_id"}


async def test_pools_moved_below_each_other_at_once_make_no_ring(world: World) -> None:
    for name in ("a", "b"):
        await pools.add_pool(world.deps, SITE, a_pool(name))
    done = await asyncio.gather(
        pools.set_pool(world.deps, SITE, a_pool("a", parent_id="b")),
        pools.set_pool(world.deps, SITE, a_pool("b", parent_id="a")),
        return_exceptions=True,
    )

    assert sum(isinstance(one, InvalidField) for one in done) == 1


async def test_a_plan_may_name_a_pool_and_its_grants_carry_it(world: World) -> None:
    plan = a_plan("pooled")
    pooled = type(plan)(plan.id, plan.name, plan.price, plan.limits, pool_id="mast")
    await add_plan(world.deps, pooled)
    given = await give(world.deps, SITE, plan_id=PlanId("pooled"), device_mac=MAC)
    body = await told(world, f"grant/{GrantId(given)}")

    assert body is not None
    assert body.grant.pool_id == "mast"
    with pytest.raises(PlanDiffers):
        await add_plan(world.deps, plan)


async def test_the_garden_of_all_sites_is_that_of_a_new_site_too(world: World) -> None:
    await garden.add_entry(world.deps, garden.entry("Bank.Example."))
    await garden.add_entry(world.deps, garden.entry("192.0.2.0/24"), SITE)
    await with_other_site(world)
    here, there = await told(world, "garden"), await told(world, "garden", OTHER_SITE)

    assert here is not None
    assert there is not None
    assert (list(here.garden.names), list(here.garden.networks)) == (
        ["bank.example"],
        ["192.0.2.0/24"],
    )
    assert (list(there.garden.names), list(there.garden.networks)) == (["bank.example"], [])


async def test_an_entry_is_removed_where_it_was_added(world: World) -> None:
    one = garden.entry("bank.example")
    await garden.add_entry(world.deps, one)
    await garden.add_entry(world.deps, one, SITE)

    assert await garden.remove_entry(world.deps, one) is True
    assert await told(world, "garden") is not None
    assert await garden.remove_entry(world.deps, one, SITE) is True
    assert await told(world, "garden") is None
    assert await garden.remove_entry(world.deps, one, SITE) is False


async def test_entries_added_at_once_are_all_told(world: World) -> None:
    names = [f"n{n}.example" for n in range(6)]
    await asyncio.gather(
        *(
            garden.add_entry(world.deps, garden.entry(name), SITE if n % 2 else None)
            for n, name in enumerate(names)
        )
    )
    body = await told(world, "garden")

    assert body is not None
    assert list(body.garden.names) == names


@pytest.mark.parametrize(
    "text", ["", "com", "0.0.0.0/0", "10.0.0.1/24", "::/0", "a b.example", "x" * 260, "1.2.3.400"]
)
def test_what_is_no_garden_is_refused_by_the_field(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        garden.entry(text)

    assert refused.value.field == "entry"


async def test_a_garden_at_no_site_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="site_id"):
        await garden.add_entry(world.deps, garden.entry("a.example"), SiteId("nowhere"))


async def test_a_probe_is_ordered_and_its_result_takes_the_order_away(world: World) -> None:
    probe_id = await probes.ask(world.deps, SITE, "trace", " 9.9.9.9 ")
    body = await told(world, f"probe/{probe_id}")
    await ingest(world.deps, SITE, a_batch(a_record(1, ProbeResult(probe_id, "{}"))))

    assert body is not None
    assert (body.probe.kind, body.probe.target) == ("trace", "9.9.9.9")
    assert await told(world, f"probe/{probe_id}") is None
    assert await ended(world, probe_id)


async def test_one_probe_of_a_kind_at_a_time_and_site(world: World) -> None:
    await with_other_site(world)
    first = await probes.ask(world.deps, SITE, "arp")
    await probes.ask(world.deps, SITE, "dhcp")
    await probes.ask(world.deps, OTHER_SITE, "arp")

    with pytest.raises(ProbeUnderWay):
        await probes.ask(world.deps, SITE, "arp")
    await ingest(world.deps, SITE, a_batch(a_record(1, ProbeResult(first, "{}"))))
    await probes.ask(world.deps, SITE, "arp")


async def test_a_probe_without_a_result_is_given_up_after_ten_minutes(world: World) -> None:
    probe_id = await probes.ask(world.deps, SITE, "mtu")
    world.clock.advance(599)
    early = await probes.give_up(world.deps)
    world.clock.advance(1)

    assert (early, await probes.give_up(world.deps), await probes.give_up(world.deps)) == (0, 1, 0)
    assert await told(world, f"probe/{probe_id}") is None


async def test_a_site_ends_no_other_sites_probe(world: World) -> None:
    await with_other_site(world)
    probe_id = await probes.ask(world.deps, SITE, "arp")
    await ingest(world.deps, OTHER_SITE, a_batch(a_record(1, ProbeResult(probe_id, "{}"))))

    assert not await ended(world, probe_id)
    assert await told(world, f"probe/{probe_id}") is not None


@pytest.mark.parametrize(
    ("field", "kind", "target"),
    [
        ("kind", "ping", ""),
        ("target", "dhcp", "10.0.0.1"),
        ("target", "arp", "10.0.0.0/8"),
        ("target", "arp", "shop.example"),
        ("target", "dns", "9.9.9.9"),
        ("target", "dns", "a b"),
        ("target", "trace", "127.0.0.1"),
        ("target", "trace", "1.2.3.400"),
        ("target", "mtu", "224.0.0.1"),
        ("target", "mtu", "x" * 254),
        ("target", "mtu", "2001:db8::1"),
    ],
)
async def test_a_bad_probe_is_refused_by_its_field(
    world: World, field: str, kind: str, target: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        await probes.ask(world.deps, SITE, kind, target)

    assert refused.value.field == field


async def test_nothing_is_done_at_a_site_that_is_not_there(world: World) -> None:
    nowhere = SiteId("nowhere")

    with pytest.raises(SiteUnknown):
        await probes.ask(world.deps, nowhere, "arp")
    with pytest.raises(SiteUnknown):
        await pools.add_pool(world.deps, nowhere, a_pool())


async def ended(world: World, probe_id: str) -> bool:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(ProbeRow, probe_id)).ended_at is not None
