"""Invoices, credit notes and receipts as they are kept: written once, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from billing.ids import AccountName
from billing.invoice import DocumentKind, Line, LineKind
from billing.money import Money
from billing.tax import Rates, TaxClass, Taxed
from controller.store.billing_rows import DocumentLineRow, DocumentRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.store.database import Tx


async def load(tx: Tx, document_id: str) -> DocumentRow | None:
    """A document, or None."""
    return await tx.get(DocumentRow, document_id)


async def by_cause(
    tx: Tx, subscriber_id: str, kind: DocumentKind, cause: str
) -> DocumentRow | None:
    """What was issued for a cause, or None. Hold the subscriber's lock, or it may come to be."""
    query = select(DocumentRow).where(
        DocumentRow.subscriber_id == subscriber_id,
        DocumentRow.kind == kind,
        DocumentRow.cause == cause,
    )
    return (await tx.scalars(query)).first()


async def add(tx: Tx, row: DocumentRow, lines: Sequence[Line]) -> None:
    """Keep a new document with its lines, in their order."""
    tx.add(row)
    await tx.flush()
    if lines:
        await tx.execute(
            insert(DocumentLineRow),
            [
                {"document_id": row.id, "n": n, **_columns(line)}
                for n, line in enumerate(lines, start=1)
            ],
        )


async def lines_of(tx: Tx, document_id: str) -> list[Line]:
    """The lines of a document, in their order."""
    query = select(DocumentLineRow).where(DocumentLineRow.document_id == document_id)
    currency = (await tx.get_one(DocumentRow, document_id)).currency
    return [_line(row, currency) for row in await tx.scalars(query.order_by(DocumentLineRow.n))]


async def credited_minor(tx: Tx, invoice_id: str) -> int:
    """How much of an invoice its credit notes have taken back."""
    query = select(func.coalesce(func.sum(DocumentRow.total_minor), 0)).where(
        DocumentRow.refers_to == invoice_id
    )
    return int((await tx.execute(query)).scalar_one())


def _columns(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind,
        "text": line.text,
        "account": line.account,
        "subscription_id": line.subscription_id,
        "plan_id": line.plan_id,
        "tax_class": line.tax_class,
        "excise_bp": line.rates.excise_bp,
        "vat_bp": line.rates.vat_bp,
        "net_minor": line.taxed.net.minor,
        "excise_minor": line.taxed.excise.minor,
        "vat_minor": line.taxed.vat.minor,
        "total_minor": line.taxed.total.minor,
    }


def _line(row: DocumentLineRow, currency: str) -> Line:
    return Line(
        kind=LineKind(row.kind),
        text=row.text,
        account=AccountName(row.account),
        taxed=Taxed(
            Money(row.net_minor, currency),
            Money(row.excise_minor, currency),
            Money(row.vat_minor, currency),
        ),
        tax_class=TaxClass(row.tax_class),
        rates=Rates(row.excise_bp, row.vat_bp),
        subscription_id=row.subscription_id,
        plan_id=row.plan_id,
    )


async def whose_number(tx: Tx, *, series: str, number: int) -> str | None:
    """Whose document has this number of a series, or None."""
    query = select(DocumentRow.subscriber_id).where(
        DocumentRow.series == series, DocumentRow.number == number
    )
    return await tx.scalar(query)
