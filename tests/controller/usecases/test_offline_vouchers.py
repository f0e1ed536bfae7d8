"""Vouchers that sites redeem with their link down: synced as hashes, booked when reported."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from wirepb.v1 import desired_pb2

from billing.errors import InvalidField
from billing.ids import AccountName, PlanId, RedemptionId, SiteId, grant_of
from controller.records import Redeemed
from controller.store import ledger
from controller.store.code_rows import DoubleRedemptionRow, VoucherRow
from controller.store.database import Database
from controller.store.rows import GrantRow
from controller.store.site_rows import NoticeRow, SiteItemRow, SiteRow
from controller.store.vouchers import CHUNK_CODES
from controller.usecases.expire import expire_due
from controller.usecases.grants import give, revoke
from controller.usecases.ingest import ingest
from controller.usecases.plans import add_plan
from controller.usecases.redeem import redeem
from controller.usecases.sites import NewSite, add_site, changes_since
from controller.usecases.vouchers import ROUNDS, create_vouchers, offline_hash
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
    from billing.voucher import VoucherCode
    from controller.usecases.redeem import RedeemStatus
    from tests.support.builders import World

HOUR = PlanId("hour")
JOURNALS = {SITE: "a" * 32, OTHER_SITE: "b" * 32}


@pytest.fixture
async def two_sites(world: World) -> World:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    return world


async def chunks(world: World, site_id: SiteId = SITE) -> list[desired_pb2.VoucherChunk]:
    query = select(SiteItemRow.body).where(
        SiteItemRow.site_id == site_id,
        SiteItemRow.key.startswith("vouchers/"),
        SiteItemRow.body.is_not(None),
    )
    async with world.deps.db.read() as tx:
        bodies = list(await tx.scalars(query.order_by(SiteItemRow.key)))
    return [desired_pb2.ItemBody.FromString(body).vouchers for body in bodies if body]


def codes_in(chunk: desired_pb2.VoucherChunk) -> set[bytes]:
    return {chunk.hashes[n : n + 16] for n in range(0, len(chunk.hashes), 16)}


async def known_at(world: World, site_id: SiteId, code: VoucherCode) -> bool:
    """Whether the site would take this code, asked as the site asks itself."""
    return any(
        offline_hash(code, chunk.salt, chunk.rounds) in codes_in(chunk)
        for chunk in await chunks(world, site_id)
    )


async def redeemed_at(
    world: World,
    code: VoucherCode,
    *,
    name: str,
    at: SiteId = SITE,
    seq: int = 1,
    mac: str = MAC,
    plan_id: str = HOUR,
    changed: dict[str, object] | None = None,
) -> Redeemed:
    """The site redeems a code by the chunks that it holds, and reports it."""
    chunk = next(
        chunk
        for chunk in await chunks(world, at)
        if offline_hash(code, chunk.salt, chunk.rounds) in codes_in(chunk)
    )
    redemption_id = RedemptionId(hex_id(name))
    usual = {
        "redemption_id": redemption_id,
        "grant_id": grant_of(redemption_id),
        "plan_id": PlanId(plan_id),
        "device_mac": mac,
        "batch": chunk.batch,
        "code_hash": offline_hash(code, chunk.salt, chunk.rounds),
    }
    fact = Redeemed(**{**usual, **(changed or {})})  # type: ignore[arg-type]
    await report(world, fact, at=at, seq=seq)
    return fact


async def report(world: World, fact: Redeemed, *, at: SiteId = SITE, seq: int = 1) -> None:
    batch = a_batch(a_record(seq, fact), journal=JOURNALS[at])

    assert await ingest(world.deps, at, batch) == seq


async def online(
    world: World, code: str, *, name: str, at: SiteId = SITE, mac: str = MAC
) -> RedeemStatus:
    return await redeem(
        world.deps, at, redemption_id=RedemptionId(hex_id(name)), code=code, device_mac=mac
    )


async def a_code(world: World) -> VoucherCode:
    _batch, codes = await create_vouchers(world.deps, HOUR, 1, None)
    return codes[0]


async def at_site(world: World) -> tuple[int, bytes]:
    """The generation and the digest of the site."""
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)
        return site.generation, site.digest


async def grants(world: World) -> list[GrantRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(GrantRow).order_by(GrantRow.site_id)))


async def doubles(world: World) -> list[DoubleRedemptionRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(DoubleRedemptionRow)))


async def noticed(world: World) -> list[str]:
    async with world.deps.db.read() as tx:
        return sorted(await tx.scalars(select(NoticeRow.code)))


async def test_a_batch_is_told_to_every_site_in_chunks(two_sites: World) -> None:
    batch, codes = await create_vouchers(two_sites.deps, HOUR, CHUNK_CODES + 1, None)
    here, there = await chunks(two_sites), await chunks(two_sites, OTHER_SITE)

    assert here == there
    assert sorted(len(codes_in(chunk)) for chunk in here) == [1, CHUNK_CODES]
    assert {chunk.batch for chunk in here} == {batch}
    known = {offline_hash(code, here[0].salt, ROUNDS) for code in codes}
    assert known == codes_in(here[0]) | codes_in(here[1])


async def test_a_chunk_says_what_its_codes_are_good_for(world: World) -> None:
    until = world.clock() + timedelta(days=30)
    await create_vouchers(world.deps, HOUR, 1, until)
    (chunk,) = await chunks(world)

    assert (chunk.plan_id, chunk.plan_name) == ("hour", "Plan hour")
    assert (chunk.limits.down_bps, chunk.limits.validity_s) == (4_000_000, 3_600)
    assert (len(chunk.salt), chunk.rounds) == (16, ROUNDS)
    assert chunk.expires_at_ms == int(until.timestamp()) * 1_000


async def test_a_code_itself_is_in_no_item_and_no_row(world: World) -> None:
    code = await a_code(world)
    async with world.deps.db.read() as tx:
        kept = (await tx.scalars(select(VoucherRow))).one()
        bodies = list(await tx.scalars(select(SiteItemRow.body)))

    assert code not in kept.code_hash
    assert not any(code.encode() in body for body in bodies if body)


async def test_a_site_that_is_added_later_gets_what_is_good_everywhere(world: World) -> None:
    code = await a_code(world)
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))

    assert await known_at(world, OTHER_SITE, code)


async def test_a_batch_for_named_sites_is_told_to_them_only(two_sites: World) -> None:
    _batch, codes = await create_vouchers(
        two_sites.deps, HOUR, 1, None, sites_named=[OTHER_SITE, OTHER_SITE]
    )
    await add_site(two_sites.deps, NewSite(SiteId("third"), "Third", "Lango Net"))

    assert await known_at(two_sites, OTHER_SITE, codes[0])
    assert not await known_at(two_sites, SITE, codes[0])
    assert not await known_at(two_sites, SiteId("third"), codes[0])


async def test_a_batch_that_is_online_only_is_told_to_nobody(world: World) -> None:
    _batch, codes = await create_vouchers(world.deps, HOUR, 1, None, offline=False)

    assert await chunks(world) == []
    assert (await online(world, codes[0], name="first")).refusal is None


async def test_a_batch_for_a_site_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="there is no site nowhere"):
        await create_vouchers(world.deps, HOUR, 1, None, sites_named=[SiteId("nowhere")])
    with pytest.raises(InvalidField, match="sites"):
        await create_vouchers(world.deps, HOUR, 1, None, sites_named=[SITE], offline=False)


async def test_sites_and_batches_made_at_once_do_not_miss_each_other(world: World) -> None:
    names = [SiteId(f"site-{n}") for n in range(4)]
    made = await asyncio.gather(
        *(add_site(world.deps, NewSite(name, name, "Lango Net")) for name in names),
        *(create_vouchers(world.deps, HOUR, 1, None) for _ in range(4)),
    )
    codes = [one[1][0] for one in made if one is not None]

    for name in names:
        assert [await known_at(world, name, code) for code in codes] == [True] * 4


async def test_a_redeemed_voucher_leaves_its_chunk_at_all_sites(two_sites: World) -> None:
    _batch, codes = await create_vouchers(two_sites.deps, HOUR, 3, None)
    await online(two_sites, codes[0], name="first")
    await expire_due(two_sites.deps)

    for site_id in (SITE, OTHER_SITE):
        assert [await known_at(two_sites, site_id, code) for code in codes] == [False, True, True]


async def test_many_redemptions_cost_a_site_one_generation(world: World) -> None:
    _batch, codes = await create_vouchers(world.deps, HOUR, 8, None)
    await asyncio.gather(*(online(world, code, name=code) for code in codes))
    async with world.deps.db.read() as tx:
        before = (await tx.get_one(SiteRow, SITE)).generation
    await expire_due(world.deps)
    await expire_due(world.deps)
    async with world.deps.db.read() as tx:
        after = (await tx.get_one(SiteRow, SITE)).generation

    assert after == before + 1
    assert await chunks(world) == []


async def test_an_expired_batch_leaves_its_sites(world: World) -> None:
    await create_vouchers(world.deps, HOUR, 60, world.clock() + timedelta(days=1))
    world.clock.advance(86_399)
    await expire_due(world.deps)
    before = len(await chunks(world))
    world.clock.advance(1)
    await expire_due(world.deps)

    assert (before, await chunks(world)) == (2, [])


async def test_a_voucher_redeemed_offline_gives_the_grant_that_the_site_made(world: World) -> None:
    code = await a_code(world)
    told = await redeemed_at(world, code, name="offline")
    (grant,) = await grants(world)
    async with world.deps.db.read() as tx:
        voucher = (await tx.scalars(select(VoucherRow))).one()
        item = await tx.get_one(SiteItemRow, (SITE, f"grant/{grant.id}"))

    assert grant.id == told.grant_id == grant_of(told.redemption_id)
    assert (grant.site_id, grant.devices, grant.cause_id) == (SITE, MAC, told.redemption_id)
    assert (voucher.redemption_id, voucher.grant_id) == (told.redemption_id, grant.id)
    assert item.body is not None
    assert desired_pb2.ItemBody.FromString(item.body).grant.cause_id == told.redemption_id
    assert await noticed(world) == []
    await assert_money_is_conserved(world.deps.db)


async def test_what_was_used_before_the_report_is_booked_with_it(world: World) -> None:
    """One batch: redeemed, opened, read; as after a day without a link."""
    code = await a_code(world)
    (chunk,) = await chunks(world)
    name = RedemptionId(hex_id("offline"))
    grant_id = grant_of(name)
    told = Redeemed(name, grant_id, HOUR, MAC, chunk.batch, offline_hash(code, chunk.salt, ROUNDS))
    batch = a_batch(
        a_record(1, told),
        a_record(2, opened(grant_id=grant_id)),
        a_record(3, reading(grant_id=grant_id, down=700, up=50, validity_s=60)),
    )
    await ingest(world.deps, SITE, batch)
    (grant,) = await grants(world)

    assert (grant.used_bytes, grant.spent_validity_s, grant.started_at) == (
        750,
        60,
        world.clock(),
    )
    assert await noticed(world) == []


async def test_a_redemption_reported_again_changes_nothing(world: World) -> None:
    code = await a_code(world)
    told = await redeemed_at(world, code, name="offline")
    await report(world, told)
    again = a_batch(a_record(1, told), journal="c" * 32)
    await ingest(world.deps, SITE, again)

    assert len(await grants(world)) == 1
    assert await doubles(world) == []


async def test_a_redemption_sent_and_lost_and_done_offline_is_one_grant(world: World) -> None:
    code = await a_code(world)
    status = await online(world, code, name="same")
    told = await redeemed_at(world, code, name="same")

    assert [grant.id for grant in await grants(world)] == [status.grant_id] == [told.grant_id]
    assert await doubles(world) == []


async def test_a_redemption_done_offline_and_then_answered_is_one_grant(world: World) -> None:
    code = await a_code(world)
    told = await redeemed_at(world, code, name="same")
    status = await online(world, code, name="same")

    assert (status.refusal, status.grant_id) == (None, told.grant_id)
    assert len(await grants(world)) == 1


async def test_a_voucher_redeemed_at_two_sites_is_booked_as_a_loss_once(two_sites: World) -> None:
    code = await a_code(two_sites)
    first = await redeemed_at(two_sites, code, name="one", at=SITE)
    second = await redeemed_at(two_sites, code, name="two", at=OTHER_SITE, mac=OTHER_MAC)
    await report(two_sites, second, at=OTHER_SITE)
    (double,) = await doubles(two_sites)
    async with two_sites.deps.db.read() as tx:
        lost = await ledger.balance(tx, AccountName(f"expense:double-redemption:{OTHER_SITE}"))

    assert [(g.site_id, g.ended_at) for g in await grants(two_sites)] == [
        (SITE, None),
        (OTHER_SITE, None),
    ]
    assert (double.first_grant_id, double.grant_id) == (first.grant_id, second.grant_id)
    assert (double.kind, double.site_id, lost.minor) == ("voucher", OTHER_SITE, 2_000)
    assert await noticed(two_sites) == ["double_redemption"]
    await assert_money_is_conserved(two_sites.deps.db)


async def test_a_voucher_redeemed_online_here_and_offline_there_is_double(two_sites: World) -> None:
    code = await a_code(two_sites)
    await online(two_sites, code, name="online")
    await redeemed_at(two_sites, code, name="offline", at=OTHER_SITE, mac=OTHER_MAC)

    assert len(await doubles(two_sites)) == 1
    await assert_money_is_conserved(two_sites.deps.db)


async def test_a_double_redemption_of_what_costs_nothing_moves_no_money(two_sites: World) -> None:
    await add_plan(two_sites.deps, a_plan("free", shillings=0, allows=limits()))
    _batch, codes = await create_vouchers(two_sites.deps, PlanId("free"), 1, None)
    for name, at in (("one", SITE), ("two", OTHER_SITE)):
        await redeemed_at(two_sites, codes[0], name=name, at=at, plan_id="free")

    assert len(await doubles(two_sites)) == 1
    await assert_money_is_conserved(two_sites.deps.db)


async def test_two_sites_that_report_one_voucher_at_once_make_one_double(
    two_sites: World, db_url: str
) -> None:
    second = Database(db_url)
    _batch, codes = await create_vouchers(two_sites.deps, HOUR, 6, None)
    worlds = {SITE: two_sites, OTHER_SITE: two_sites.on(second)}
    held = await chunks(two_sites)

    def told(at: SiteId, n: int, code: VoucherCode) -> Redeemed:
        name = RedemptionId(hex_id(f"{at} {n}"))
        hashed = offline_hash(code, held[0].salt, ROUNDS)
        return Redeemed(name, grant_of(name), HOUR, MAC, held[0].batch, hashed)

    async def report_all(at: SiteId, order: list[VoucherCode]) -> None:
        records = [a_record(n, told(at, n, code)) for n, code in enumerate(order, start=1)]
        await ingest(worlds[at].deps, at, a_batch(*records, journal=JOURNALS[at]))

    await asyncio.gather(
        report_all(SITE, list(codes)), report_all(OTHER_SITE, list(reversed(codes)))
    )
    await second.close()

    assert (len(await grants(two_sites)), len(await doubles(two_sites))) == (12, 6)
    await assert_money_is_conserved(two_sites.deps.db)


@pytest.mark.parametrize(
    "changed",
    [
        {"code_hash": b"x" * 16},
        {"batch": "20200101-00000000"},
        {"grant_id": "f" * 32},
        {"plan_id": PlanId("never")},
        {"batch": "", "code_hash": b"", "key_version": 1, "slot": 3, "serial": 9},
    ],
    ids=["hash", "batch", "grant", "plan", "token"],
)
async def test_what_was_never_sold_gives_nothing_and_is_acknowledged(
    world: World, changed: dict[str, object]
) -> None:
    code = await a_code(world)
    told = await redeemed_at(world, code, name="offline", changed=changed)
    await ingest(
        world.deps,
        SITE,
        a_batch(a_record(2, reading(grant_id=told.grant_id, down=5)), journal=JOURNALS[SITE]),
    )

    assert await grants(world) == []
    assert await noticed(world) == ["foreign_grant", "redemption_doubtful"]


async def test_a_site_is_told_that_a_grant_it_made_of_nothing_does_not_stand(
    world: World,
) -> None:
    code = await a_code(world)
    before = await at_site(world)
    told = await redeemed_at(world, code, name="offline", changed={"code_hash": b"x" * 16})
    change = await changes_since(world.deps, SITE, generation=before[0], digest=before[1])

    assert change is not None
    assert (change.upserts, change.removals) == ((), (f"grant/{told.grant_id}",))
    assert (change.generation, change.digest) == (before[0] + 1, before[1])


async def test_a_site_is_told_again_that_a_grant_is_over_when_it_made_it_anew(
    world: World,
) -> None:
    """As when a box lost its disk, found an old journal, and reports what was over long ago."""
    code = await a_code(world)
    told = await redeemed_at(world, code, name="offline")
    await revoke(world.deps, told.grant_id)
    world.clock.advance(2 * 86_400)
    await expire_due(world.deps)
    before = await at_site(world)
    again = a_batch(a_record(1, told), journal="c" * 32)
    await ingest(world.deps, SITE, again)
    change = await changes_since(world.deps, SITE, generation=before[0], digest=before[1])

    assert change is not None
    assert change.removals == (f"grant/{told.grant_id}",)


async def test_a_doubtful_redemption_takes_nothing_away_from_its_site(world: World) -> None:
    """It names a grant that staff gave there: that one stands, and its item too."""
    given = await give(world.deps, SITE, plan_id=HOUR, device_mac=MAC)
    code = await a_code(world)
    before = await at_site(world)
    await redeemed_at(world, code, name="offline", changed={"grant_id": given})

    assert await at_site(world) == before


async def test_two_processes_take_two_vouchers_out_of_one_chunk(world: World, db_url: str) -> None:
    second = Database(db_url)
    _batch, codes = await create_vouchers(world.deps, HOUR, 20, None)
    worlds = (world, world.on(second))
    for start in range(0, 20, 2):
        await asyncio.gather(
            *(online(worlds[n], codes[start + n], name=f"{start + n}") for n in range(2)),
            *(expire_due(one.deps) for one in worlds),
        )
    await expire_due(world.deps)
    await second.close()

    assert await chunks(world) == []


async def test_a_site_that_gave_another_plan_is_corrected_and_told_of(world: World) -> None:
    await add_plan(world.deps, a_plan("day"))
    code = await a_code(world)
    await redeemed_at(world, code, name="offline", plan_id="day")

    assert [grant.plan_id for grant in await grants(world)] == ["hour"]
    assert await noticed(world) == ["redemption_doubtful"]


async def test_an_offline_redemption_takes_no_order_of_its_name(world: World) -> None:
    await world.order("bought")
    code = await a_code(world)
    await redeemed_at(world, code, name="bought")
    world.gateway.pay(world.last_provider_id, world.clock())

    assert (await world.call_back()).settled
    assert await noticed(world) == ["redemption_doubtful"]


async def test_an_offline_redemption_takes_no_grant_of_staff(world: World) -> None:
    given = await give(world.deps, SITE, plan_id=HOUR, device_mac=MAC)
    code = await a_code(world)
    await redeemed_at(world, code, name="offline", changed={"grant_id": given})

    assert [grant.id for grant in await grants(world)] == [given]
    assert await noticed(world) == ["redemption_doubtful"]
