"""What is for sale. A plan never changes; every site has every plan that is on sale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.plan import check_plan
from controller.edge import wire
from controller.store import items, plans, sites

if TYPE_CHECKING:
    from billing.ids import PlanId, SiteId
    from billing.plan import Plan
    from controller.deps import Deps
    from controller.store.database import Tx


class PlanDiffers(Exception):  # noqa: N818 - a refusal, see style
    """A plan of this id exists with other content. Plans never change: choose another id."""


class PlanUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such plan."""


class PlanWithdrawn(Exception):  # noqa: N818 - a refusal, see style
    """The plan was withdrawn, and is not sold again: choose another id."""


async def add_plan(deps: Deps, plan: Plan, *, rank: int = 0) -> None:
    """Put a plan on sale at every site; ``rank`` says where it stands in the list, lower first.

    Repeating changes nothing. Raises `InvalidField`, `PlanDiffers`, `PlanWithdrawn`,
    `DatabaseBusy`.
    """
    check_plan(plan)
    async with deps.db.begin() as tx:
        await plans.lock(tx)
        if not await plans.insert(tx, plan, rank=rank, now=deps.now()):
            kept = await plans.load(tx, plan.id)
            assert kept is not None
            if plans.as_plan(kept) != plan or kept.rank != rank:
                raise PlanDiffers(f"plan {plan.id} exists with other content")
            if kept.withdrawn_at is not None:
                raise PlanWithdrawn(f"plan {plan.id} was withdrawn")
            return
        changed = await _everywhere(tx, plan.id, wire.plan_body(plan, rank=rank))
    _wake(deps, changed)


async def withdraw_plan(deps: Deps, plan_id: PlanId) -> None:
    """Stop selling a plan. What was bought stays good. Repeating changes nothing.

    Raises `PlanUnknown`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        await plans.lock(tx)
        kept = await plans.load(tx, plan_id)
        if kept is None:
            raise PlanUnknown(f"there is no plan {plan_id}")
        if kept.withdrawn_at is not None:
            return
        kept.withdrawn_at = deps.now()
        changed = await _everywhere(tx, plan_id, None)
    _wake(deps, changed)


def item_key(plan_id: str) -> str:
    """The key of a plan's item."""
    return f"plan/{plan_id}"


async def _everywhere(tx: Tx, plan_id: str, body: bytes | None) -> list[SiteId]:
    await tx.flush()
    all_sites = await sites.all_ids(tx)
    await items.put_many(tx, {site_id: {item_key(plan_id): body} for site_id in all_sites})
    return all_sites


def _wake(deps: Deps, changed: list[SiteId]) -> None:
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
