"""What must hold of the books after every scenario, whatever happened in it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from billing.invoice import DocumentKind
from billing.ledger import balances
from controller.store import ledger
from controller.store.billing_rows import (
    AllocationRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    InstalmentRow,
    NumberSeriesRow,
    PromotionUseRow,
    ReceivedRow,
)
from controller.store.payment_rows import ArrivalRow
from controller.store.rows import LedgerTransactionRow, PostingRow, SubscriberRow

if TYPE_CHECKING:
    from controller.store.database import Database, Tx

RECEIVABLE = "asset:receivable:"
WALLET = "liability:wallet:"
PARTS = ("net_minor", "excise_minor", "vat_minor", "total_minor")


async def assert_the_books_are_right(db: Database) -> None:
    """Every invariant of documents, debts, wallets and the ledger. Raises `AssertionError`."""
    async with db.read() as tx:
        sums = balances(await ledger.all_postings(tx))
        held = {str(account): minor for (account, _), minor in sums.items()}
        assert sum(held.values()) == 0
        await _receivable_is_what_is_open(tx, held)
        _no_wallet_is_below_zero(held)
        await _documents_sum(tx)
        await _numbers_have_no_gaps(tx)
        await _every_posting_has_a_cause(tx)
        await _every_debt_adds_up(tx)
        await _received_money_is_in_a_till(tx)


async def balances_now(db: Database) -> dict[str, int]:
    """What each account holds, without those that hold nothing: to compare before and after."""
    async with db.read() as tx:
        sums = balances(await ledger.all_postings(tx))
    return {account: minor for (account, _), minor in sums.items() if minor}


async def _receivable_is_what_is_open(tx: Tx, held: dict[str, int]) -> None:
    sums = select(DebtRow.subscriber_id, func.sum(DebtRow.open_minor)).group_by(
        DebtRow.subscriber_id
    )
    owed = {subscriber: int(minor) for subscriber, minor in await tx.execute(sums)}
    for subscriber in await tx.scalars(select(SubscriberRow.id)):
        booked = held.get(f"{RECEIVABLE}{subscriber}", 0)
        assert booked == owed.get(subscriber, 0), f"{subscriber} owes what is not open"


def _no_wallet_is_below_zero(held: dict[str, int]) -> None:
    below = {
        account: minor
        for account, minor in held.items()
        if account.startswith(WALLET) and minor > 0
    }
    assert below == {}, "a wallet was spent twice"


async def _documents_sum(tx: Tx) -> None:
    lines: dict[str, list[DocumentLineRow]] = defaultdict(list)
    for line in await tx.scalars(select(DocumentLineRow)):
        lines[line.document_id].append(line)
    for document in await tx.scalars(select(DocumentRow)):
        whole = tuple(getattr(document, part) for part in PARTS)
        if document.kind == DocumentKind.RECEIPT:
            assert document.id not in lines
            assert whole[0] == whole[3]
            continue
        assert document.id in lines, f"{document.series} {document.number} has no lines"
        sums = tuple(sum(getattr(line, part) for line in lines[document.id]) for part in PARTS)
        assert sums == whole, f"{document.series} {document.number} does not sum"


async def _numbers_have_no_gaps(tx: Tx) -> None:
    numbers: dict[str, list[int]] = defaultdict(list)
    order = select(DocumentRow.series, DocumentRow.number)
    for series, number in await tx.execute(order.order_by(DocumentRow.number)):
        numbers[series].append(number)
    for row in await tx.scalars(select(NumberSeriesRow)):
        found = numbers.pop(row.series, [])
        assert found == list(range(1, row.next_number)), f"{row.series} has a gap"
    assert dict(numbers) == {}, "documents of no series"


async def _every_posting_has_a_cause(tx: Tx) -> None:
    told = set(await tx.scalars(select(LedgerTransactionRow.id)))
    posted = set(await tx.scalars(select(PostingRow.transaction_id)))
    assert told == posted, "a transaction without postings"
    causes = {
        "document": set(await tx.scalars(select(DocumentRow.id))),
        "received": set(await tx.scalars(select(ReceivedRow.id))),
        "allocated": set(await tx.scalars(select(AllocationRow.id))),
        "written-off": set(await tx.scalars(select(DebtRow.document_id))),
        "reward": set(await tx.scalars(select(PromotionUseRow.id))),
    }
    for name in told:
        kind, _, rest = name.partition(":")
        if kind in causes:
            assert rest.partition(":")[0] in causes[kind], f"{name} has no cause"
    booked = {name.partition(":")[2] for name in told if name.startswith("allocated:")}
    assert booked == causes["allocated"]


async def _every_debt_adds_up(tx: Tx) -> None:
    """Open is what was charged, less what was paid, credited and written off."""
    paid = await _sums(tx, AllocationRow.document_id, AllocationRow.amount_minor)
    credited = await _sums(tx, DocumentRow.refers_to, DocumentRow.total_minor)
    lost = await _losses(tx)
    agreed = await _sums(tx, InstalmentRow.document_id, InstalmentRow.amount_minor)
    charged = {
        row.id: row.total_minor
        for row in await tx.scalars(
            select(DocumentRow).where(DocumentRow.kind == DocumentKind.INVOICE)
        )
    }
    debts = {row.document_id: row for row in await tx.scalars(select(DebtRow))}
    assert debts.keys() == charged.keys(), "an invoice without a debt, or a debt without an invoice"
    for name, debt in debts.items():
        left = charged[name] - paid.get(name, 0) - credited.get(name, 0) - lost.get(name, 0)
        assert debt.open_minor == left, f"debt {name} does not add up"
        assert paid.get(name, 0) >= 0
        assert agreed.get(name, 0) <= charged[name]


async def _losses(tx: Tx) -> dict[str, int]:
    """What was written off of each invoice, less what a credit note made unlost."""
    notes = {
        row.id: row.refers_to
        for row in await tx.scalars(select(DocumentRow).where(DocumentRow.refers_to.is_not(None)))
    }
    lost: dict[str, int] = defaultdict(int)
    for row in await tx.scalars(select(PostingRow)):
        kind, _, rest = row.transaction_id.partition(":")
        name, _, how = rest.partition(":")
        if kind == "written-off":
            lost[name] += row.amount_minor
        if kind == "document" and how == "not-lost":
            lost[notes[name] or ""] -= row.amount_minor
    return lost


async def _sums(tx: Tx, key: object, minor: object) -> dict[str, int]:
    rows = await tx.execute(select(key, func.sum(minor)).group_by(key))  # type: ignore[call-overload]
    return {name: int(total) for name, total in rows}


async def _received_money_is_in_a_till(tx: Tx) -> None:
    """What came in is what its postings say, and went back as often as it says; once at most."""
    moved: dict[str, int] = defaultdict(int)
    query = select(PostingRow).where(PostingRow.transaction_id.startswith("received:"))
    for posting in await tx.scalars(query):
        moved[posting.transaction_id] += posting.amount_minor
    gone = set(
        await tx.scalars(select(ArrivalRow.received_id).where(ArrivalRow.state == "returned"))
    )
    for row in await tx.scalars(select(ReceivedRow)):
        booked = moved[f"received:{row.id}"]
        assert booked == row.amount_minor, f"received {row.id} is not what was booked"
        back = moved.get(f"received:{row.id}:reversed", 0)
        by_hand = row.reversed_at is not None and back == row.amount_minor
        assert by_hand or back == 0, f"received {row.id} went back in part"
        assert by_hand or (row.reversed_at is None) or row.id in gone
