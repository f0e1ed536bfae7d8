"""Plans as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from billing.ids import PlanId
from billing.money import Money
from billing.plan import Audience, Plan
from billing.rating import read_tariff, tariff_text
from billing.tax import TaxClass
from controller.limits import limits_of, speeds_text
from controller.store.database import inserted
from controller.store.rows import PlanRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


def as_plan(row: PlanRow) -> Plan:
    """The plan that a row holds."""
    return Plan(
        id=PlanId(row.id),
        name=row.name,
        price=Money(row.price_minor, row.currency),
        limits=limits_of(row),
        pool_id=row.pool_id or "",
        audience=Audience(row.audience),
        tax_class=TaxClass(row.tax_class),
        tax_included=row.tax_included,
        tariff=None if row.tariff is None else read_tariff(row.tariff),
    )


async def lock(tx: Tx) -> None:
    """Let no other transaction change the set of plans (or of sites) until this one ends.

    Every site has every plan; without this, a new site and a new plan could miss each other.
    Purchases go on meanwhile. SQLite has one writer anyway.
    """
    if tx.get_bind().dialect.name == "postgresql":
        await tx.execute(text("LOCK TABLE plan IN SHARE ROW EXCLUSIVE MODE"))


async def insert(tx: Tx, plan: Plan, *, rank: int, now: datetime) -> bool:
    """Keep a new plan; False when its id is taken."""
    return await inserted(
        tx,
        PlanRow,
        id=plan.id,
        name=plan.name,
        price_minor=plan.price.minor,
        currency=plan.price.currency,
        down_bps=plan.limits.down_bps,
        up_bps=plan.limits.up_bps,
        validity_s=plan.limits.validity_s,
        uptime_s=plan.limits.uptime_s,
        quota_bytes=plan.limits.quota_bytes,
        devices_max=plan.limits.devices_max,
        speeds=speeds_text(plan.limits),
        rank=rank,
        pool_id=plan.pool_id or None,
        created_at=now,
        audience=plan.audience,
        tax_class=plan.tax_class,
        tax_included=plan.tax_included,
        tariff=None if plan.tariff is None else tariff_text(plan.tariff),
    )


async def load(tx: Tx, plan_id: str) -> PlanRow | None:
    """A plan, sold or withdrawn; None when there never was one."""
    return await tx.get(PlanRow, plan_id)


async def load_many(tx: Tx, plan_ids: Collection[str]) -> dict[str, PlanRow]:
    """The plans of these ids, by their ids."""
    query = select(PlanRow).where(PlanRow.id.in_(plan_ids))
    return {row.id: row for row in await tx.scalars(query)}


async def on_sale(tx: Tx) -> list[PlanRow]:
    """All plans that sites offer and that are not withdrawn, in the order to show."""
    query = select(PlanRow).where(
        PlanRow.withdrawn_at.is_(None), PlanRow.audience == Audience.HOTSPOT
    )
    return list(await tx.scalars(query.order_by(PlanRow.rank, PlanRow.id)))
