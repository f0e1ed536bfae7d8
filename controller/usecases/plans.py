"""What is for sale. A plan never changes; every site offers every hotspot plan that is on sale.

Plans for contracts are offered nowhere: their grants bring a site all that it must know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.plan import Audience, check_plan
from controller.edge import wire
from controller.store import items, plans, sites

if TYPE_CHECKING:
    from billing.ids import PlanId, SiteId
    from billing.plan import Plan
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import PlanRow


class PlanDiffers(Exception):  # noqa: N818 - a refusal, see style
    """A plan of this id exists with other content. Plans never change: choose another id."""


class PlanUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such plan."""


class PlanWithdrawn(Exception):  # noqa: N818 - a refusal, see style
    """The plan was withdrawn, and is not sold again: choose another id."""


class PlanForContracts(Exception):  # noqa: N818 - a refusal, see style
    """The plan is for subscribers with a contract, and is not sold as a code."""


async def add_plan(deps: Deps, plan: Plan, *, rank: int = 0) -> None:
    """Put a plan on sale, at every site unless it is for contracts.

    ``rank`` says where it stands in the list, lower first.

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
        if plan.audience is Audience.CONTRACT:
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


async def must_be_sold(tx: Tx, plan_id: str) -> PlanRow:
    """A plan of which codes may be made.

    Raises `PlanUnknown`, `PlanWithdrawn`, `PlanForContracts`.
    """
    plan = await plans.load(tx, plan_id)
    if plan is None:
        raise PlanUnknown(f"there is no plan {plan_id}")
    if plan.withdrawn_at is not None:
        raise PlanWithdrawn(f"plan {plan_id} was withdrawn")
    if plan.audience == Audience.CONTRACT:
        raise PlanForContracts(f"plan {plan_id} is for subscribers with a contract")
    return plan


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
