"""Prices: other amounts for a plan, for a segment, at a branch, on certain days.

What was charged stays right: a price neither begins nor ends in the past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.period import day_of
from billing.price import check_prices, price_on
from controller.store import branches, plans, prices
from controller.usecases.branches import must_exist
from controller.usecases.plans import PlanUnknown
from controller.usecases.subscribers import Segment

if TYPE_CHECKING:
    from datetime import date

    from billing.money import Money
    from billing.price import Price
    from controller.deps import Deps
    from controller.store.billing_rows import PriceRow
    from controller.store.database import Tx
    from controller.store.rows import PlanRow

PRICES_MAX = 1_000
"""Of one plan."""

BRANCHES_MAX = 1_000


class PriceUnknown(Exception):  # noqa: N818 - a refusal, see style
    """The plan has no such price."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a plan costs a segment at a branch on one day."""

    segment: Segment
    branch_id: str
    amount: Money


async def add_price(deps: Deps, price: Price) -> None:
    """Let a plan cost another amount. The same again changes nothing.

    Raises `PlanUnknown`, `InvalidField` (``from_day`` also where prices would overlap),
    `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        plan, rows = await _held(tx, price.plan_id)
        held = [prices.as_price(row) for row in rows]
        if price in held:
            return
        await _check(tx, plan, price, today=day_of(now))
        if len(held) >= PRICES_MAX:
            raise InvalidField("plan_id", f"a plan has at most {PRICES_MAX:,} prices")
        check_prices(held, price)
        await prices.insert(tx, price, now)


async def end_price(deps: Deps, plan_id: str, price_id: str, until_day: date) -> None:
    """Let a price hold up to, and without, a day; one that then never held is removed.

    Raises `PlanUnknown`, `PriceUnknown`, `InvalidField` (``until_day``, ``from_day``),
    `DatabaseBusy`.
    """
    today = day_of(deps.now())
    async with deps.db.begin() as tx:
        _, rows = await _held(tx, plan_id)
        row = next((one for one in rows if one.id == price_id), None)
        if row is None:
            raise PriceUnknown(f"plan {plan_id} has no price {price_id}")
        if row.until_day is not None and row.until_day <= today:
            raise InvalidField("until_day", f"it ended on {row.until_day}")
        if until_day < today:
            raise InvalidField("until_day", f"want today ({today}) or later")
        if until_day <= row.from_day:
            await prices.drop(tx, price_id)
            return
        others = [prices.as_price(one) for one in rows if one is not row]
        check_prices(others, replace(prices.as_price(row), until_day=until_day))
        row.until_day = until_day


async def holding(tx: Tx, plan: PlanRow, day: date) -> list[Holding]:
    """What a plan costs every segment at every branch on a day."""
    dated = [prices.as_price(row) for row in await prices.of_plan(tx, plan.id)]
    sold = plans.as_plan(plan)
    return [
        Holding(segment, at.id, price_on(sold, dated, segment=segment, branch_id=at.id, day=day))
        for at in await branches.page(tx, after_id="", limit=BRANCHES_MAX)
        for segment in Segment
    ]


async def _held(tx: Tx, plan_id: str) -> tuple[PlanRow, list[PriceRow]]:
    """The plan and its prices, which nobody else changes now."""
    await plans.lock(tx)
    plan = await plans.load(tx, plan_id)
    if plan is None:
        raise PlanUnknown(f"there is no plan {plan_id}")
    return plan, await prices.of_plan(tx, plan_id)


async def _check(tx: Tx, plan: PlanRow, price: Price, *, today: date) -> None:
    if price.segment and price.segment not in list(Segment):
        raise InvalidField("segment", f"want one of {', '.join(Segment)}, or nothing for all")
    if price.branch_id:
        await must_exist(tx, price.branch_id)
    if price.amount.currency != plan.currency:
        raise InvalidField("currency", f"the plan is sold in {plan.currency}")
    if price.from_day < today:
        raise InvalidField("from_day", f"want today ({today}) or later")
