"""The invoices of a batch as rows of their tables, each a tuple in the order of its columns. PURE.

What a single invoice writes one by one (`controller/usecases/documents.py`) stands here for many;
a test holds the two side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing.accounts import receivable, wallet
from billing.dunning import Debt, next_step_at
from billing.invoice import DocumentKind, issued, series_of, shown_number, total
from billing.ledger import Posting
from billing.run import to_pay_until
from controller.usecases.frozen import Buyer, Seller, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from billing.dunning import Policy
    from billing.invoice import Line
    from billing.run import Bill, Turn


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is billed: for the books, on paper, and with what patience."""

    subscriber_id: str
    branch_id: str
    buyer: Buyer
    seller: Seller
    policy: Policy


@dataclass(frozen=True, slots=True)
class Named:
    """A bill with all that it needs to be an invoice, but its number.

    ``grants`` are those whose use its periods are charged with, by subscription. ``allocation_id``
    names what the wallet pays of it.
    """

    bill: Bill
    payer: Payer
    document_id: str
    allocation_id: str
    cause: str
    grants: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class InvoiceRows:
    """Rows of every table that issuing writes to.

    Documents, and what the ledger says of them, lack their numbers until they are `numbered`: the
    lock on a series is held by one transaction at a time, so what can be done without comes first.
    """

    documents: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    debts: list[tuple[Any, ...]] = field(default_factory=list)
    periods: list[tuple[Any, ...]] = field(default_factory=list)
    transactions: list[tuple[Any, ...]] = field(default_factory=list)
    postings: list[tuple[Any, ...]] = field(default_factory=list)
    allocations: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, one: Named, now: datetime) -> None:
        """The rows of one more invoice."""
        due_at = to_pay_until(one.bill, terms_days=one.payer.policy.terms_days, now=now)
        self._add_document(one, due_at, now)
        self.lines.extend(
            _line(one.document_id, n, line) for n, line in enumerate(one.bill.lines, start=1)
        )
        self._add_debt(one, due_at, now)
        self.periods.extend(
            (
                turn.contract.id,
                turn.billed.start,
                turn.billed.end,
                one.document_id,
                one.grants[turn.contract.id],
                _charged(turn, one.grants[turn.contract.id]),
                None,
            )
            for turn in one.bill.turns
            if turn.billed is not None
        )
        self._post(one, now)

    def numbered(self, numbers: Iterable[int]) -> None:
        """Give the documents their numbers, in the order in which they were added."""
        moved = {name for name, *_ in self.postings}
        for n, (row, number) in enumerate(zip(self.documents, numbers, strict=True)):
            document_id, kind, series, _, *rest = row
            self.documents[n] = (document_id, kind, series, number, *rest)
            name = _posted_as(document_id)
            if name in moved:
                self.transactions.append((name, row[7], f"invoice {shown_number(series, number)}"))

    def _add_document(self, one: Named, due_at: datetime, now: datetime) -> None:
        sums = total(one.bill.lines)
        self.documents.append(
            (
                one.document_id,
                DocumentKind.INVOICE.value,
                series_of(DocumentKind.INVOICE, one.payer.branch_id),
                None,
                one.payer.subscriber_id,
                one.payer.branch_id,
                one.cause,
                now,
                due_at,
                one.bill.period.start,
                one.bill.period.end,
                sums.net.currency,
                sums.net.minor,
                sums.excise.minor,
                sums.vat.minor,
                sums.total.minor,
                None,
                frozen(one.payer.seller, one.payer.buyer, one.bill.lines),
            )
        )

    def _add_debt(self, one: Named, due_at: datetime, now: datetime) -> None:
        left = one.bill.total.minor - one.bill.paid.minor
        step_at = next_step_at(one.payer.policy, Debt(due_at, left, 0)) if left else None
        self.debts.append(
            (
                one.document_id,
                one.payer.subscriber_id,
                due_at,
                left,
                None if left else now,
                0,
                step_at,
                None,
            )
        )

    def _post(self, one: Named, now: datetime) -> None:
        subscriber_id = one.payer.subscriber_id
        name = _posted_as(one.document_id)
        self.postings.extend(_postings(name, issued(one.bill.lines, subscriber_id)))
        if not one.bill.paid.minor:
            return
        paid = f"allocated:{one.allocation_id}"
        posting = Posting(receivable(subscriber_id), wallet(subscriber_id), one.bill.paid)
        self.postings.extend(_postings(paid, (posting,)))
        self.transactions.append((paid, now, f"wallet pays invoice {one.document_id}"))
        self.allocations.append(
            (
                one.allocation_id,
                one.document_id,
                subscriber_id,
                one.bill.paid.minor,
                now,
                paid,
            )
        )


def _posted_as(document_id: str) -> str:
    """The ledger's transaction of a document."""
    return f"document:{document_id}"


def _postings(name: str, moved: Sequence[Posting]) -> list[tuple[Any, ...]]:
    """The postings of the transaction of that name."""
    return [
        (name, n, one.source, one.target, one.amount.minor, one.amount.currency)
        for n, one in enumerate(moved)
    ]


def _charged(turn: Turn, grant_id: str | None) -> int:
    """How much of a grant's use a turn charges."""
    return next((use.used_bytes for use in turn.charged if use.grant_id == grant_id), 0)


def _line(document_id: str, n: int, line: Line) -> tuple[Any, ...]:
    net, excise, vat = line.taxed.net.minor, line.taxed.excise.minor, line.taxed.vat.minor
    return (
        document_id,
        n,
        line.kind.value,
        line.text,
        line.account,
        line.subscription_id,
        line.plan_id,
        line.tax_class.value,
        line.rates.excise_bp,
        line.rates.vat_bp,
        net,
        excise,
        vat,
        net + excise + vat,
    )
