"""Documents are issued here: invoices, credit notes and receipts, each once for its cause.

What was issued is never changed: a credit note takes back what an invoice charged too much.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing.accounts import adjustment, bad_debt, receivable, wallet
from billing.dunning import Debt, next_step_at
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.invoice import DocumentKind, credited, issued, shown_number, total
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.tax import Taxed
from controller.store import debts, documents, dunning, ledger, numbers, operators, payers, received
from controller.store.billing_rows import DocumentRow
from controller.usecases.allocation import allocate_in, allocated_in, settle
from controller.usecases.frozen import buyer_of, frozen, seller_of
from controller.usecases.reckoning import reckoned_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.invoice import Line
    from billing.period import Period
    from controller.deps import Deps
    from controller.store.billing_rows import AllocationRow, ReceivedRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document before it has its number."""

    kind: DocumentKind
    subscriber: SubscriberRow
    branch_id: str
    sums: Taxed
    cause: str
    at: datetime
    lines: Sequence[Line] = ()
    due_at: datetime | None = None
    period: Period | None = None
    refers_to: str | None = None


async def issue_in(
    tx: Tx,
    deps: Deps,
    *,
    subscriber: SubscriberRow,
    lines: Sequence[Line],
    cause: str,
    now: datetime,
    due_at: datetime | None,
    period: Period | None = None,
) -> DocumentRow | None:
    """Issue an invoice and pay it with what the wallet holds; None when this cause has one.

    In the caller's transaction, who holds the subscriber's lock. ``due_at`` is ``now`` when None.
    Raises `InvalidField` (``lines``).
    """
    kind = DocumentKind.INVOICE
    if await documents.by_cause(tx, subscriber.id, kind, cause) is not None:
        return None
    draft = _Draft(
        kind=kind,
        subscriber=subscriber,
        branch_id=subscriber.branch_id,
        sums=total(lines),
        cause=cause,
        at=now,
        lines=lines,
        due_at=due_at or now,
        period=period,
    )
    document = await _written(tx, draft)
    await _post(tx, document, issued(lines, subscriber.id))
    await _owed(tx, subscriber, document, due_at or now)
    await allocate_in(tx, deps, subscriber, now)
    return document


async def credit_in(
    tx: Tx,
    deps: Deps,
    *,
    invoice: DocumentRow,
    lines: Sequence[Line],
    cause: str,
    now: datetime,
) -> DocumentRow | None:
    """Take back a part of an invoice, or all of it; None when this cause has done so.

    ``lines`` are (positive) parts of the invoice's. What is open of it is lowered first; what had
    been paid goes back to the wallet, and pays what else is open. The caller holds the
    subscriber's lock. Raises `InvalidField` (``lines``) for more than the invoice has left.
    """
    kind = DocumentKind.CREDIT_NOTE
    if await documents.by_cause(tx, invoice.subscriber_id, kind, cause) is not None:
        return None
    sums = total(lines)
    left = invoice.total_minor - await documents.credited_minor(tx, invoice.id)
    if not 0 < sums.total.minor <= left:
        raise InvalidField("lines", f"want more than nothing and at most {Money(left)}")
    subscriber = await payers.loaded(tx, invoice.subscriber_id)
    draft = _Draft(
        kind=kind,
        subscriber=subscriber,
        branch_id=invoice.branch_id,
        sums=sums,
        cause=cause,
        at=now,
        lines=lines,
        refers_to=invoice.id,
    )
    shown = shown_number(invoice.series, invoice.number)
    document = await _written(
        tx, draft, of={"number": shown, "issued_at": invoice.issued_at.isoformat()}
    )
    await _post(tx, document, credited([_given(line, invoice) for line in lines], subscriber.id))
    await _lowered(tx, subscriber, invoice, document)
    await allocate_in(tx, deps, subscriber, now)
    return document


def _given(line: Line, invoice: DocumentRow) -> Line:
    """A line that is taken back, with the account that it is booked on.

    What an invoice put into the wallet itself, for money that had been taken back, stays there:
    staff give it.
    """
    if line.account == wallet(invoice.subscriber_id):
        return replace(line, account=adjustment(invoice.branch_id))
    return line


async def receipt_in(
    tx: Tx,
    *,
    of: ReceivedRow,
    subscriber: SubscriberRow,
    paid: Sequence[AllocationRow],
    now: datetime,
) -> DocumentRow:
    """Issue the receipt for money that came in; the last thing to do about it."""
    amount = Money(of.amount_minor, of.currency)
    nothing = Money(0, of.currency)
    draft = _Draft(
        kind=DocumentKind.RECEIPT,
        subscriber=subscriber,
        branch_id=of.branch_id,
        sums=Taxed(amount, nothing, nothing),
        cause=f"received:{of.id}",
        at=now,
    )
    return await _written(
        tx,
        draft,
        received_at=of.at.isoformat(),
        received={name: getattr(of, name) for name in ("id", "rail", "place", "receipt", "note")},
        paid=[
            {"number": await _shown(tx, row.document_id), "amount_minor": row.amount_minor}
            for row in paid
        ],
        wallet_minor=await received.wallet_minor(tx, subscriber.id),
    )


async def _written(tx: Tx, draft: _Draft, **more: object) -> DocumentRow:
    """Give a draft its number, and keep it; ``more`` is frozen with it."""
    printed = await _printed(tx, draft, **more)
    series, number = await numbers.take(tx, draft.kind, draft.branch_id)
    row = DocumentRow(
        id=secrets.token_hex(16),
        kind=draft.kind,
        series=series,
        number=number,
        subscriber_id=draft.subscriber.id,
        branch_id=draft.branch_id,
        cause=draft.cause,
        issued_at=draft.at,
        due_at=draft.due_at,
        period_start=draft.period and draft.period.start,
        period_end=draft.period and draft.period.end,
        currency=draft.sums.net.currency,
        net_minor=draft.sums.net.minor,
        excise_minor=draft.sums.excise.minor,
        vat_minor=draft.sums.vat.minor,
        total_minor=draft.sums.total.minor,
        refers_to=draft.refers_to,
        frozen=printed,
    )
    await documents.add(tx, row, draft.lines)
    return row


async def _printed(tx: Tx, draft: _Draft, **more: object) -> str:
    operator = await operators.operator(tx)
    branch = await operators.branch(tx, draft.branch_id)
    seller, buyer = seller_of(operator, branch), buyer_of(draft.subscriber)
    return frozen(seller, buyer, draft.lines, **more)


async def _post(tx: Tx, document: DocumentRow, postings: tuple[Posting, ...]) -> None:
    """Book a document; one of nothing but zeros books nothing."""
    if not postings:
        return
    transaction = Transaction(
        id=TransactionId(f"document:{document.id}"),
        at=document.issued_at,
        cause=f"{document.kind} {shown_number(document.series, document.number)}",
        postings=postings,
    )
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED, "a document was booked before it was issued"


async def _owed(tx: Tx, subscriber: SubscriberRow, invoice: DocumentRow, due_at: datetime) -> None:
    """Make the debt of a new invoice; one of nothing is settled as it is issued."""
    policy = await dunning.policy_for(tx, subscriber.segment)
    owed = invoice.total_minor
    debt = Debt(due_at=due_at, open_minor=owed, overdue_minor=0)
    await debts.add(
        tx,
        document=invoice,
        due_at=due_at,
        settled_at=None if owed else invoice.issued_at,
        step_at=next_step_at(policy, debt),
    )


async def _lowered(
    tx: Tx, subscriber: SubscriberRow, invoice: DocumentRow, note: DocumentRow
) -> None:
    """Lower an invoice's debt by a credit note: what is open, then what was paid, then lost."""
    debt = await debts.locked(tx, invoice.id)
    assert debt is not None, "an invoice without a debt"
    paid = await debts.paid_minor(tx, invoice.id)
    lowered = min(note.total_minor, debt.open_minor)
    back = min(note.total_minor - lowered, paid)
    lost = note.total_minor - lowered - back
    if lowered:
        settle(debt, lowered, note.issued_at)
        policy = await dunning.policy_for(tx, subscriber.segment)
        await reckoned_in(tx, debt, policy, note.issued_at)
    if back:
        await allocated_in(tx, debt, -back, note.issued_at)
    if lost:
        # It had been written off: nobody paid it, so nobody gets it; the loss was none.
        branch_loss = bad_debt(invoice.branch_id)
        await ledger.post(
            tx,
            Transaction(
                id=TransactionId(f"document:{note.id}:not-lost"),
                at=note.issued_at,
                cause=f"credit of invoice {invoice.id}, which was written off",
                postings=(Posting(branch_loss, receivable(invoice.subscriber_id), Money(lost)),),
            ),
        )


async def _shown(tx: Tx, document_id: str) -> str:
    document = await documents.load(tx, document_id)
    assert document is not None
    return shown_number(document.series, document.number)
