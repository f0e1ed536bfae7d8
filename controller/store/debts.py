"""What is open of invoices, and what wallets paid of them, as it is kept.

Whoever changes a debt holds its subscriber's lock; debts are locked after it, in the order in which
they are paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select

from controller.store.billing_rows import AllocationRow, DebtRow, DocumentRow
from controller.store.database import ROW_LOCK

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def add(
    tx: Tx,
    *,
    document: DocumentRow,
    due_at: datetime,
    settled_at: datetime | None,
    step_at: datetime | None,
) -> None:
    """Keep what is open of a new invoice."""
    await tx.execute(
        insert(DebtRow).values(
            document_id=document.id,
            subscriber_id=document.subscriber_id,
            due_at=due_at,
            open_minor=document.total_minor,
            settled_at=settled_at,
            steps_done=0,
            step_at=step_at,
        )
    )


async def locked(tx: Tx, document_id: str) -> DebtRow | None:
    """The debt of an invoice, locked and as it now is, or None."""
    return await tx.get(DebtRow, document_id, with_for_update=ROW_LOCK, populate_existing=True)


async def open_of(tx: Tx, subscriber_id: str) -> list[DebtRow]:
    """What a subscriber owes, the oldest first; locked."""
    return list(await tx.scalars(_OPEN_LOCKED, {"subscriber_id": subscriber_id}))


async def overdue_of(tx: Tx, subscriber_id: str, now: datetime) -> list[DebtRow]:
    """What a subscriber should have paid by now, the oldest first; not locked."""
    query = _OPEN.where(DebtRow.due_at <= now)
    return list(await tx.scalars(query, {"subscriber_id": subscriber_id}))


# Statements of every payment are made once: making one anew takes longer than its answer.
_OPEN = (
    select(DebtRow)
    .join(DocumentRow, DocumentRow.id == DebtRow.document_id)
    .where(DebtRow.subscriber_id == bindparam("subscriber_id"), DebtRow.settled_at.is_(None))
    .order_by(DebtRow.due_at, DocumentRow.issued_at, DocumentRow.number)
)
_OPEN_LOCKED = _OPEN.with_for_update(of=DebtRow, key_share=True).execution_options(
    populate_existing=True
)


async def owed_minor(tx: Tx, subscriber_id: str) -> int:
    """How much a subscriber owes altogether."""
    query = select(func.coalesce(func.sum(DebtRow.open_minor), 0)).where(
        DebtRow.subscriber_id == subscriber_id
    )
    return int((await tx.execute(query)).scalar_one())


async def paid_minor(tx: Tx, document_id: str) -> int:
    """How much of an invoice wallets have paid, less what was taken back."""
    return int((await tx.execute(_PAID, {"document_id": document_id})).scalar_one())


_PAID = select(func.coalesce(func.sum(AllocationRow.amount_minor), 0)).where(
    AllocationRow.document_id == bindparam("document_id")
)


async def paid_newest_first(tx: Tx, subscriber_id: str) -> list[tuple[str, int]]:
    """What a subscriber's wallet has paid, by invoice; first what it paid last.

    Of what it paid at once that is what was due last.
    """
    paid = func.sum(AllocationRow.amount_minor)
    due = (DebtRow.due_at, DocumentRow.issued_at, DocumentRow.number)
    query = (
        select(AllocationRow.document_id, paid)
        .join(DebtRow, DebtRow.document_id == AllocationRow.document_id)
        .join(DocumentRow, DocumentRow.id == AllocationRow.document_id)
        .where(AllocationRow.subscriber_id == subscriber_id)
        .group_by(AllocationRow.document_id, *due)
        .having(paid > 0)
        .order_by(func.max(AllocationRow.at).desc(), *(column.desc() for column in due))
    )
    return [(document_id, int(minor)) for document_id, minor in await tx.execute(query)]


async def owner(tx: Tx, document_id: str) -> str | None:
    """Who owes an invoice; None when there is no such invoice."""
    return await tx.scalar(select(DebtRow.subscriber_id).where(DebtRow.document_id == document_id))
