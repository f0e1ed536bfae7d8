"""Rows that say why a customer is, or is not, online. Every query is bounded; nothing is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, text, union_all

from controller.store.code_rows import TokenRow, VoucherRow
from controller.store.payment_rows import WAITS, ArrivalRow
from controller.store.rows import BOUGHT, GrantRow, PaymentRow, PlanRow, SessionRow
from controller.store.site_rows import SiteItemRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from controller.store.database import Tx

UNPLACED_LOOKED_AT_MAX = 500
"""Money that waits for staff: usually none of it does."""


async def open_grants(tx: Tx, subscriber_id: str, *, limit: int) -> list[GrantRow]:
    """A subscriber's grants that have not ended, newest first; those of subscriptions apart."""
    row = GrantRow
    theirs = (row.subscriber_id == subscriber_id, text(BOUGHT))
    query = select(row).where(*theirs, row.ended_at.is_(None))
    return list(await tx.scalars(query.order_by(row.created_at.desc(), row.id).limit(limit)))


async def last_grant(tx: Tx, subscriber_id: str) -> GrantRow | None:
    """The newest grant of a subscriber, ended or not; those of subscriptions apart."""
    row = GrantRow
    query = select(row).where(row.subscriber_id == subscriber_id, text(BOUGHT))
    return (await tx.scalars(query.order_by(row.created_at.desc(), row.id).limit(1))).first()


async def grants_named(tx: Tx, ids: Collection[str]) -> dict[str, GrantRow]:
    """Grants by id."""
    query = select(GrantRow).where(GrantRow.id.in_(ids))
    return {row.id: row for row in await tx.scalars(query)} if ids else {}


async def last_payment(tx: Tx, msisdn: str) -> PaymentRow | None:
    """The newest order that a phone was asked to pay for access at a site."""
    row = PaymentRow
    query = select(row).where(row.msisdn == msisdn, row.purpose == "grant")
    return (await tx.scalars(query.order_by(row.created_at.desc(), row.order_id).limit(1))).first()


async def payments_named(tx: Tx, order_ids: Collection[str]) -> dict[str, PaymentRow]:
    """Payments by the order that they are of."""
    query = select(PaymentRow).where(PaymentRow.order_id.in_(order_ids))
    return {row.order_id: row for row in await tx.scalars(query)} if order_ids else {}


async def codes_among(tx: Tx, causes: Collection[str]) -> set[str]:
    """Those of these causes that are redemptions of a voucher or a token."""
    if not causes:
        return set()
    either = union_all(
        *(
            select(row.redemption_id).where(row.redemption_id.in_(causes))
            for row in (VoucherRow, TokenRow)
        )
    )
    return {str(one) for (one,) in await tx.execute(either)}


async def unplaced(
    tx: Tx, spellings: Sequence[str], *, order_ids: Collection[str]
) -> ArrivalRow | None:
    """The newest money that nobody could place and that names a phone, or one of these orders."""
    row = ArrivalRow
    waiting = select(row.id).where(text(WAITS)).order_by(row.at.desc())
    waiting = waiting.limit(UNPLACED_LOOKED_AT_MAX)
    theirs = or_(
        row.reference.in_(spellings), row.payer.in_(spellings), row.order_id.in_(order_ids)
    )
    query = select(row).where(row.id.in_(waiting), theirs).order_by(row.at.desc(), row.id)
    return (await tx.scalars(query.limit(1))).first()


async def last_session(tx: Tx, grant_id: str) -> SessionRow | None:
    """The newest session of a grant; one that is open before those that are not."""
    row = SessionRow
    query = select(row).where(row.grant_id == grant_id)
    newest = query.order_by(row.closed_at.is_not(None), row.opened_at.desc(), row.id).limit(1)
    return (await tx.scalars(newest)).first()


async def told(tx: Tx, site_id: str, grant_id: str) -> int | None:
    """The generation in which a site is told of a grant; None when it is not, or no more."""
    row = SiteItemRow
    query = select(row.generation).where(
        row.site_id == site_id, row.key == f"grant/{grant_id}", row.body.is_not(None)
    )
    return await tx.scalar(query)


async def plans_named(tx: Tx, ids: Collection[str]) -> dict[str, PlanRow]:
    """Plans by id."""
    return {row.id: row for row in await tx.scalars(select(PlanRow).where(PlanRow.id.in_(ids)))}


async def sites_named(tx: Tx, ids: Collection[str]) -> dict[str, SiteRow]:
    """Sites by id."""
    return {row.id: row for row in await tx.scalars(select(SiteRow).where(SiteRow.id.in_(ids)))}
