"""What a scrape of metrics reads: a handful of small queries, none of which grows with the years.

Payments are those of the last quarter of an hour; queues tell only of their oldest entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from controller.store import series
from controller.store.payment_rows import EmailRow
from controller.store.rows import GrantRow, PaymentRow, SmsRow
from controller.store.series import SAMPLE_FRESH
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.series_rows import SiteSampleRow

SITES_MAX = 2_000
"""Sites that have a label of their own; those beyond, in the order of their ids, have none."""

PAYMENTS_MAX = 20_000
PAYMENTS_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class PaymentSeen:
    """A payment of late, and when what it went through happened."""

    order_id: str
    rail: str
    state: str
    created_at: datetime
    pushed_at: datetime | None
    settled_at: datetime | None
    online_at: datetime | None


@dataclass(frozen=True, slots=True)
class Looked:
    """How everything stands at one moment."""

    at: datetime
    heard: Mapping[str, datetime | None]
    samples: Mapping[str, SiteSampleRow]
    payments: tuple[PaymentSeen, ...]
    oldest: Mapping[str, datetime | None]
    """Since when the oldest entry of each queue has been due; None: nothing is."""


async def look(tx: Tx, now: datetime) -> Looked:
    """How everything stands."""
    sites = select(SiteRow.id, SiteRow.last_seen_at).order_by(SiteRow.id).limit(SITES_MAX)
    heard: dict[str, datetime | None] = {name: at for name, at in await tx.execute(sites)}  # noqa: C416 - rows, not pairs
    return Looked(
        at=now,
        heard=heard,
        samples=await series.newest(tx, list(heard), since=now - SAMPLE_FRESH),
        payments=await _payments(tx, now),
        oldest={
            "sms": await tx.scalar(select(func.min(SmsRow.due_at))),
            "email": await tx.scalar(select(func.min(EmailRow.due_at))),
            "payment_query": await tx.scalar(select(func.min(PaymentRow.next_query_at))),
        },
    )


async def _payments(tx: Tx, now: datetime) -> tuple[PaymentSeen, ...]:
    query = (
        select(
            PaymentRow.order_id,
            PaymentRow.rail,
            PaymentRow.state,
            PaymentRow.created_at,
            PaymentRow.pushed_at,
            PaymentRow.settled_at,
            GrantRow.started_at,
        )
        .outerjoin(GrantRow, GrantRow.cause_id == PaymentRow.order_id)
        .where(PaymentRow.created_at >= now - PAYMENTS_FOR)
        .order_by(PaymentRow.created_at.desc())
        .limit(PAYMENTS_MAX)
    )
    return tuple(PaymentSeen(*row) for row in await tx.execute(query))
