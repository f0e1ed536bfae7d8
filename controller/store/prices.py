"""Prices as they are kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from billing.ids import PlanId
from billing.money import Money
from billing.price import Price
from controller.store.billing_rows import PriceRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


def as_price(row: PriceRow) -> Price:
    """The price that a row holds."""
    return Price(
        plan_id=PlanId(row.plan_id),
        segment=row.segment,
        branch_id=row.branch_id,
        amount=Money(row.amount_minor, row.currency),
        from_day=row.from_day,
        until_day=row.until_day,
    )


async def of_plan(tx: Tx, plan_id: str) -> list[PriceRow]:
    """Every price of a plan, by segment and branch, the newest first."""
    row = PriceRow
    query = select(row).where(row.plan_id == plan_id)
    return list(await tx.scalars(query.order_by(row.segment, row.branch_id, row.from_day.desc())))


async def insert(tx: Tx, price: Price, now: datetime) -> PriceRow:
    """Keep a new price."""
    row = PriceRow(
        id=secrets.token_hex(16),
        plan_id=price.plan_id,
        segment=price.segment,
        branch_id=price.branch_id,
        amount_minor=price.amount.minor,
        currency=price.amount.currency,
        from_day=price.from_day,
        until_day=price.until_day,
        created_at=now,
    )
    tx.add(row)
    await tx.flush()
    return row


async def drop(tx: Tx, price_id: str) -> None:
    """Remove a price by which nothing was charged."""
    await tx.execute(delete(PriceRow).where(PriceRow.id == price_id))
