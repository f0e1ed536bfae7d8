"""Plans: list, add, withdraw. A plan never changes."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import PlanId
from controller.api import pages
from controller.api.errors import NotFound
from controller.api.needs import Needed, PageAsked, SiteKey
from controller.api.plan_shapes import PlanIn, PlanOut
from controller.api.shapes import Page
from controller.noc import views
from controller.usecases import plans as usecase

router = APIRouter(prefix="/plans", tags=["plans"])


class PlansAsked(PageAsked):
    """Which plans are wanted; those withdrawn only when asked for."""

    withdrawn: bool = False


@router.get("")
async def list_plans(deps: Needed, asked: Annotated[PlansAsked, Query()]) -> Page[PlanOut]:
    """Plans in order of their id."""
    after_id = pages.read_id(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.plan_rows(
            tx, withdrawn=asked.withdrawn, after_id=after_id, limit=asked.limit
        )
    full = len(found) == asked.limit
    return Page(
        data=[PlanOut.of(row) for row in found],
        next_cursor=pages.written_id(found[-1].id) if full else None,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_plan(deps: Needed, asked: PlanIn) -> PlanOut:
    """Put a plan on sale, at every site unless it is for contracts. The same changes nothing."""
    await usecase.add_plan(deps, asked.plan(), rank=asked.rank)
    return await show_plan(asked.id, deps)


@router.get("/{plan_id}")
async def show_plan(plan_id: SiteKey, deps: Needed) -> PlanOut:
    """One plan."""
    async with deps.db.read() as tx:
        found = await views.plan_row(tx, plan_id)
    if found is None:
        raise NotFound("plan", plan_id)
    return PlanOut.of(found)


@router.post("/{plan_id}/withdraw")
async def withdraw_plan(plan_id: SiteKey, deps: Needed) -> PlanOut:
    """Sell it no more. What was bought stays good."""
    await usecase.withdraw_plan(deps, PlanId(plan_id))
    return await show_plan(plan_id, deps)
