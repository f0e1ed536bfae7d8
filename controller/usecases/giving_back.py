"""The bookings of money that goes back, in the caller's transaction; the verbs are `refunds`'.

What is to go back is taken out of where it is, into what is owed back by its rail; from there it
leaves our till, or goes back to the wallet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import accounts
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.store import arrivals, ledger, notices, payments, received
from controller.store.arrivals import SUSPENSE
from controller.store.database import DatabaseBusy
from controller.store.payers import locked as payers_locked
from controller.usecases import rewards
from controller.usecases.money_in import made_good, taken_back_in
from controller.usecases.paid_notices import refunded_in
from controller.usecases.period_grants import Changes, carry_out
from controller.usecases.unselling import unsell_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow, RefundRow
    from controller.store.rows import SubscriberRow


async def locked(tx: Tx, arrival_id: str) -> tuple[dict[str, SubscriberRow], ArrivalRow]:
    """Whose money it is, and the money, locked in their order.

    Raises `DatabaseBusy` when it changes hands in between.
    """
    found = await arrivals.load(tx, arrival_id)
    assert found is not None
    owners = await _owners(tx, found)
    holders = await payers_locked(tx, *owners) if owners else {}
    if found.order_id is not None:
        await payments.locked(tx, found.order_id)
    arrival = await arrivals.locked(tx, arrival_id)
    if await _owners(tx, arrival) != owners:
        raise DatabaseBusy("the money is being placed at this very moment")
    return holders, arrival


async def _owners(tx: Tx, arrival: ArrivalRow) -> set[str]:
    if arrival.received_id is not None:
        return await received.whose_money(tx, arrival.received_id)
    if arrival.order_id is not None:
        payment = await payments.load(tx, arrival.order_id)
        assert payment is not None
        return {payment.subscriber_id}
    return set()


async def take_out_in(
    tx: Tx,
    deps: Deps,
    arrival: ArrivalRow,
    holders: Mapping[str, SubscriberRow],
    amount: Money,
    *,
    name: str,
    now: datetime,
) -> set[str]:
    """Take money out of where it is, so that it is owed to the payer; the sites with news."""
    owed = accounts.refund_due(arrival.rail)
    if arrival.state == SUSPENSE:
        held = accounts.suspense(arrival.rail)
        await _post(tx, name, Posting(owed, held, amount), cause="to be given back", at=now)
        return set()
    changed: set[str] = set()
    subscriber = await _holder(tx, arrival, holders)
    revoked: Sequence[str | None] = ()
    if arrival.received_id is None:
        assert arrival.order_id is not None
        revoked = await unsell_in(tx, arrival.order_id, now)
    held = accounts.wallet(subscriber.id)
    await _post(tx, name, Posting(owed, held, amount), cause="to be given back", at=now)
    changed = await carry_out(tx, Changes(revoked=revoked), now)
    lost: set[str] = set()
    if arrival.received_id is not None and amount.minor == arrival.amount_minor:
        lost = await rewards.take_back_in(tx, arrival.received_id, now)
        (await received.locked(tx, arrival.received_id)).reversed_at = now
    await taken_back_in(tx, subscriber, now)
    for subscriber_id in sorted({subscriber.id, *lost}):
        await made_good(tx, deps, holders[subscriber_id], cause=name, now=now)
    return changed


async def _holder(
    tx: Tx, arrival: ArrivalRow, holders: Mapping[str, SubscriberRow]
) -> SubscriberRow:
    if arrival.received_id is not None:
        row = await received.load(tx, arrival.received_id)
        assert row is not None
        return holders[row.subscriber_id]
    (only,) = holders.values()
    return only


async def gone_in(
    tx: Tx,
    deps: Deps,
    arrival: ArrivalRow,
    row: RefundRow,
    holders: Mapping[str, SubscriberRow],
) -> None:
    """The money has left. A late yes after a no takes it from our own pocket, and staff see it."""
    now = deps.now()
    name, amount = f"refund:{row.id}", Money(row.amount_minor, row.currency)
    for subscriber_id in {(await _holder(tx, arrival, holders)).id} if holders else ():
        await refunded_in(
            tx,
            deps,
            subscriber_id=subscriber_id,
            refund_id=row.id,
            amount=amount,
            receipt=row.receipt or "",
        )
    await left_in(tx, arrival, amount, name=name, at=now, cause=f"given back: {row.reason}")
    if await ledger.postings_of(tx, TransactionId(f"refund:{row.id}:kept")):
        text = "was given back although it was refused before: take it out of the wallet"
        await told_staff_in(tx, arrival, "refund_after_no", text, now)


async def kept_in(
    tx: Tx,
    arrival: ArrivalRow,
    row: RefundRow,
    holders: Mapping[str, SubscriberRow],
    now: datetime,
) -> None:
    """The provider would not give it back: the wallet has it again, or suspense."""
    owed, amount = accounts.refund_due(arrival.rail), Money(row.amount_minor, row.currency)
    if holders:
        held = accounts.wallet((await _holder(tx, arrival, holders)).id)
    else:
        held = accounts.suspense(arrival.rail)
        arrival.state = SUSPENSE
    posting = Posting(held, owed, amount)
    await _post(tx, f"refund:{row.id}:kept", posting, cause="could not be given back", at=now)
    text = f"could not be given back (code {row.code}); it is in the wallet"
    await told_staff_in(tx, arrival, "refund_refused", text, now)


async def left_in(
    tx: Tx, arrival: ArrivalRow, amount: Money, *, name: str, at: datetime, cause: str
) -> None:
    """Take what is owed back out of our till: it has left."""
    landed, owed = accounts.till(arrival.rail, arrival.place), accounts.refund_due(arrival.rail)
    await _post(tx, f"{name}:left", Posting(landed, owed, amount), cause=cause, at=at)


async def _post(tx: Tx, name: str, posting: Posting, *, cause: str, at: datetime) -> None:
    posted = await ledger.post(tx, Transaction(TransactionId(name), at, cause, (posting,)))
    assert posted is ledger.Posted.CREATED, f"{name} was in the ledger already"


async def told_staff_in(tx: Tx, arrival: ArrivalRow, code: str, text: str, now: datetime) -> None:
    """Tell staff, once, what became of money that goes back."""
    amount = Money(arrival.amount_minor, arrival.currency)
    await notices.add(
        tx,
        now=now,
        code=code,
        text=f"{amount} by {arrival.rail}, receipt {arrival.receipt}, {text}",
        once=f"{code}\n{arrival.id}",
    )
