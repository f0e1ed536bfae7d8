"""Prices and rates of taxes, when several people say them at once, on both databases."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.money import Money
from billing.period import day_of
from billing.price import Price
from billing.tax import Rate, Tax
from controller.store import operators, plans, prices
from controller.usecases.operators import add_tax_rate
from controller.usecases.prices import add_price, holding

if TYPE_CHECKING:
    from tests.support.builders import World

HOUR = PlanId("hour")


async def test_of_prices_that_overlap_one_comes_in(world: World) -> None:
    today = day_of(world.deps.now())
    asked = [Price(HOUR, "business", "", Money(n), today) for n in range(1, 6)]
    done = await asyncio.gather(
        *(add_price(world.deps, price) for price in asked), return_exceptions=True
    )

    async with world.deps.db.read() as tx:
        held = await prices.of_plan(tx, HOUR)
    assert len(held) == 1
    assert [type(one) for one in done if one is not None] == [InvalidField] * 4


async def test_of_rates_on_one_day_one_comes_in(world: World) -> None:
    day = date(2030, 1, 1)
    done = await asyncio.gather(
        *(add_tax_rate(world.deps, Rate(Tax.VAT, day, n)) for n in range(1_700, 1_705)),
        return_exceptions=True,
    )

    async with world.deps.db.read() as tx:
        held = [row for row in await operators.tax_rates(tx) if row.from_day == day]
    assert len(held) == 1
    assert [type(one) for one in done if one is not None] == [InvalidField] * 4


async def test_every_segment_at_every_branch_has_a_price(world: World) -> None:
    today = day_of(world.deps.now())
    await add_price(world.deps, Price(HOUR, "business", "main", Money(900), today))
    async with world.deps.db.read() as tx:
        plan = await plans.load(tx, HOUR)
        assert plan is not None
        found = await holding(tx, plan, today)

    amounts = {(one.segment, one.branch_id): one.amount.minor for one in found}
    assert amounts == {
        ("residential", "main"): 2_000,
        ("business", "main"): 900,
        ("enterprise", "main"): 2_000,
    }
