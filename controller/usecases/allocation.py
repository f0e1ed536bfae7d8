"""What wallets do with their money: they pay open invoices, the oldest first."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from billing.accounts import receivable, wallet
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.store import debts, dunning, ledger, received
from controller.usecases.reckoning import reckoned_in, suspended_again
from controller.usecases.rewards import earned_in

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.billing_rows import AllocationRow, DebtRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


async def allocate_in(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime
) -> list[AllocationRow]:
    """Pay what is open with what the wallet holds; the caller holds the subscriber's lock.

    Invoices that are paid may earn rewards, which pay what is open too. Afterwards the wallet is
    empty, or nothing is open.
    """
    del deps
    paid: list[AllocationRow] = []
    while True:
        settled = await _round(tx, subscriber, paid, now)
        if not settled or not await earned_in(tx, subscriber, settled, now):
            return paid


async def _round(
    tx: Tx, subscriber: SubscriberRow, paid: list[AllocationRow], now: datetime
) -> list[AllocationRow]:
    """Spend the wallet once, adding to ``paid``; those payments that settled an invoice."""
    held = await received.wallet_minor(tx, subscriber.id)
    if held <= 0:
        return []
    settled: list[AllocationRow] = []
    for debt in await debts.open_of(tx, subscriber.id):
        amount = min(held, debt.open_minor)
        row = await allocated_in(tx, debt, amount, now)
        settle(debt, amount, now)
        paid.append(row)
        held -= amount
        if debt.settled_at is not None:
            settled.append(row)
        else:
            await reckoned_in(tx, debt, await dunning.policy_for(tx, subscriber.segment), now)
        if held == 0:
            break
    return settled


async def take_back_in(
    tx: Tx, subscriber: SubscriberRow, amount_minor: int, now: datetime
) -> list[DebtRow]:
    """Take money back into the wallet from what it paid last; the debts that are open again.

    It is as much as ``amount_minor``, or all that was paid. A service that was suspended for such
    a debt, and resumed when it was paid, comes to its suspension again.
    """
    policy = await dunning.policy_for(tx, subscriber.segment)
    opened: list[DebtRow] = []
    for document_id, paid in await debts.paid_newest_first(tx, subscriber.id):
        if amount_minor == 0:
            break
        part = min(amount_minor, paid)
        debt = await debts.locked(tx, document_id)
        assert debt is not None, "money paid something that is no debt"
        await allocated_in(tx, debt, -part, now)
        debt.open_minor, debt.settled_at = debt.open_minor + part, None
        suspended_again(debt, policy)
        await reckoned_in(tx, debt, policy, now)
        opened.append(debt)
        amount_minor -= part
    return opened


def settle(debt: DebtRow, amount_minor: int, now: datetime) -> None:
    """Note that so much of a debt is open no more."""
    assert 0 < amount_minor <= debt.open_minor
    debt.open_minor -= amount_minor
    if debt.open_minor == 0:
        debt.settled_at, debt.step_at, debt.promised_until = now, None, None


async def allocated_in(tx: Tx, debt: DebtRow, amount_minor: int, now: datetime) -> AllocationRow:
    """Book what a wallet paid of an invoice; a negative amount goes back into the wallet."""
    name = secrets.token_hex(16)
    owed, held = receivable(debt.subscriber_id), wallet(debt.subscriber_id)
    amount = Money(abs(amount_minor))
    back = amount_minor < 0
    transaction = Transaction(
        id=TransactionId(f"allocated:{name}"),
        at=now,
        cause=f"wallet {'takes back of' if back else 'pays'} invoice {debt.document_id}",
        postings=(Posting(held, owed, amount) if back else Posting(owed, held, amount),),
    )
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED
    return await received.allocated(
        tx,
        allocation_id=name,
        document_id=debt.document_id,
        subscriber_id=debt.subscriber_id,
        amount_minor=amount_minor,
        at=now,
        transaction_id=transaction.id,
    )
