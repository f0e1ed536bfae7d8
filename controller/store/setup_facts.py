"""How far the set-up of a controller is, as far as rows tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.rows import PaymentRow, PlanRow, SmsRow
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def has_plan(tx: Tx) -> bool:
    """Whether anything is for sale."""
    query = select(PlanRow.id).where(PlanRow.withdrawn_at.is_(None)).limit(1)
    return await tx.scalar(query) is not None


async def site_seen(tx: Tx) -> str:
    """A site that was heard of; "" when none ever was."""
    query = select(SiteRow.id).where(SiteRow.last_seen_at.is_not(None)).order_by(SiteRow.id)
    return await tx.scalar(query.limit(1)) or ""


async def state_of(tx: Tx, order_id: str) -> str:
    """How a payment stands; "" when there is none."""
    query = select(PaymentRow.state).where(PaymentRow.order_id == order_id)
    return await tx.scalar(query) or ""


async def message(tx: Tx, about: str) -> SmsRow | None:
    """The message about something."""
    query = select(SmsRow).where(SmsRow.about == about).order_by(SmsRow.created_at.desc())
    return None if not about else await tx.scalar(query.limit(1))
