"""The credit notes of an invoice, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store import documents
from controller.store.billing_rows import DocumentRow

if TYPE_CHECKING:
    from billing.invoice import Line
    from controller.store.database import Tx


async def notes_of(tx: Tx, invoice_id: str) -> list[DocumentRow]:
    """The credit notes of an invoice, in the order of their numbers."""
    query = select(DocumentRow).where(DocumentRow.refers_to == invoice_id)
    return list(await tx.scalars(query.order_by(DocumentRow.number)))


async def lines_of(tx: Tx, invoice_id: str) -> list[Line]:
    """All lines of all credit notes of an invoice."""
    notes = await notes_of(tx, invoice_id)
    return [line for note in notes for line in await documents.lines_of(tx, note.id)]
