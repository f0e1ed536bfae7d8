"""Credit notes by staff's word: an invoice, or an amount of it, is taken back with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.crediting import credit_of
from billing.invoice import TEXT_MAX, DocumentKind
from controller.store import crediting, documents
from controller.store.payers import locked as payers_locked
from controller.usecases.debts import DebtUnknown
from controller.usecases.documents import credit_in
from controller.usecases.money_in import check_reason, spend, wake
from controller.usecases.subscriptions import try_again_in

if TYPE_CHECKING:
    from billing.money import Money
    from controller.deps import Deps
    from controller.store.billing_rows import DocumentRow


async def credit(
    deps: Deps, invoice_id: str, *, amount: Money | None, reason: str, idempotent: str
) -> DocumentRow:
    """Take back an amount of an invoice, or (None) all that is left of it; its credit note.

    What is open of the invoice is lowered first; what had been paid goes back to the wallet, and
    may renew what waits for money. ``idempotent`` is an id that the initiator made: a repeat
    answers the same. Raises `InvalidField` (``amount``, ``reason``), `DebtUnknown`, `DatabaseBusy`.
    """
    check_reason(reason)
    cause = f"credit:{idempotent}"
    async with deps.db.begin() as tx:
        invoice = await documents.load(tx, invoice_id)
        if invoice is None or invoice.kind != DocumentKind.INVOICE:
            raise DebtUnknown(f"there is no invoice {invoice_id[:40]}")
        await payers_locked(tx, invoice.subscriber_id)
        kind = DocumentKind.CREDIT_NOTE
        known = await documents.by_cause(tx, invoice.subscriber_id, kind, cause)
        if known is not None:
            return known
        lines = await documents.lines_of(tx, invoice.id)
        text = f"Credit: {reason}"[:TEXT_MAX]
        credited = await crediting.lines_of(tx, invoice.id)
        note = await credit_in(
            tx,
            deps,
            invoice=invoice,
            lines=credit_of(lines, credited, amount, text=text),
            cause=cause,
            now=deps.now(),
        )
        await try_again_in(tx, invoice.subscriber_id, deps.now())
    assert note is not None, "this cause was looked for under the lock"
    wake(deps, await spend(deps, invoice.subscriber_id))
    return note
