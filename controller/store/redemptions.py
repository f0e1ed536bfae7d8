"""Codes that were redeemed twice, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store.code_rows import DoubleRedemptionRow
from controller.store.database import inserted

if TYPE_CHECKING:
    from datetime import datetime

    from billing.money import Money
    from controller.store.database import Tx


async def note_double(
    tx: Tx,
    *,
    redemption_id: str,
    kind: str,
    code_name: str,
    plan_id: str,
    first_grant_id: str,
    grant_id: str,
    site_id: str,
    found_at: datetime,
    amount: Money,
) -> bool:
    """Keep a double redemption; False when it is known."""
    return await inserted(
        tx,
        DoubleRedemptionRow,
        redemption_id=redemption_id,
        kind=kind,
        code_name=code_name,
        plan_id=plan_id,
        first_grant_id=first_grant_id,
        grant_id=grant_id,
        site_id=site_id,
        found_at=found_at,
        amount_minor=amount.minor,
        currency=amount.currency,
    )
