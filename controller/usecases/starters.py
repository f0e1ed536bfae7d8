"""Plans to begin with: three ways in which providers in Kenya sell, with prices to be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.plan import Audience, Limits, Plan
from controller.config import ConfigFaults
from controller.store import plans
from controller.usecases.plans import add_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.money import Money
    from controller.deps import Deps

MBPS = 1_000_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400
CONTRACT_S = 366 * DAY
"""A plan for contracts runs longer than any period that is billed: invoices say how long."""


@dataclass(frozen=True, slots=True)
class Start:
    """One plan of a template, at the price that is usual."""

    id: str
    name: str
    shillings: int
    mbps: int
    validity_s: int
    devices: int = 1
    audience: Audience = Audience.HOTSPOT

    def plan(self, price: Money) -> Plan:
        """The plan at a price."""
        bps = self.mbps * MBPS
        return Plan(
            id=PlanId(self.id),
            name=self.name,
            price=price,
            limits=Limits(
                down_bps=bps, up_bps=bps, validity_s=self.validity_s, uptime_s=None,
                quota_bytes=None, devices_max=self.devices,
            ),
            audience=self.audience,
        )  # fmt: skip


_HOME = Audience.CONTRACT
TEMPLATES: Mapping[str, tuple[Start, ...]] = {
    "estate": (
        Start("estate-40min", "40 minutes", 5, 2, 40 * MINUTE),
        Start("estate-2h", "2 hours", 10, 3, 2 * HOUR),
        Start("estate-day", "24 hours", 40, 5, DAY),
        Start("estate-week", "7 days, 2 devices", 200, 5, 7 * DAY, 2),
    ),
    "home": (
        Start("home-8", "Home 8 Mb/s", 1_500, 8, CONTRACT_S, 10, _HOME),
        Start("home-15", "Home 15 Mb/s", 2_500, 15, CONTRACT_S, 20, _HOME),
        Start("home-30", "Home 30 Mb/s", 4_000, 30, CONTRACT_S, 20, _HOME),
    ),
    "cafe": (
        Start("cafe-1h", "1 hour", 20, 5, HOUR),
        Start("cafe-3h", "3 hours, 2 devices", 50, 5, 3 * HOUR, 2),
        Start("cafe-day", "All day, 2 devices", 100, 8, DAY, 2),
    ),
}


async def begin(deps: Deps, template: str, prices: Mapping[str, Money]) -> int:
    """Put the plans of a template on sale at these prices, by plan id; how many are on sale.

    A plan without a price is left out; the same again changes nothing. Raises `ConfigFaults` with
    every fault, each naming its plan, before any is made; `InvalidField`, `DatabaseBusy`.
    """
    if template not in TEMPLATES:
        raise InvalidField("template", f"want one of {', '.join(TEMPLATES)}")
    wanted = [one.plan(prices[one.id]) for one in TEMPLATES[template] if one.id in prices]
    if not wanted:
        raise InvalidField("price", "want a price for at least one plan")
    faults = []
    async with deps.db.read() as tx:
        for plan in wanted:
            kept = await plans.load(tx, plan.id)
            if kept is not None and (plans.as_plan(kept) != plan or kept.withdrawn_at is not None):
                faults.append(f"{plan.id}: is there already, otherwise: see Plans")
    if faults:
        raise ConfigFaults(faults)
    for rank, plan in enumerate(wanted):
        await add_plan(deps, plan, rank=rank)
    return len(wanted)
