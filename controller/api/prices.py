"""Prices of a plan: list, what holds on a day for whom, add, end."""

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from billing.ids import PlanId
from billing.period import day_of
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, SiteKey
from controller.api.plan_shapes import HoldingOut, PriceEndIn, PriceIn, PriceOut
from controller.api.shapes import Page
from controller.store import plans, prices
from controller.store.rows import PlanRow
from controller.usecases import prices as usecase

router = APIRouter(prefix="/plans/{plan_id}/prices", tags=["prices"])


class DayAsked(BaseModel):
    """On which day; today when not said."""

    model_config = ConfigDict(extra="forbid")

    day: date | None = None


@router.get("")
async def list_prices(plan_id: SiteKey, deps: Needed, who: Asking) -> Page[PriceOut]:
    """Every price of a plan beside its own, by segment and branch; all in one page.

    Whoever is held to branches sees those of theirs, and of every branch.
    """
    today = day_of(deps.now())
    async with deps.db.read() as tx:
        _known(await plans.load(tx, plan_id), plan_id)
        found = await prices.of_plan(tx, plan_id)
    return Page(
        data=[PriceOut.of(row, today) for row in found if _concerns(who, row.branch_id)],
        next_cursor=None,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_price(plan_id: SiteKey, deps: Needed, who: Asking, asked: PriceIn) -> Page[PriceOut]:
    """Let the plan cost another amount; all its prices. The same again changes nothing."""
    today = day_of(deps.now())
    await usecase.add_price(deps, asked.price(PlanId(plan_id), today))
    return await list_prices(plan_id, deps, who)


@router.get("/holding")
async def list_holding(
    plan_id: SiteKey, deps: Needed, who: Asking, asked: Annotated[DayAsked, Query()]
) -> Page[HoldingOut]:
    """What the plan costs every segment at every branch on a day; all in one page."""
    async with deps.db.read() as tx:
        plan = _known(await plans.load(tx, plan_id), plan_id)
        found = await usecase.holding(tx, plan, asked.day or day_of(deps.now()))
    return Page(
        data=[HoldingOut.of(one) for one in found if _concerns(who, one.branch_id)],
        next_cursor=None,
    )


@router.post("/{price_id}/end")
async def end_price(
    plan_id: SiteKey, price_id: Id, deps: Needed, who: Asking, asked: PriceEndIn
) -> Page[PriceOut]:
    """Let a price end; what is left. One that never held then is removed."""
    until_day = asked.until_day or day_of(deps.now())
    await usecase.end_price(deps, plan_id, price_id, until_day)
    return await list_prices(plan_id, deps, who)


def _concerns(who: Asking, branch_id: str) -> bool:
    return not branch_id or who.reaches(branch_id)


def _known(plan: PlanRow | None, plan_id: str) -> PlanRow:
    if plan is None:
        raise NotFound("plan", plan_id)
    return plan
