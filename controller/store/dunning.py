"""Policies of dunning, the steps that were taken, and instalments, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from billing.dunning import DEFAULT, Policy, policy_text, read_policy
from billing.instalment import Part
from billing.money import Money
from controller.store.billing_rows import (
    DebtRow,
    DocumentRow,
    DunningPolicyRow,
    DunningStepRow,
    InstalmentRow,
    SubscriptionRow,
)
from controller.store.database import inserted, upsert_many
from controller.store.rows import GrantRow, SubscriberRow
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.database import Tx

OTHERS = ""
"""The segment whose policy holds for all that have none of their own."""


SEGMENTS = (OTHERS, "residential", "business", "enterprise")

_POLICIES = "dunning.policies"
"""Where a transaction keeps what it has read."""


async def policy_for(tx: Tx, segment: str) -> Policy:
    """What happens to unpaid invoices of a segment. All are read once in a transaction.

    Hold the lock of the subscriber whose debt it is for: whoever changes a policy takes it.
    """
    if _POLICIES not in tx.info:
        tx.info[_POLICIES] = await policy_of_each(tx)
    found: Policy = tx.info[_POLICIES][segment]
    return found


async def policies(tx: Tx) -> dict[str, Policy]:
    """The policies that operators made, by segment."""
    query = select(DunningPolicyRow).order_by(DunningPolicyRow.segment)
    rows = await tx.scalars(query.execution_options(populate_existing=True))
    return {row.segment: read_policy(row.steps) for row in rows}


async def policy_of_each(tx: Tx) -> dict[str, Policy]:
    """What holds for each segment, and for all others: `policy_for` of all at once."""
    made = await policies(tx)
    others = made.get(OTHERS, DEFAULT)
    return {segment: made.get(segment, others) for segment in SEGMENTS}


async def keep_policy(tx: Tx, segment: str, policy: Policy) -> None:
    """Keep the policy of a segment, in place of the one that it had."""
    tx.info.pop(_POLICIES, None)
    row = {"segment": segment, "terms_days": policy.terms_days, "steps": policy_text(policy)}
    await upsert_many(tx, DunningPolicyRow, keys=["segment"], values=[row])


async def open_debts(tx: Tx) -> list[tuple[DebtRow, str]]:
    """Every open debt with its subscriber's segment, in the order of their ids; locked.

    Subscribers are locked first, as those do who change a debt.
    """
    owing = select(DebtRow.subscriber_id).where(DebtRow.settled_at.is_(None))
    subscribers = (
        select(SubscriberRow)
        .where(SubscriberRow.id.in_(owing))
        .order_by(SubscriberRow.id)
        .with_for_update(key_share=True)
    )
    segments = {row.id: row.segment for row in await tx.scalars(subscribers)}
    query = (
        select(DebtRow)
        .where(DebtRow.settled_at.is_(None), DebtRow.subscriber_id.in_(owing))
        .order_by(DebtRow.document_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return [
        (row, segments[row.subscriber_id])
        for row in await tx.scalars(query)
        if row.subscriber_id in segments
    ]


async def subscribers_due(tx: Tx, now: datetime, *, limit: int) -> list[str]:
    """Subscribers of whose debts a step has fallen due; those first who wait longest."""
    first = func.min(DebtRow.step_at)
    query = (
        select(DebtRow.subscriber_id)
        .where(DebtRow.step_at <= now)
        .group_by(DebtRow.subscriber_id)
        .order_by(first, DebtRow.subscriber_id)
    )
    return list(await tx.scalars(query.limit(limit)))


async def debts_upto(tx: Tx, upto: datetime) -> list[tuple[DebtRow, DocumentRow, SubscriberRow]]:
    """Debts of which a step falls due by then, with their invoices and subscribers."""
    query = (
        select(DebtRow, DocumentRow, SubscriberRow)
        .join(DocumentRow, DocumentRow.id == DebtRow.document_id)
        .join(SubscriberRow, SubscriberRow.id == DebtRow.subscriber_id)
        .where(DebtRow.step_at <= upto)
        .order_by(DebtRow.step_at, DebtRow.document_id)
    )
    return [(debt, document, who) for debt, document, who in await tx.execute(query)]


async def note_step(tx: Tx, document_id: str, *, step: str, again: str, now: datetime) -> None:
    """Write down that a step was taken; as ``again`` when it is not the first time."""
    if not await inserted(tx, DunningStepRow, document_id=document_id, step=step, at=now):
        await inserted(tx, DunningStepRow, document_id=document_id, step=again, at=now)


async def steps_of(tx: Tx, document_id: str) -> list[DunningStepRow]:
    """The steps that were taken about an invoice, in order."""
    query = select(DunningStepRow).where(DunningStepRow.document_id == document_id)
    return list(await tx.scalars(query.order_by(DunningStepRow.at, DunningStepRow.step)))


async def in_recovery(tx: Tx) -> list[tuple[DebtRow, DocumentRow, SubscriberRow]]:
    """The recovery list: open debts that dunning has given to people, the oldest first."""
    given = select(DunningStepRow.document_id).where(DunningStepRow.step.startswith("recovery"))
    query = (
        select(DebtRow, DocumentRow, SubscriberRow)
        .join(DocumentRow, DocumentRow.id == DebtRow.document_id)
        .join(SubscriberRow, SubscriberRow.id == DebtRow.subscriber_id)
        .where(DebtRow.settled_at.is_(None), DebtRow.document_id.in_(given))
        .order_by(DebtRow.due_at, DebtRow.document_id)
    )
    return [(debt, document, who) for debt, document, who in await tx.execute(query)]


async def parts_of(tx: Tx, document_id: str) -> tuple[Part, ...]:
    """The instalments of a debt, in order; none when it has not been split."""
    query = select(InstalmentRow).where(InstalmentRow.document_id == document_id)
    rows = await tx.scalars(query.order_by(InstalmentRow.n))
    return tuple(Part(row.due_at, Money(row.amount_minor)) for row in rows)


async def all_parts(tx: Tx) -> dict[str, tuple[Part, ...]]:
    """The instalments of every open debt that was split, in order, by invoice."""
    query = (
        select(InstalmentRow)
        .join(DebtRow, DebtRow.document_id == InstalmentRow.document_id)
        .where(DebtRow.settled_at.is_(None))
    )
    found: dict[str, tuple[Part, ...]] = {}
    for row in await tx.scalars(query.order_by(InstalmentRow.document_id, InstalmentRow.n)):
        part = Part(row.due_at, Money(row.amount_minor))
        found[row.document_id] = (*found.get(row.document_id, ()), part)
    return found


async def keep_parts(tx: Tx, document_id: str, parts: Sequence[Part]) -> None:
    """Keep the instalments of a debt in place of those that it had; none to have none."""
    await tx.execute(delete(InstalmentRow).where(InstalmentRow.document_id == document_id))
    if parts:
        await tx.execute(
            insert(InstalmentRow),
            [
                {
                    "document_id": document_id,
                    "n": n,
                    "due_at": part.due_at,
                    "amount_minor": part.amount.minor,
                }
                for n, part in enumerate(parts, start=1)
            ],
        )


async def site_of(tx: Tx, subscriber: SubscriberRow) -> str | None:
    """The site that messages to a subscriber are about: served there last, or of the branch."""
    served = (
        select(SubscriptionRow.site_id)
        .where(SubscriptionRow.subscriber_id == subscriber.id)
        .order_by(SubscriptionRow.created_at.desc())
    )
    bought = (
        select(GrantRow.site_id)
        .where(GrantRow.subscriber_id == subscriber.id)
        .order_by(GrantRow.created_at.desc())
    )
    near = select(SiteRow.id).where(SiteRow.branch_id == subscriber.branch_id).order_by(SiteRow.id)
    for query in (served, bought, near, select(SiteRow.id).order_by(SiteRow.id)):
        found = await tx.scalar(query.limit(1))
        if found is not None:
            return found
    return None
