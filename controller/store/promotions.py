"""Promotions, and what subscribers have had of them, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, func, or_, select

from billing.accounts import discount, reward
from billing.ids import AccountName
from billing.promo import Loyalty, Referral, read_terms
from controller.store.billing_rows import (
    AllocationRow,
    DebtRow,
    PromotionRow,
    PromotionUseRow,
    ReceivedRow,
)
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK, inserted
from controller.store.rows import PostingRow

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.store.database import Tx


async def load(tx: Tx, promotion_id: str) -> PromotionRow | None:
    """A promotion, or None."""
    return await tx.get(PromotionRow, promotion_id)


async def add(tx: Tx, row: PromotionRow) -> bool:
    """Keep a new promotion; False when there is one of its id."""
    columns = ("id", "kind", "name", "terms", "starts_at", "ends_at", "created_at")
    return await inserted(tx, PromotionRow, **{name: getattr(row, name) for name in columns})


async def locked(tx: Tx, promotion_id: str) -> PromotionRow | None:
    """A promotion, locked and as it now is, or None."""
    return await tx.get(
        PromotionRow, promotion_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def listed(tx: Tx) -> list[PromotionRow]:
    """Every promotion, the newest first."""
    order = (PromotionRow.created_at.desc(), PromotionRow.id)
    return list(await tx.scalars(select(PromotionRow).order_by(*order)))


async def running(tx: Tx, kind: str, now: datetime) -> list[PromotionRow]:
    """Promotions of a kind that can be had now."""
    query = select(PromotionRow).where(
        PromotionRow.kind == kind,
        PromotionRow.withdrawn_at.is_(None),
        PromotionRow.starts_at <= now,
        or_(PromotionRow.ends_at.is_(None), PromotionRow.ends_at > now),
    )
    return list(await tx.scalars(query.order_by(PromotionRow.id)))


async def referrals(tx: Tx, now: datetime) -> list[tuple[PromotionRow, Referral]]:
    """The referral rewards of now."""
    found = [(row, read_terms(row.terms)) for row in await running(tx, "referral", now)]
    return [(row, terms) for row, terms in found if isinstance(terms, Referral)]


async def loyalties(tx: Tx, now: datetime) -> list[tuple[PromotionRow, Loyalty]]:
    """The loyalty rewards of now."""
    found = [(row, read_terms(row.terms)) for row in await running(tx, "loyalty", now)]
    return [(row, terms) for row, terms in found if isinstance(terms, Loyalty)]


async def uses(tx: Tx, promotion_id: str) -> int:
    """How many subscribers have a promotion. Lock it, or there may be one more."""
    query = select(func.count()).where(
        PromotionUseRow.promotion_id == promotion_id, PromotionUseRow.reversed_at.is_(None)
    )
    return (await tx.execute(query)).scalar_one()


async def use_of(
    tx: Tx, promotion_id: str, subscriber_id: str, cause: str
) -> PromotionUseRow | None:
    """A use of a promotion, or None."""
    query = select(PromotionUseRow).where(
        PromotionUseRow.promotion_id == promotion_id,
        PromotionUseRow.subscriber_id == subscriber_id,
        PromotionUseRow.cause == cause,
    )
    return (await tx.scalars(query)).first()


async def add_use(tx: Tx, row: PromotionUseRow) -> None:
    """Keep a use of a promotion."""
    tx.add(row)
    await tx.flush()


async def rewards_of(tx: Tx, cause: str) -> list[PromotionUseRow]:
    """Rewards that a cause, or what it begins, earned, and that were not taken back; by id."""
    query = select(PromotionUseRow).where(
        or_(PromotionUseRow.cause == cause, PromotionUseRow.cause.startswith(f"{cause}:")),
        PromotionUseRow.reward_minor > 0,
        PromotionUseRow.reversed_at.is_(None),
    )
    return list(await tx.scalars(query.order_by(PromotionUseRow.id)))


async def paid_before(tx: Tx, subscriber_id: str, received_id: str) -> bool:
    """Whether a subscriber has paid anything else that was not reversed."""
    query = select(ReceivedRow.id).where(
        ReceivedRow.subscriber_id == subscriber_id,
        ReceivedRow.id != received_id,
        ReceivedRow.reversed_at.is_(None),
    )
    return (await tx.scalar(query.limit(1))) is not None


async def invoices_paid(tx: Tx, subscriber_id: str) -> int:
    """How many invoices of a subscriber are settled, and not without any money."""
    paid = exists().where(AllocationRow.document_id == DebtRow.document_id)
    query = select(func.count()).where(
        DebtRow.subscriber_id == subscriber_id, DebtRow.settled_at.is_not(None), paid
    )
    return (await tx.execute(query)).scalar_one()


async def had(tx: Tx) -> dict[str, int]:
    """How many subscribers had each promotion, of those that anybody had."""
    row = PromotionUseRow
    query = select(row.promotion_id, func.count(row.subscriber_id.distinct())).where(
        row.reversed_at.is_(None)
    )
    found = await tx.execute(query.group_by(row.promotion_id))
    return {name: int(n) for name, n in found}


async def costs(
    tx: Tx, promotion_ids: Collection[str], branch_ids: Collection[str]
) -> dict[str, int]:
    """What promotions have cost branches by the ledger, without taxes, in minor units."""
    accounts = {
        account(branch_id, name): name
        for name in promotion_ids
        for branch_id in branch_ids
        for account in (discount, reward)
    }
    cost: dict[str, int] = {}
    for side, sign in ((PostingRow.target, 1), (PostingRow.source, -1)):
        query = select(side, func.sum(PostingRow.amount_minor)).where(among(tx, side, accounts))
        for account, minor in await tx.execute(query.group_by(side)):
            name = accounts[AccountName(account)]
            cost[name] = cost.get(name, 0) + sign * int(minor)
    return cost
