"""One grant at several sites: each has its slice, and the loss is bounded, computed and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from wirepb.v1 import desired_pb2

from billing.ids import GrantId, PlanId, RedemptionId, SiteId
from billing.proof import ProofKind, proof
from controller.store import grant_sites
from controller.store.rows import GrantRow, GrantSiteRow
from controller.store.site_rows import NoticeRow, SiteItemRow, SiteRow
from controller.usecases.allowances import METERING_INTERVAL_S, exposure
from controller.usecases.grants import GrantOver, give, resume, revoke, suspend
from controller.usecases.ingest import Batch, ingest
from controller.usecases.outages import DOWN_AFTER
from controller.usecases.plans import add_plan
from controller.usecases.redeem import redeem
from controller.usecases.sites import NewSite, add_site
from controller.usecases.vouchers import create_vouchers
from tests.support.builders import (
    MAC,
    OTHER_MAC,
    OTHER_SITE,
    SITE,
    a_batch,
    a_plan,
    a_record,
    hex_id,
    limits,
    opened,
    reading,
)
from tests.support.money import assert_money_is_conserved

if TYPE_CHECKING:
    from billing.plan import Limits
    from tests.support.builders import World

GB = 10**9
DATA = PlanId("data")
ROAM = limits(validity_s=None, quota_bytes=GB, devices_max=2)
LATE = METERING_INTERVAL_S * 6_000_000 // 8
JOURNALS = {SITE: "a" * 32, OTHER_SITE: "b" * 32}


@pytest.fixture
async def code(world: World) -> str:
    """Two sites that report, a plan with a quota for two devices, and a voucher for it."""
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    await add_plan(world.deps, a_plan(DATA, allows=ROAM))
    await hear(world, SITE, OTHER_SITE)
    _batch, codes = await create_vouchers(world.deps, DATA, 1, None)
    return codes[0]


async def hear(world: World, *names: SiteId) -> None:
    """A report of each site that has applied everything."""
    for name in names:
        async with world.deps.db.read() as tx:
            site = await tx.get_one(SiteRow, name)
        batch = Batch(JOURNALS[name], (), site.generation, site.digest, "0.1")
        await ingest(world.deps, name, batch)


async def use(world: World, code: str, *, at: SiteId = SITE, mac: str = MAC) -> GrantId:
    status = await redeem(
        world.deps,
        at,
        redemption_id=RedemptionId(hex_id(f"{at} {mac}")),
        code=code,
        device_mac=mac,
    )
    assert status.grant_id is not None, status.refusal
    return status.grant_id


async def used(world: World, grant_id: str, *, seq: int, at: SiteId, down: int) -> None:
    record = a_record(seq, reading(f"at {at}", grant_id=grant_id, down=down))
    await ingest(world.deps, at, a_batch(record, journal=JOURNALS[at]))


async def shares(world: World, grant_id: str) -> dict[str, GrantSiteRow]:
    async with world.deps.db.read() as tx:
        return {row.site_id: row for row in (await grant_sites.locked(tx, (grant_id,)))[grant_id]}


async def handed(world: World, grant_id: str) -> dict[str, int | None]:
    return {name: row.handed_bytes for name, row in (await shares(world, grant_id)).items()}


async def item(world: World, grant_id: str, site_id: SiteId = SITE) -> desired_pb2.Grant:
    async with world.deps.db.read() as tx:
        row = await tx.get_one(SiteItemRow, (site_id, f"grant/{grant_id}"))
    assert row.body is not None
    return desired_pb2.ItemBody.FromString(row.body).grant


async def generation(world: World, site_id: SiteId = SITE) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(SiteRow, site_id)).generation


async def exposed(world: World, grant_id: str, allows: Limits = ROAM) -> int:
    rows = list((await shares(world, grant_id)).values())
    return exposure(allows, rows, {row.site_id: True for row in rows})


async def noticed(world: World) -> set[str]:
    async with world.deps.db.read() as tx:
        return set(await tx.scalars(select(NoticeRow.code)))


async def test_a_grant_at_one_site_is_handed_what_it_has(world: World, code: str) -> None:
    grant_id = await use(world, code)

    assert await handed(world, grant_id) == {SITE: GB}
    assert (await item(world, grant_id)).allowance_bytes == GB


async def test_a_plan_of_calendar_time_alone_needs_no_slices(world: World) -> None:
    grant_id = await give(world.deps, SITE, plan_id=PlanId("hour"), device_mac=MAC)

    assert await handed(world, grant_id) == {SITE: None}
    assert (await item(world, grant_id)).allowance_bytes == 0


async def test_a_grant_that_is_brought_to_another_site_is_shared_there(
    world: World, code: str
) -> None:
    grant_id = await use(world, code)
    await used(world, grant_id, seq=1, at=SITE, down=200_000_000)
    again = await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)

    assert again == grant_id
    assert await handed(world, grant_id) == {SITE: 600_000_000, OTHER_SITE: 400_000_000}
    there = await item(world, grant_id, OTHER_SITE)
    assert (there.allowance_bytes, there.spent_bytes) == (400_000_000, 200_000_000)
    assert list(there.devices) == [MAC, OTHER_MAC]
    assert (await item(world, grant_id)).allowance_bytes == 600_000_000


async def test_what_was_taken_back_is_at_risk_until_the_site_has_applied_it(
    world: World, code: str
) -> None:
    grant_id = await use(world, code)
    await hear(world, SITE)
    await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)
    before = await exposed(world, grant_id)
    await hear(world, OTHER_SITE)
    still = await exposed(world, grant_id)
    await hear(world, SITE)

    assert before == still == GB // 2 + 2 * LATE
    assert await exposed(world, grant_id) == 2 * LATE


async def test_what_a_silent_site_holds_is_lent_once_more(world: World, code: str) -> None:
    grant_id = await use(world, code)
    world.clock.advance(int(DOWN_AFTER.total_seconds()))
    await hear(world, OTHER_SITE)
    await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)

    assert await handed(world, grant_id) == {SITE: GB, OTHER_SITE: GB}
    assert await exposed(world, grant_id) == GB + 2 * LATE


async def test_spent_is_the_sum_of_what_was_used_at_each_site(world: World, code: str) -> None:
    grant_id = await use(world, code)
    await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)
    await used(world, grant_id, seq=1, at=SITE, down=100)
    await used(world, grant_id, seq=1, at=OTHER_SITE, down=11)
    async with world.deps.db.read() as tx:
        grant = await tx.get_one(GrantRow, grant_id)

    assert grant.used_bytes == 111
    assert {n: r.own_bytes for n, r in (await shares(world, grant_id)).items()} == {
        SITE: 100,
        OTHER_SITE: 11,
    }


async def test_connected_time_is_the_sum_of_each_sites_own(world: World) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    await add_plan(
        world.deps, a_plan("up", allows=limits(validity_s=None, uptime_s=7_200, devices_max=2))
    )
    await hear(world, SITE, OTHER_SITE)
    _batch, codes = await create_vouchers(world.deps, PlanId("up"), 1, None)
    grant_id = await use(world, codes[0])
    await use(world, codes[0], at=OTHER_SITE, mac=OTHER_MAC)
    for site_id, whole, own in ((SITE, 600, 600), (OTHER_SITE, 300, 300), (SITE, 610, 610)):
        told = reading(str(site_id), grant_id=grant_id, uptime_s=whole, own_uptime_s=own)
        seq = 2 if own == 610 else 1
        await ingest(world.deps, site_id, a_batch(a_record(seq, told), journal=JOURNALS[site_id]))
    async with world.deps.db.read() as tx:
        grant = await tx.get_one(GrantRow, grant_id)

    assert grant.spent_uptime_s == 910


async def test_a_slice_is_topped_up_by_one_generation_when_half_is_gone(world: World) -> None:
    day = 6_000_000 // 8 * 86_400
    await add_plan(world.deps, a_plan("vast", allows=limits(validity_s=None, quota_bytes=10**12)))
    grant_id = await give(world.deps, SITE, plan_id=PlanId("vast"), device_mac=MAC)
    first = await generation(world)
    for seq, down in enumerate((1, day // 4, day // 2), start=1):
        await used(world, grant_id, seq=seq, at=SITE, down=down)
    same = await generation(world)
    await used(world, grant_id, seq=4, at=SITE, down=day // 2 + 1)
    await used(world, grant_id, seq=5, at=SITE, down=day // 2 + 2)

    assert same == first
    assert await generation(world) == first + 1
    assert await handed(world, grant_id) == {SITE: day // 2 + 1 + day}


async def test_a_site_that_comes_back_is_handed_enough_for_as_long_again(world: World) -> None:
    day = 6_000_000 // 8 * 86_400
    await add_plan(world.deps, a_plan("vast", allows=limits(validity_s=None, quota_bytes=10**13)))
    await hear(world, SITE)
    grant_id = await give(world.deps, SITE, plan_id=PlanId("vast"), device_mac=MAC)
    world.clock.advance(4 * 86_400)
    await hear(world, SITE)

    assert await handed(world, grant_id) == {SITE: 4 * day}


async def test_a_slice_moves_back_and_forth_with_its_devices(world: World, code: str) -> None:
    """Whoever is where the use is, gets what is left, to the last byte."""
    grant_id = await use(world, code)
    await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)
    spent = 0
    for seq in range(1, 60):
        mine = (await shares(world, grant_id))[OTHER_SITE]
        assert mine.handed_bytes is not None
        if mine.handed_bytes == spent:
            break
        spent = mine.handed_bytes
        await used(world, grant_id, seq=seq, at=OTHER_SITE, down=spent)

    assert spent == GB


async def test_a_site_that_lets_more_pass_than_it_was_handed_is_told_of_once(
    world: World, code: str
) -> None:
    grant_id = await use(world, code)
    await used(world, grant_id, seq=1, at=SITE, down=GB + LATE)
    within = await noticed(world)
    await used(world, grant_id, seq=2, at=SITE, down=GB + LATE + 1)
    await used(world, grant_id, seq=3, at=SITE, down=2 * GB)

    assert within == set()
    assert await noticed(world) == {"allowance_exceeded"}


async def test_a_second_site_is_told_how_far_the_calendar_has_come(world: World) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    await add_plan(world.deps, a_plan("pair", allows=limits(devices_max=2)))
    _batch, codes = await create_vouchers(world.deps, PlanId("pair"), 1, None)
    grant_id = await use(world, codes[0])
    await ingest(world.deps, SITE, a_batch(a_record(1, opened(grant_id=grant_id))))
    world.clock.advance(600)
    await use(world, codes[0], at=OTHER_SITE, mac=OTHER_MAC)

    assert (await item(world, grant_id, OTHER_SITE)).spent_validity_s == 600


async def test_a_revoked_grant_is_revoked_wherever_it_was_brought(world: World, code: str) -> None:
    grant_id = await use(world, code)
    await use(world, code, at=OTHER_SITE, mac=OTHER_MAC)
    await revoke(world.deps, grant_id)

    assert (await item(world, grant_id)).revoked
    assert (await item(world, grant_id, OTHER_SITE)).revoked


async def test_a_suspended_grant_stands_and_passes_again_when_resumed(
    world: World, code: str
) -> None:
    grant_id = await use(world, code)
    await suspend(world.deps, grant_id)
    await suspend(world.deps, grant_id)
    during = await item(world, grant_id)
    await resume(world.deps, grant_id)
    await resume(world.deps, grant_id)

    assert (during.suspended, during.revoked) == (True, False)
    assert not (await item(world, grant_id)).suspended


async def test_a_grant_that_is_over_cannot_be_suspended(world: World, code: str) -> None:
    grant_id = await use(world, code)
    await revoke(world.deps, grant_id)

    with pytest.raises(GrantOver):
        await suspend(world.deps, grant_id)


async def test_the_voucher_that_bought_a_grant_proves_it_at_its_sites(
    world: World, code: str
) -> None:
    grant_id = await use(world, code)

    assert list((await item(world, grant_id)).proofs) == [proof(grant_id, ProofKind.VOUCHER, code)]


async def test_the_receipt_that_paid_a_grant_proves_it_at_its_site(world: World) -> None:
    await world.order()
    receipt = world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()
    grant_id = (await world.order()).grant_id
    assert grant_id is not None

    assert list((await item(world, grant_id)).proofs) == [
        proof(grant_id, ProofKind.RECEIPT, receipt)
    ]
    await assert_money_is_conserved(world.deps.db)
