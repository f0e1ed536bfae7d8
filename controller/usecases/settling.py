"""What a part of a running period comes to: billed in arrears, or credited where it was billed.

Everything here takes numbers of documents, so grants and sites come before it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.charge import (
    Mode,
    ceiled,
    floored,
    lines_for,
    rest_of,
    served_before,
    volume_lines,
)
from billing.invoice import LineKind, total
from billing.period import Period, day_of, number_at
from billing.run import cause_of
from controller.store import billing_bulk, documents, subscriptions
from controller.store.subscriptions import as_contract
from controller.usecases.billing_batch import LATE_MAX, load
from controller.usecases.documents import credit_in, issue_in

if TYPE_CHECKING:
    from datetime import datetime

    from billing.charge import Account, Catalogue, Contract
    from billing.invoice import Line
    from controller.deps import Deps
    from controller.store.billing_rows import BilledPeriodRow, SubscriptionRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

DAY = timedelta(days=1)


async def stop_in(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    row: SubscriptionRow,
    *,
    stopped_at: datetime,
    credit: bool = True,
) -> None:
    """Settle a subscription that is not served since then: bill what was, credit what will not be.

    The day on which it stopped is served. Takes numbers.
    """
    now, contract = deps.now(), as_contract(row)
    cut = ceiled(contract.cycle, stopped_at)
    if contract.mode is Mode.ARREARS:
        part = served_before(contract, stopped_at)
        if part is None:
            return
        await bill_part_in(
            tx, deps, subscriber, contract, part=part, grant_id=row.grant_id, now=now
        )
    elif credit:
        await credit_rest_in(tx, deps, row, cut, now)
    n = number_at(contract.cycle, contract.anchor_at, cut)
    if contract.mode is Mode.ARREARS or (contract.billed_until or cut) > cut:
        subscriptions.note(row, replace(contract, n=n, billed_until=cut), now)
        row.bill_at = None


async def credit_rest_in(
    tx: Tx, deps: Deps, row: SubscriptionRow, cut: datetime, now: datetime
) -> None:
    """Credit what is billed of a subscription behind a moment. Takes a number."""
    billed = await subscriptions.billed_at(tx, row.id, cut)
    if billed is not None:
        await credit_in_full(tx, deps, billed, cut=cut, now=now)


async def credit_in_full(
    tx: Tx, deps: Deps, billed: BilledPeriodRow, *, cut: datetime, now: datetime
) -> None:
    """Credit what `creditable` says of a billed part, and note from where on it is."""
    lines = await creditable(tx, billed, cut)
    if lines:
        invoice = await documents.load(tx, billed.document_id)
        assert invoice is not None
        cause = f"change:{billed.subscription_id}:{now.isoformat()}"
        await credit_in(tx, deps, invoice=invoice, lines=lines, cause=cause, now=now)
    billed.credited_from = cut
    await tx.flush()


async def creditable(tx: Tx, billed: BilledPeriodRow, cut: datetime) -> tuple[Line, ...]:
    """The lines of a credit note for a billed part behind a moment; volume stays charged.

    None where it was credited before, or by hand so far that the invoice has less left.
    """
    if billed.credited_from is not None:
        return ()
    lines = [
        line
        for line in await documents.lines_of(tx, billed.document_id)
        if line.subscription_id == billed.subscription_id and line.kind is not LineKind.USAGE
    ]
    part = Period(billed.start_at, billed.end_at)
    rest = rest_of(lines, part=part, rest=Period(cut, part.end))
    invoice = await documents.load(tx, billed.document_id)
    assert invoice is not None
    left = invoice.total_minor - await documents.credited_minor(tx, invoice.id)
    return rest if rest and 0 < total(rest).total.minor <= left else ()


async def bill_part_in(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    contract: Contract,
    *,
    part: Period,
    grant_id: str | None,
    now: datetime,
) -> None:
    """Invoice a part of a running period that was served in arrears. Takes a number."""
    account, catalogue, terms_days = await priced(tx, subscriber, now)
    lines, lowered = lines_for(contract, account, catalogue, part=part, plan_id=contract.plan_id)
    document = await issue_in(
        tx,
        deps,
        subscriber=subscriber,
        lines=lines,
        cause=f"{cause_of(part)}:{contract.id}",
        now=now,
        due_at=floored(contract.cycle, now) + terms_days * DAY,
        period=part,
    )
    assert document is not None, "a part of a period is billed once"
    await billing_bulk.lowered(tx, lowered)
    await subscriptions.put_billed(tx, contract.id, part, document.id, grant_id)


async def bill_volume_in(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, row: SubscriptionRow, now: datetime
) -> None:
    """Invoice what volume is not charged yet, before its grant is forgotten. Takes a number.

    What sites report only later is not charged: there is no invoice to come that would.
    """
    account, catalogue, terms_days = await priced(tx, subscriber, now)
    contract = as_contract(row)
    uses = await billing_bulk.uses(tx, [row], since=now - LATE_MAX)
    lines, charged = volume_lines(contract, account, catalogue, uses, day=day_of(now))
    if lines:
        await issue_in(
            tx,
            deps,
            subscriber=subscriber,
            lines=lines,
            cause=f"volume:{row.id}:{now.isoformat()}",
            now=now,
            due_at=floored(contract.cycle, now) + terms_days * DAY,
        )
        await billing_bulk.charged(tx, charged)


async def priced(
    tx: Tx, subscriber: SubscriberRow, now: datetime
) -> tuple[Account, Catalogue, int]:
    """A subscriber as invoices see one, what things cost, and the days to pay."""
    loaded = await load(tx, [subscriber.id], now, lock=False)
    policy = loaded.payers[subscriber.id].policy
    return loaded.accounts[subscriber.id], loaded.shop.catalogue, policy.terms_days
