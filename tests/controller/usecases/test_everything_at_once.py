"""Two processes, every use case at once: nobody waits crosswise, and nothing is lost.

How long a lock is waited for depends on the machine, so patience is long here. A deadlock does not:
PostgreSQL finds it within a second, and then a use case raises `DatabaseBusy`.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import select
from wirepb.v1.desired_pb2 import ItemBody

from billing.ids import PlanId, RedemptionId, grant_of
from billing.msisdn import Msisdn
from controller.records import DeviceJoined, Redeemed
from controller.store import items
from controller.store.database import Database
from controller.store.site_rows import SiteItemRow, SiteRow
from controller.usecases.expire import expire_due
from controller.usecases.grants import GrantOver, give, resume, revoke, suspend
from controller.usecases.ingest import ingest
from controller.usecases.outages import DOWN_AFTER, SilenceWatch
from controller.usecases.plans import add_plan
from controller.usecases.redeem import redeem
from controller.usecases.settle import query_due
from controller.usecases.sites import NewSite, add_site
from controller.usecases.token_keys import make_ready
from controller.usecases.tokens import issue
from controller.usecases.vouchers import create_vouchers, offline_hash
from tests.support.builders import (
    MAC,
    OTHER_MAC,
    OTHER_SITE,
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
    from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping

    from wirepb.v1.desired_pb2 import VoucherChunk

    from billing.ids import GrantId, SiteId
    from billing.token import TokenCode
    from billing.voucher import VoucherCode
    from controller.records import Fact, SiteRecord
    from tests.support.builders import World

ROUNDS = 12
PATIENCE_MS = 120_000
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


@asynccontextmanager
async def two_processes(world: World, db_url: str) -> AsyncIterator[tuple[World, World]]:
    """The world as two patient processes see it."""
    first, second = (Database(db_url, busy_timeout_ms=PATIENCE_MS) for _ in range(2))
    yield world.on(first), world.on(second)
    await first.close()
    await second.close()


async def test_every_use_case_at_once_from_two_processes(world: World, db_url: str) -> None:
    _batch, codes = await create_vouchers(world.deps, HOUR, ROUNDS, None)
    async with two_processes(world, db_url) as worlds:
        work: list[Coroutine[object, object, object]] = []
        for n in range(ROUNDS):
            one = worlds[n % 2]
            work += [buy(one, n), use(one, n), redeem_one(one, n, codes[n]), query_due(one.deps)]
            work.append(add_plan(one.deps, a_plan(f"plan-{n}")))
        await asyncio.gather(*work)
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)
        whole = await items.snapshot(tx, site)

    assert items.digest_of(dict(whole.upserts)) == site.digest
    assert await credited(world.deps.db) == ROUNDS
    await assert_money_is_conserved(world.deps.db)


class Roaming:
    """Grants, vouchers and tokens that two sites share, and what is done to them all day."""

    def __init__(self, world: World, codes: list[VoucherCode], tokens: list[TokenCode]) -> None:
        self.world, self.codes, self.tokens = world, codes, tokens

    async def online(self, on: World, n: int) -> None:
        """Both sites redeem the same voucher and the same token at the same moment."""
        await asyncio.gather(
            *(
                redeem(
                    on.deps,
                    site_id,
                    redemption_id=RedemptionId(hex_id(f"{site_id} {n} {code[:4]}")),
                    code=code,
                    device_mac=f"02:00:00:00:00:{n:02x}",
                )
                for site_id in (SITE, OTHER_SITE)
                for code in (self.codes[n], self.tokens[n])
            )
        )

    async def offline(self, on: World, n: int, held: Mapping[SiteId, VoucherChunk]) -> None:
        """Both report vouchers that they took alone, in opposite order, and who joined them."""
        await asyncio.gather(
            *(
                ingest(on.deps, site_id, a_batch(*records, journal=hex_id(f"{site_id} {n}")))
                for site_id, records in self.reports(n, held)
            )
        )

    def reports(
        self, n: int, held: Mapping[SiteId, VoucherChunk]
    ) -> Iterator[tuple[SiteId, list[SiteRecord]]]:
        for site_id, order in ((SITE, self.codes), (OTHER_SITE, self.codes[::-1])):
            facts: list[Fact] = []
            for code in order:
                chunk = held[site_id]
                name = RedemptionId(hex_id(f"{site_id} {n} alone {code[:4]}"))
                hashed = offline_hash(code, chunk.salt, chunk.rounds)
                grant_id = grant_of(name)
                facts += [
                    Redeemed(name, grant_id, HOUR, MAC, chunk.batch, hashed),
                    reading(f"s {name}", grant_id=grant_id, down=n),
                    DeviceJoined(grant_id, OTHER_MAC, MAC, "cookie"),
                ]
            yield site_id, [a_record(seq, fact) for seq, fact in enumerate(facts, 1)]

    async def staff(self, on: World, grant_id: GrantId) -> None:
        """Staff suspend and resume, sell tokens, add a site and a batch; jobs do their rounds."""
        with contextlib.suppress(GrantOver):
            await suspend(on.deps, grant_id)
            await resume(on.deps, grant_id)
        await issue(on.deps, OTHER_SITE, HOUR, msisdn=Msisdn("254700000001"))
        await create_vouchers(on.deps, HOUR, 2, None)
        await asyncio.gather(expire_due(on.deps), make_ready(on.deps))


async def test_what_two_sites_share_is_never_waited_for_crosswise(
    world: World, db_url: str
) -> None:
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    _batch, codes = await create_vouchers(world.deps, HOUR, 6, None)
    tokens = [(await issue(world.deps, SITE, HOUR)).code for _ in codes]
    roaming = Roaming(world, list(codes), tokens)
    held = {site_id: await a_chunk_of(world, site_id) for site_id in (SITE, OTHER_SITE)}
    given = await give(world.deps, SITE, plan_id=HOUR, device_mac=MAC)
    watches = (SilenceWatch(), SilenceWatch())
    for watch in watches:
        await watch.look(world.deps)
    world.clock.advance(DOWN_AFTER.seconds)
    async with two_processes(world, db_url) as worlds:
        for n in range(len(codes)):
            here, there = worlds if n % 2 else worlds[::-1]
            await asyncio.gather(
                roaming.online(here, n),
                roaming.offline(there, n, held),
                roaming.staff(here, given),
                *(watch.look(one.deps) for watch, one in zip(watches, worlds, strict=True)),
            )
            world.clock.advance(DOWN_AFTER.seconds)
    async with world.deps.db.read() as tx:
        for site_id in (SITE, OTHER_SITE):
            await items.snapshot(tx, await tx.get_one(SiteRow, site_id))

    await assert_money_is_conserved(world.deps.db)


async def a_chunk_of(world: World, site_id: SiteId) -> VoucherChunk:
    """The vouchers that a site may redeem alone."""
    query = select(SiteItemRow.body).where(
        SiteItemRow.site_id == site_id, SiteItemRow.key.startswith("vouchers/")
    )
    async with world.deps.db.read() as tx:
        (body,) = await tx.scalars(query)
    assert body is not None
    return ItemBody.FromString(body).vouchers
