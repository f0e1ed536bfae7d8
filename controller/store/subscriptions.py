"""Subscriptions as they are kept, and the periods of theirs that stand on invoices."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, exists, select

from billing.charge import Contract, Mode
from billing.money import Money
from billing.period import Cycle, Unit
from controller.store.billing_rows import (
    BilledPeriodRow,
    DebtRow,
    DunningStepRow,
    SubscriptionRow,
)
from controller.store.database import ROW_LOCK
from controller.store.rows import GrantRow, SubscriberRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from billing.period import Period
    from controller.store.database import Tx


def as_contract(row: SubscriptionRow | Row[Any]) -> Contract:
    """The subscription as it is billed."""
    return Contract(
        id=row.id,
        plan_id=row.plan_id,
        mode=Mode(row.mode),
        cycle=_cycle(row.cycle_unit, row.cycle_count, row.anchor_day),
        anchor_at=row.anchor_at,
        n=row.period_n,
        bill_at=row.bill_at,
        billed_until=row.paid_until,
        bespoke=None if row.price_minor is None else Money(row.price_minor),
        next_plan_id=row.next_plan_id,
        state=row.state,
        hold=row.hold,
    )


@lru_cache(1_024)
def _cycle(unit: str, count: int, anchor_day: int | None) -> Cycle:
    return Cycle(Unit(unit), count, anchor_day)


def columns_of(contract: Contract) -> dict[str, object]:
    """What a turn may change of a subscription, by column."""
    return {
        "plan_id": contract.plan_id,
        "next_plan_id": contract.next_plan_id,
        "price_minor": None if contract.bespoke is None else contract.bespoke.minor,
        "anchor_at": contract.anchor_at,
        "period_n": contract.n,
        "bill_at": contract.bill_at,
        "paid_until": contract.billed_until,
        "state": contract.state,
        "hold": contract.hold,
    }


def note(row: SubscriptionRow, contract: Contract, now: datetime) -> None:
    """Let a row hold what its contract has become.

    ``state_at`` moves with the state only: who is suspended for another reason now is so since the
    first.
    """
    if row.state != contract.state:
        row.state_at = now
    for name, value in columns_of(contract).items():
        setattr(row, name, value)


async def load(tx: Tx, subscription_id: str) -> SubscriptionRow | None:
    """A subscription, or None."""
    return await tx.get(SubscriptionRow, subscription_id, populate_existing=True)


async def locked(tx: Tx, subscription_id: str) -> tuple[SubscriptionRow, SubscriberRow] | None:
    """A subscription and who has it, both locked, the subscriber first; or None."""
    owner = await tx.scalar(
        select(SubscriptionRow.subscriber_id).where(SubscriptionRow.id == subscription_id)
    )
    if owner is None:
        return None
    subscriber = await subscriber_locked(tx, owner)
    row = await tx.get(
        SubscriptionRow, subscription_id, with_for_update=ROW_LOCK, populate_existing=True
    )
    assert row is not None
    assert subscriber is not None
    return row, subscriber


async def subscriber(tx: Tx, subscriber_id: str) -> SubscriberRow:
    """Who has a subscription."""
    return await tx.get_one(SubscriberRow, subscriber_id)


async def subscriber_locked(tx: Tx, subscriber_id: str) -> SubscriberRow | None:
    """A subscriber, locked, or None."""
    return await tx.get(
        SubscriberRow, subscriber_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def of_subscriber(tx: Tx, subscriber_id: str) -> list[SubscriptionRow]:
    """A subscriber's subscriptions, to look at."""
    query = select(SubscriptionRow).where(SubscriptionRow.subscriber_id == subscriber_id)
    return list(await tx.scalars(query.order_by(SubscriptionRow.id)))


async def locked_of(tx: Tx, subscriber_id: str) -> list[SubscriptionRow]:
    """Every subscription of a (locked) subscriber that has not ended, by id, locked."""
    query = (
        select(SubscriptionRow)
        .where(SubscriptionRow.subscriber_id == subscriber_id, SubscriptionRow.state != "ended")
        .order_by(SubscriptionRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def is_in_debt(tx: Tx, subscriber_id: str, *, least_minor: int, now: datetime) -> bool:
    """Whether an invoice is overdue for which the subscriber was suspended; promises are trusted.

    A debt whose first unpaid part is not due (any more) suspends nobody.
    """
    suspended = exists().where(
        DunningStepRow.document_id == DebtRow.document_id,
        DunningStepRow.step.startswith("suspend"),
    )
    query = select(
        exists().where(
            DebtRow.subscriber_id == subscriber_id,
            DebtRow.settled_at.is_(None),
            DebtRow.open_minor >= least_minor,
            DebtRow.due_at <= now,
            DebtRow.promised_until.is_(None) | (DebtRow.promised_until <= now),
            suspended,
        )
    )
    return bool(await tx.scalar(query))


async def billed_at(tx: Tx, subscription_id: str, at: datetime) -> BilledPeriodRow | None:
    """The billed part that an instant belongs to, or None; the newest when several touch."""
    query = (
        select(BilledPeriodRow)
        .where(
            BilledPeriodRow.subscription_id == subscription_id,
            BilledPeriodRow.start_at <= at,
            BilledPeriodRow.end_at > at,
        )
        .order_by(BilledPeriodRow.start_at.desc())
    )
    return (await tx.scalars(query)).first()


async def put_billed(
    tx: Tx, subscription_id: str, part: Period, document_id: str, grant_id: str | None
) -> None:
    """Note that a part of a period stands on an invoice.

    Where one that began at the same moment was credited as a whole, this takes its place.
    """
    row = await tx.get(BilledPeriodRow, (subscription_id, part.start), populate_existing=True)
    if row is None:
        row = BilledPeriodRow(subscription_id=subscription_id, start_at=part.start, billed_bytes=0)
        tx.add(row)
    else:
        assert row.credited_from == part.start, "a part of a period is billed once"
        row.billed_bytes = 0
    row.end_at, row.document_id, row.grant_id = part.end, document_id, grant_id
    row.credited_from = None
    await tx.flush()


async def paused_until(tx: Tx, now: datetime, *, limit: int) -> Sequence[str]:
    """Subscriptions whose pause is over, the earliest first."""
    query = (
        select(SubscriptionRow.id)
        .where(SubscriptionRow.resume_at <= now, SubscriptionRow.state == "paused")
        .order_by(SubscriptionRow.resume_at, SubscriptionRow.id)
        .limit(limit)
    )
    return (await tx.scalars(query)).all()


async def grants_locked(tx: Tx, grant_ids: Collection[str]) -> list[GrantRow]:
    """Grants that have not ended, locked in the order of their ids."""
    query = (
        select(GrantRow)
        .where(GrantRow.id.in_(grant_ids), GrantRow.ended_at.is_(None))
        .order_by(GrantRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))
