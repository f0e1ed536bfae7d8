"""What a subscriber is to pay so that everything goes on which is suspended for want of money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from billing.charge import renewed
from billing.money import Money
from billing.subscription import Hold
from controller.store import billing_bulk, debts, dunning
from controller.store.subscriptions import as_contract
from controller.usecases.billing_batch import LATE_MAX, decided, load
from controller.usecases.reckoning import as_debt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.billing_rows import SubscriptionRow
    from controller.store.database import Tx

PLENTY = Money(10**14)
"""What a wallet would have to hold for every renewal."""


async def to_go_on(
    tx: Tx, subscriber_id: str, held: Sequence[SubscriptionRow], now: datetime
) -> Money | None:
    """How much money brings back all that money holds back; None when it holds nothing.

    ``held`` are the subscriber's subscriptions. Money pays what is open before it renews anything,
    so who waits for a renewal is to pay all of that as well. Writes nothing, and locks nothing.
    """
    unpaid = [row for row in held if row.hold == Hold.UNPAID]
    if not unpaid and not any(row.hold == Hold.DEBT for row in held):
        return None
    wallets = await billing_bulk.wallets(tx, [subscriber_id])
    if unpaid:
        wanted = await debts.owed_minor(tx, subscriber_id)
        wanted += await _renewals(tx, subscriber_id, unpaid, now)
    else:
        wanted = await _overdue(tx, subscriber_id, now)
    return Money(max(0, wanted - wallets.get(subscriber_id, 0)))


async def _renewals(
    tx: Tx, subscriber_id: str, unpaid: Sequence[SubscriptionRow], now: datetime
) -> int:
    """What the first periods cost, discounts taken off, of what would be renewed now."""
    loaded = await load(tx, [subscriber_id], now, lock=False)
    account = replace(loaded.accounts[subscriber_id], wallet=PLENTY)
    asked = replace(
        loaded,
        accounts={subscriber_id: account},
        due={subscriber_id: [renewed(as_contract(row), now) for row in unpaid]},
        uses={subscriber_id: await billing_bulk.uses(tx, unpaid, since=now - LATE_MAX)},
    )
    found = decided(asked, now)[0].get(subscriber_id)
    return 0 if found is None else sum(bill.total.minor for bill in found.bills)


async def _overdue(tx: Tx, subscriber_id: str, now: datetime) -> int:
    """What should have been paid by now: earlier debts as a whole, for money pays those first."""
    rows = await debts.overdue_of(tx, subscriber_id, now)
    if not rows:
        return 0
    last = as_debt(rows[-1], await dunning.parts_of(tx, rows[-1].document_id), now)
    return sum(row.open_minor for row in rows[:-1]) + last.overdue_minor
