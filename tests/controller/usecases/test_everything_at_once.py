"""Two processes, every use case at once on one site: nobody waits for ever, nothing is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from billing.ids import PlanId, RedemptionId
from billing.msisdn import Msisdn
from controller.store import items
from controller.store.database import Database
from controller.store.rows import SiteRow
from controller.usecases.expire import expire_due
from controller.usecases.grants import give, revoke
from controller.usecases.ingest import ingest
from controller.usecases.plans import add_plan
from controller.usecases.redeem import redeem
from controller.usecases.settle import query_due
from controller.usecases.vouchers import create_vouchers
from tests.support.builders import (
    MAC,
    SITE,
    a_batch,
    a_plan,
    a_record,
    closed,
    hex_id,
    opened,
    reading,
)
from tests.support.money import assert_money_is_conserved, credited

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from billing.voucher import VoucherCode
    from tests.support.builders import World

ROUNDS = 12
HOUR = PlanId("hour")


async def buy(world: World, n: int) -> None:
    """An order that is paid and told to both processes."""
    await world.order(f"order {n}", msisdn=Msisdn(f"2547000000{n:02d}"))
    provider_id = next(
        name
        for name, asked in world.gateway.asked.items()
        if asked.push.msisdn.endswith(f"{n:02d}")
    )
    world.gateway.pay(provider_id, world.clock())
    await asyncio.gather(*(world.call_back(provider_id) for _ in range(3)))


async def use(world: World, n: int) -> None:
    """A grant that is given, used up, reported twice and ended."""
    grant_id = await give(world.deps, SITE, plan_id=HOUR, device_mac=MAC)
    name = f"session {n}"
    batch = a_batch(
        a_record(1, opened(name, grant_id=grant_id)),
        a_record(2, reading(name, grant_id=grant_id, down=n, validity_s=4_000)),
        a_record(3, closed(name, grant_id=grant_id)),
        journal=hex_id(name),
    )
    await asyncio.gather(ingest(world.deps, SITE, batch), ingest(world.deps, SITE, batch))
    await asyncio.gather(expire_due(world.deps), revoke_if_on(world, n))


async def revoke_if_on(world: World, n: int) -> None:
    grant_id = await give(world.deps, SITE, plan_id=HOUR, device_mac=MAC)
    if n % 2:
        await revoke(world.deps, grant_id)


async def redeem_one(world: World, n: int, code: VoucherCode) -> None:
    await redeem(
        world.deps,
        SITE,
        redemption_id=RedemptionId(hex_id(f"redeem {n}")),
        code=code,
        device_mac=MAC,
    )


async def test_every_use_case_at_once_from_two_processes(world: World, db_url: str) -> None:
    second = Database(db_url)
    worlds = (world, world.on(second))
    _batch, codes = await create_vouchers(world.deps, HOUR, ROUNDS, None)
    work: list[Coroutine[object, object, object]] = []
    for n in range(ROUNDS):
        one = worlds[n % 2]
        work += [buy(one, n), use(one, n), redeem_one(one, n, codes[n]), query_due(one.deps)]
        work.append(add_plan(one.deps, a_plan(f"plan-{n}")))
    await asyncio.gather(*work)
    async with second.begin() as tx:
        site = await tx.get_one(SiteRow, SITE)
        whole = await items.snapshot(tx, site)
    await second.close()

    assert items.digest_of(dict(whole.upserts)) == site.digest
    assert await credited(world.deps.db) == ROUNDS
    await assert_money_is_conserved(world.deps.db)
