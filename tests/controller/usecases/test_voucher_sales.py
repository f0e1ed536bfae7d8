"""Vouchers are sold once each, taxed when they are sold, and never more than there are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from controller.store.database import Database
from controller.usecases.voucher_sales import BatchSoldOut, BatchUnknown, SaleDiffers, sell
from controller.usecases.vouchers import create_vouchers
from tests.support.books import balances_now
from tests.support.builders import HOUR, hex_id
from tests.support.day_of_business import registered

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.builders import World

SALE = hex_id("sale")


async def a_batch(world: World, count: int = 10, expires_at: datetime | None = None) -> str:
    name, _ = await create_vouchers(world.deps, HOUR, count, expires_at, offline=False)
    return name


async def test_a_sale_books_income_taxes_and_commission(world: World) -> None:
    await registered(world.deps)
    row = await sell(
        world.deps,
        await a_batch(world),
        count=5,
        seller="Kioski",
        idempotent=SALE,
        branch_id="town",
        commission_bp=1_000,
    )

    assert (row.amount_minor, row.commission_minor) == (100_00, 10_00)
    assert await balances_now(world.deps.db) == {
        "asset:cash:town": 90_00,
        "expense:town:commission:Kioski": 10_00,
        "income:town:plan:hour": -74_97,
        "liability:tax:excise": -11_24,
        "liability:tax:vat": -13_79,
    }


async def test_the_same_sale_again_sells_nothing_more(world: World) -> None:
    batch = await a_batch(world)
    for _ in range(2):
        await sell(world.deps, batch, count=6, seller="Kioski", idempotent=SALE)

    assert (await balances_now(world.deps.db))["asset:cash:main"] == 120_00
    with pytest.raises(SaleDiffers):
        await sell(world.deps, batch, count=4, seller="Kioski", idempotent=SALE)


async def test_no_more_are_sold_than_there_are(world: World) -> None:
    batch = await a_batch(world)
    await sell(world.deps, batch, count=6, seller="Kioski", idempotent=SALE)
    with pytest.raises(BatchSoldOut, match="4 of 10 left"):
        await sell(world.deps, batch, count=5, seller="Duka", idempotent=hex_id("other"))
    await sell(world.deps, batch, count=4, seller="Duka", idempotent=hex_id("other"))

    assert (await balances_now(world.deps.db))["asset:cash:main"] == 200_00


async def test_sellers_who_take_the_last_at_once_do_not_both_get_them(
    world: World, db_url: str
) -> None:
    batch = await a_batch(world)
    others = [world.on(Database(db_url)) for _ in range(6)]
    outcomes = await asyncio.gather(
        *(
            sell(one.deps, batch, count=3, seller=f"Seller {n}", idempotent=hex_id(f"sale-{n}"))
            for n, one in enumerate(others)
        ),
        return_exceptions=True,
    )
    for one in others:
        await one.deps.db.close()

    assert sum(isinstance(outcome, BatchSoldOut) for outcome in outcomes) == 3
    assert (await balances_now(world.deps.db))["asset:cash:main"] == 180_00


async def test_what_cannot_be_sold_is_refused(world: World) -> None:
    soon = world.deps.now().replace(hour=7)
    batch = await a_batch(world, expires_at=soon)
    with pytest.raises(BatchUnknown):
        await sell(world.deps, "none", count=1, seller="Kioski", idempotent=SALE)
    for wrong, field in (
        ({"count": 0}, "count"),
        ({"seller": "a:b"}, "seller"),
        ({"idempotent": "x"}, "idempotent"),
        ({"commission_bp": 10_001}, "commission"),
        ({"branch_id": "nowhere"}, "branch"),
        ({"rail": "M-PESA"}, "rail"),
        ({"rail": "made-up"}, "rail"),
        ({"place": "a b"}, "place"),
    ):
        asked = {"count": 1, "seller": "Kioski", "idempotent": SALE, **wrong}
        with pytest.raises(InvalidField) as refused:
            await sell(world.deps, batch, **asked)  # type: ignore[arg-type]
        assert refused.value.field == field
    world.clock.to(soon)
    with pytest.raises(InvalidField, match="expired"):
        await sell(world.deps, batch, count=1, seller="Kioski", idempotent=SALE)

    assert await balances_now(world.deps.db) == {}
