"""What is learned about a payment, and what it changes: one rule for every road it comes by.

Everything here runs in the caller's transaction with the payment's row locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import accounts
from billing.ids import SiteId, TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import Evidence, PaymentState, Reason, moved
from billing.period import day_of
from billing.proof import ProofKind
from billing.tax import TaxClass
from controller.payments.seen import Road, Seen
from controller.store import (
    arrivals,
    ledger,
    notices,
    operators,
    payers,
    payments,
    plans,
    received,
    sites,
)
from controller.store.arrivals import CREDITED, DOUBTED, SUSPENSE
from controller.usecases.belief import (
    ACCOUNT,
    PAID_TWICE,
    PROVIDER_ID_DIFFERS,
    PROVIDER_ID_USED,
    RECEIPT_ATTACHED,
    RECEIPT_DIFFERS,
    RECEIPT_USED,
    REPEAT,
    SETTLED,
    TOKEN,
    is_stand_in,
    objection,
    receipt_in,
    sale,
    seen_of,
    settled_as,
    settlement,
)
from controller.usecases.cards import learn_card_in
from controller.usecases.grants import give_in, learn_proof
from controller.usecases.paid_notices import order_paid_in
from controller.usecases.schedule import is_out_of_patience
from controller.usecases.tokens import issue_in

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.gateway import Outcome, PushAnswer
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import PaymentRow


async def pushed(tx: Tx, payment: PaymentRow, answer: PushAnswer, now: datetime) -> None:
    """Note the provider's answer to the push, whatever has been learned meanwhile."""
    if answer.provider_id is not None and payment.provider_id != answer.provider_id:
        if payment.provider_id is not None:
            # A callback came first and named another; the answer to our own question is better.
            await notice(tx, payment, PROVIDER_ID_DIFFERS, now, f"push says {answer.provider_id}")
        await learn_provider_id(tx, payment, answer.provider_id, now)
    move = moved(PaymentState(payment.state), answer.evidence)
    if not move.changed:
        return
    payment.state, payment.code = move.state, answer.code
    if move.state is PaymentState.REFUSED:
        payment.reason = answer.reason
        payment.next_query_at = None


async def learn_provider_id(tx: Tx, payment: PaymentRow, provider_id: str, now: datetime) -> bool:
    """Note how the provider calls this payment; False when another payment is called so."""
    holder = await payments.holder_of_provider_id(tx, payment.rail, provider_id)
    if holder not in (None, payment.order_id):
        await notice(tx, payment, PROVIDER_ID_USED, now, f"{provider_id} belongs to {holder}")
        return False
    payment.provider_id = provider_id
    return True


def refused(payment: PaymentRow, outcome: Outcome) -> bool:
    """Note the provider's no; whether it was news.

    A payer who did not answer may still have paid by the time the provider looked away, so such a
    payment goes on being asked about: late success is honoured.
    """
    move = moved(PaymentState(payment.state), Evidence.REFUSED)
    if not move.changed:
        return False
    payment.state, payment.code, payment.reason = move.state, outcome.code, outcome.reason
    if outcome.reason is not Reason.NO_REPLY:
        payment.next_query_at = None
    return True


def gave_up(payment: PaymentRow, now: datetime) -> bool:
    """Note that patience has ended, when it has; whether that changed anything."""
    if payment.pushed_at is not None and not is_out_of_patience(payment.pushed_at, now):
        return False
    move = moved(PaymentState(payment.state), Evidence.GAVE_UP)
    if move.changed:
        payment.state = move.state
    if move.state is PaymentState.EXPIRED and payment.reason is None:
        payment.reason = Reason.TOO_LATE
    return move.changed


async def paid(
    tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, now: datetime, *, road: Road
) -> str:
    """Settle, unless that has been done: ledger, goods and desired state, all in this transaction.

    A receipt credits once, whichever road it came by (design §4.2). The outcome has been compared
    (`objection`). Answers what became of it.
    """
    assert outcome.evidence is Evidence.PAID
    assert objection(payment, outcome) is None
    if payment.state == PaymentState.SETTLED:
        if outcome.card is not None:
            await learn_card_in(tx, deps, payment, outcome, now)
        return await _paid_again(tx, payment, outcome, now, road=road)
    arrival, is_new = await _arrival_for(tx, deps, payment, outcome, now, road=road)
    if not is_new and not _is_free_for(arrival, payment):
        await notice(tx, payment, RECEIPT_USED, now, f"receipt {arrival.receipt}")
        return RECEIPT_USED
    payment.code = outcome.code
    await learn_card_in(tx, deps, payment, outcome, now)
    await settle_in(
        tx, deps, payment, arrival, now, booked=arrival.state == SUSPENSE and not is_new
    )
    return SETTLED


async def doubted(tx: Tx, payment: PaymentRow, outcome: Outcome, now: datetime) -> bool:
    """Keep what an unsigned callback says of much money, for the provider's own answer to confirm.

    False when its receipt is another's.
    """
    seen = seen_of(payment, outcome, Road.CALLBACK)
    arrival, is_new = await arrivals.claim(tx, seen, state=DOUBTED, now=now)
    if not is_new and not _is_free_for(arrival, payment):
        await notice(tx, payment, RECEIPT_USED, now, f"receipt {arrival.receipt}")
        return False
    arrival.order_id = payment.order_id
    arrivals.add_road(arrival, Road.CALLBACK)
    return True


async def settle_in(
    tx: Tx,
    deps: Deps,
    payment: PaymentRow,
    arrival: ArrivalRow,
    now: datetime,
    *,
    booked: bool,
) -> None:
    """Settle a payment with the money that came in for it; both rows are locked.

    With ``booked`` the money is in the ledger already, in suspense. Money for an account stays
    there until it is placed, which locks the subscriber first.
    """
    # Invariant: what settles a payment is exactly what it asked for.
    assert (arrival.amount_minor, arrival.currency) == (payment.amount_minor, payment.currency)
    for name, value in settled_as(now).items():
        setattr(payment, name, value)
    payment.receipt = receipt_in(payment, arrival.receipt)
    arrival.order_id = payment.order_id
    if payment.purpose == ACCOUNT:
        if not booked:
            await to_suspense_in(tx, arrival, now)
        arrival.state, arrival.due_at = SUSPENSE, now
        return
    arrival.state, arrival.due_at = CREDITED, None
    landed = (
        accounts.suspense(arrival.rail) if booked else accounts.till(arrival.rail, arrival.place)
    )
    amount = Money(payment.amount_minor, payment.currency)
    paid_for = await sale_in(tx, payment, amount, now)
    posted = await ledger.post(tx, settlement(payment, landed, paid_for, now))
    # Invariant: a payment that was not settled has no transaction; both live and die together.
    assert posted is ledger.Posted.CREATED, f"payment {payment.order_id} was in the ledger already"
    await _hand_over(tx, deps, payment, now=now)
    await order_paid_in(tx, deps, payment)


async def to_suspense_in(tx: Tx, arrival: ArrivalRow, now: datetime) -> None:
    """Book money that is nobody's yet: it is in our till, and we owe it to somebody."""
    amount = Money(arrival.amount_minor, arrival.currency)
    landed = accounts.till(arrival.rail, arrival.place)
    transaction = Transaction(
        id=TransactionId(f"arrival:{arrival.id}:suspense"),
        at=min(arrival.at, now),
        cause=f"came in by {arrival.rail}, receipt {arrival.receipt}",
        postings=(Posting(accounts.suspense(arrival.rail), landed, amount),),
    )
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED, f"arrival {arrival.id} was in the ledger already"


async def _arrival_for(
    tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, now: datetime, *, road: Road
) -> tuple[ArrivalRow, bool]:
    """The row of the money that settles a payment, and whether it is new.

    An answer without a receipt confirms what an unsigned callback had told; or it is of money that
    came to a Till, which names no account, at the same time.
    """
    if outcome.receipt is None:
        for told in await arrivals.of_order(tx, payment.order_id):
            if told.state == DOUBTED:
                arrivals.add_road(told, road)
                return told, False
        at_a_till = deps.settings.may_name_nobody(payment.rail)
        waiting = await arrivals.without_reference(tx, payment) if at_a_till else None
        if waiting is not None:
            arrivals.add_road(waiting, road)
            return waiting, False
    arrival, is_new = await arrivals.claim(
        tx, seen_of(payment, outcome, road), state=SUSPENSE, now=now
    )
    arrivals.add_road(arrival, road)
    return arrival, is_new


def _is_free_for(arrival: ArrivalRow, payment: PaymentRow) -> bool:
    """Whether money that was seen before may settle this payment."""
    same = (arrival.amount_minor, arrival.currency) == (payment.amount_minor, payment.currency)
    return (
        same
        and arrival.state in {DOUBTED, SUSPENSE}
        and arrival.order_id in {None, payment.order_id}
    )


async def _hand_over(tx: Tx, deps: Deps, payment: PaymentRow, *, now: datetime) -> None:
    """What the money bought: access for the device, or a token for the phone it is for."""
    assert payment.site_id is not None
    assert payment.plan_id is not None
    if payment.purpose == TOKEN:
        holder = await payers.loaded(tx, payment.subscriber_id)
        await issue_in(
            tx,
            deps,
            token_id=payment.order_id,
            site_id=SiteId(payment.site_id),
            plan_id=payment.plan_id,
            subscriber_id=payment.subscriber_id,
            msisdn=Msisdn(holder.msisdn),
            now=now,
        )
        return
    await give_in(
        tx,
        site_id=SiteId(payment.site_id),
        plan_id=payment.plan_id,
        subscriber_id=payment.subscriber_id,
        cause_id=payment.order_id,
        devices=(payment.device_mac,),
        now=now,
        proved=None if payment.receipt is None else (ProofKind.RECEIPT, payment.receipt),
    )


async def sale_in(tx: Tx, payment: PaymentRow, amount: Money, now: datetime) -> tuple[Posting, ...]:
    """The postings by which a subscriber's wallet pays for the plan of an order, taxes included."""
    assert payment.plan_id is not None
    assert payment.site_id is not None
    plan = await plans.load(tx, payment.plan_id)
    site = await sites.load(tx, payment.site_id)
    assert plan is not None
    assert site is not None
    rates = await operators.rates_on(tx, TaxClass(plan.tax_class), day_of(now))
    return sale(payment, amount, branch_id=site.branch_id, rates=rates)


async def notice(tx: Tx, payment: PaymentRow, code: str, now: datetime, text: str) -> None:
    """Tell staff, once, that something about a payment does not fit."""
    await notices.add(
        tx,
        now=now,
        code=code,
        text=f"payment {payment.order_id}: {text}",
        site_id=payment.site_id,
        once=f"{payment.order_id}\n{code}\n{text}",
    )


async def _paid_again(
    tx: Tx, payment: PaymentRow, outcome: Outcome, now: datetime, *, road: Road
) -> str:
    """More news of a payment that is settled: nothing new, its receipt at last, or other money."""
    receipt = None if outcome.receipt is None else outcome.receipt.upper()
    mine = await arrivals.of_order(tx, payment.order_id)
    told = next((one for one in mine if receipt in {None, one.receipt}), None)
    if told is not None:
        arrivals.add_road(told, road)
        return REPEAT
    seen = seen_of(payment, outcome, road)
    if payment.receipt is None:
        return await attach_in(tx, payment, seen, now)
    if any(arrivals.shown_by(one, Road.CALLBACK) for one in mine):
        # One push brings one receipt: a second one for it is made up.
        text = f"has receipt {payment.receipt}, now also {receipt}"
        await notice(tx, payment, RECEIPT_DIFFERS, now, text)
        return RECEIPT_DIFFERS
    # The order was paid in another way before its push was: this is other money, and theirs too.
    arrival, is_new = await arrivals.claim(tx, seen, state=SUSPENSE, now=now)
    if is_new:
        arrival.due_at = now
        await to_suspense_in(tx, arrival, now)
        await notice(tx, payment, PAID_TWICE, now, f"was paid again by {receipt}")
    return PAID_TWICE


async def attach_in(tx: Tx, payment: PaymentRow, seen: Seen, now: datetime) -> str:
    """Give money that was found by asking the receipt that another road brings."""
    mine = await arrivals.of_order(tx, payment.order_id)
    stand_in = next((one for one in mine if is_stand_in(payment, one)), mine[0])
    receipt = seen.receipt.upper()
    found = await arrivals.by_receipt(tx, seen.rail, receipt)
    if found is None:
        stand_in.receipt = receipt
        arrivals.add_road(stand_in, seen.road)
    elif found.state in {DOUBTED, SUSPENSE} and found.order_id in {None, payment.order_id}:
        await _same_money(tx, stand_in, found, now)
    else:
        await notice(tx, payment, RECEIPT_USED, now, f"receipt {receipt}")
        return RECEIPT_USED
    payment.receipt = receipt
    await received.learn_receipt(tx, stand_in.received_id, receipt)
    await learn_proof(tx, payment.order_id, (ProofKind.RECEIPT, receipt), now)
    return RECEIPT_ATTACHED


async def _same_money(tx: Tx, stand_in: ArrivalRow, found: ArrivalRow, now: datetime) -> None:
    """Two rows turn out to be one: the receipt's takes the other's place, and is booked once."""
    if found.state == SUSPENSE:
        amount = Money(found.amount_minor, found.currency)
        landed = accounts.till(found.rail, found.place)
        transaction = Transaction(
            id=TransactionId(f"arrival:{found.id}:same"),
            at=now,
            cause=f"receipt {found.receipt} is of order {stand_in.order_id}, booked before",
            postings=(Posting(landed, accounts.suspense(found.rail), amount),),
        )
        posted = await ledger.post(tx, transaction)
        assert posted is ledger.Posted.CREATED, f"arrival {found.id} was joined before"
    told = stand_in.order_id, stand_in.received_id, stand_in.state, stand_in.due_at
    await arrivals.forget(tx, stand_in)
    found.order_id, found.received_id, found.state, found.due_at = told
