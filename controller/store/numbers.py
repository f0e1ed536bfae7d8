"""Numbers of documents: a series for each kind and branch, without gaps.

A number is taken by changing the series' row, so that whoever issues next waits for the commit, or
for the rollback that gives the number back. Every series of a branch is taken under the lock of its
invoices' series: two transactions that need two of them cannot wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.invoice import DocumentKind, series_of
from controller.store.billing_rows import NumberSeriesRow
from controller.store.database import inserting

if TYPE_CHECKING:
    from controller.store.database import Tx


async def take(tx: Tx, kind: DocumentKind, branch_id: str) -> tuple[str, int]:
    """The series of a document that is issued now, and its number there.

    The last lock of a transaction: others at this branch wait for it.
    """
    first = series_of(DocumentKind.INVOICE, branch_id)
    series = series_of(kind, branch_id)
    if series != first:
        await _moved(tx, first, by=0)
    return series, await _moved(tx, series, by=1) - 1


async def _moved(tx: Tx, series: str, *, by: int) -> int:
    """Lock a series, made when new, and move it on; its next number afterwards."""
    statement = inserting(tx, NumberSeriesRow).values(series=series, next_number=1 + by)
    taken = statement.on_conflict_do_update(
        index_elements=["series"], set_={"next_number": NumberSeriesRow.next_number + by}
    )
    return (await tx.execute(taken.returning(NumberSeriesRow.next_number))).scalar_one()
