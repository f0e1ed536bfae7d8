"""Money that came in, and what wallets did with it, as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from billing.accounts import wallet
from controller.store import ledger
from controller.store.billing_rows import AllocationRow, PromotionUseRow, ReceivedRow
from controller.store.database import ROW_LOCK

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def load(tx: Tx, received_id: str) -> ReceivedRow | None:
    """Money that came in, or None."""
    return await tx.get(ReceivedRow, received_id)


async def add(tx: Tx, row: ReceivedRow) -> None:
    """Keep money that came in."""
    tx.add(row)
    await tx.flush()


async def locked(tx: Tx, received_id: str) -> ReceivedRow:
    """Money that came in, locked and as it now is; it must be there."""
    return await tx.get_one(
        ReceivedRow, received_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def learn_receipt(tx: Tx, received_id: str | None, receipt: str) -> None:
    """Note the receipt of money that was booked before it was known; nothing when it was not."""
    if received_id is not None:
        (await locked(tx, received_id)).receipt = receipt


async def whose_money(tx: Tx, received_id: str) -> set[str]:
    """Who paid it, and whom it brought rewards; nobody when it never came."""
    payer = select(ReceivedRow.subscriber_id).where(ReceivedRow.id == received_id)
    rewarded = select(PromotionUseRow.subscriber_id).where(PromotionUseRow.cause == received_id)
    found = set(await tx.scalars(payer))
    return found | set(await tx.scalars(rewarded)) if found else found


async def wallet_minor(tx: Tx, subscriber_id: str) -> int:
    """What a subscriber's wallet holds. Hold his lock to spend it."""
    return -(await ledger.balance(tx, wallet(subscriber_id))).minor


async def paid_since(tx: Tx, subscriber_id: str, since: datetime) -> dict[str, AllocationRow]:
    """What a wallet has paid of invoices since then, by id, in order."""
    rows = await tx.scalars(_PAID_SINCE, {"subscriber_id": subscriber_id, "since": since})
    return {row.id: row for row in rows}


# Made once: making it anew for every payment takes longer than its answer.
_PAID_SINCE = (
    select(AllocationRow)
    .where(
        AllocationRow.subscriber_id == bindparam("subscriber_id"),
        AllocationRow.at >= bindparam("since"),
        AllocationRow.amount_minor > 0,
    )
    .order_by(AllocationRow.at, AllocationRow.id)
)


async def allocated(
    tx: Tx,
    *,
    allocation_id: str,
    document_id: str,
    subscriber_id: str,
    amount_minor: int,
    at: datetime,
    transaction_id: str,
) -> AllocationRow:
    """Keep what a wallet paid of an invoice; negative when it was taken back."""
    row = AllocationRow(
        id=allocation_id,
        document_id=document_id,
        subscriber_id=subscriber_id,
        amount_minor=amount_minor,
        at=at,
        transaction_id=transaction_id,
    )
    tx.add(row)
    await tx.flush()
    return row
