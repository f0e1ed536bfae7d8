"""What is learned about a payment, and what it changes: one rule for every road it comes by.

Everything here runs in the caller's transaction with the payment's row locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import accounts
from billing.ids import OrderId, SiteId, TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import Evidence, PaymentState, Reason, moved
from billing.period import day_of
from billing.proof import ProofKind
from billing.sale import sold
from billing.tax import TaxClass, taxed
from controller.store import inbox, ledger, notices, operators, payments, plans, sites
from controller.usecases.grants import give_in, learn_proof
from controller.usecases.schedule import is_out_of_patience
from controller.usecases.tokens import issue_in

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.gateway import Outcome, PushAnswer
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow

SETTLED = "settled"
REPEAT = "repeat"
RECEIPT_ATTACHED = "receipt_attached"
RECEIPT_DIFFERS = "receipt_differs"
RECEIPT_USED = "receipt_used"
PROVIDER_ID_DIFFERS = "provider_id_differs"
PROVIDER_ID_USED = "provider_id_used"
SHORTCODE_DIFFERS = "shortcode_differs"
AMOUNT_DIFFERS = "amount_differs"


def objection(payment: PaymentRow, outcome: Outcome) -> str | None:
    """Why an outcome cannot be of this payment, or None. Compares only what the outcome tells."""
    if payment.provider_id not in (None, outcome.provider_id):
        return PROVIDER_ID_DIFFERS
    if outcome.shortcode not in (None, payment.shortcode):
        return SHORTCODE_DIFFERS
    if outcome.amount not in (None, Money(payment.amount_minor, payment.currency)):
        return AMOUNT_DIFFERS
    return None


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


async def paid(tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, now: datetime) -> str:
    """Settle, unless that has been done: ledger, goods and desired state, all in this transaction.

    A receipt credits one order only, whichever road it comes by (design §4.2). The outcome has been
    compared (`objection`). Answers what became of it.
    """
    assert outcome.evidence is Evidence.PAID
    assert objection(payment, outcome) is None
    if outcome.receipt is not None and not await _claim(tx, payment, outcome.receipt, now):
        await notice(tx, payment, RECEIPT_USED, now, f"receipt {outcome.receipt}")
        return RECEIPT_USED
    if not moved(PaymentState(payment.state), Evidence.PAID).changed:
        return await _paid_again(tx, payment, outcome.receipt, now)
    payment.state = PaymentState.SETTLED
    payment.code, payment.reason = outcome.code, None
    payment.receipt = outcome.receipt
    payment.settled_at = now
    payment.next_query_at = None
    posted = await ledger.post(tx, await settlement(tx, payment, now))
    # Invariant: a payment that was not settled has no transaction; both live and die together.
    assert posted is ledger.Posted.CREATED, f"payment {payment.order_id} was in the ledger already"
    await _hand_over(tx, deps, payment, now=now)
    return SETTLED


async def _hand_over(tx: Tx, deps: Deps, payment: PaymentRow, *, now: datetime) -> None:
    """What the money bought: access for the device, or a token for the phone that paid."""
    if payment.purpose == "token":
        await issue_in(
            tx,
            deps,
            token_id=payment.order_id,
            site_id=SiteId(payment.site_id),
            plan_id=payment.plan_id,
            subscriber_id=payment.subscriber_id,
            msisdn=Msisdn(payment.msisdn),
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


async def settlement(tx: Tx, payment: PaymentRow, now: datetime) -> Transaction:
    """The one transaction of a settled payment: money came in, paid for the plan, and its taxes."""
    amount = Money(payment.amount_minor, payment.currency)
    plan = await plans.load(tx, payment.plan_id)
    site = await sites.load(tx, payment.site_id)
    assert plan is not None
    assert site is not None
    purse = accounts.wallet(payment.subscriber_id)
    rates = await operators.rates_on(tx, TaxClass(plan.tax_class), day_of(now))
    income = accounts.plan_income(site.branch_id, payment.plan_id)
    return Transaction(
        id=TransactionId(f"payment:{payment.order_id}:settled"),
        at=now,
        cause=f"payment of order {OrderId(payment.order_id)} for plan {payment.plan_id}",
        postings=(
            Posting(purse, accounts.till(payment.rail, payment.shortcode), amount),
            # What a portal shows is what is paid: taxes are in it.
            *sold(taxed(amount, rates, included=True), income=income, paid_from=purse),
        ),
    )


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


async def _claim(tx: Tx, payment: PaymentRow, receipt: str, now: datetime) -> bool:
    """Take a receipt for this order; False when another order has it or is just taking it."""
    source, mine = f"receipt:{payment.rail}", payment.order_id.encode()
    if await inbox.take(tx, source=source, external_id=receipt, body=mine, now=now):
        return True
    return (await inbox.load(tx, source=source, external_id=receipt)).body == mine


async def _paid_again(tx: Tx, payment: PaymentRow, receipt: str | None, now: datetime) -> str:
    if receipt is None or receipt == payment.receipt:
        return REPEAT
    if payment.receipt is None:
        payment.receipt = receipt
        await learn_proof(tx, payment.order_id, (ProofKind.RECEIPT, receipt), now)
        return RECEIPT_ATTACHED
    text = f"has receipt {payment.receipt}, now also {receipt}"
    await notice(tx, payment, RECEIPT_DIFFERS, now, text)
    return RECEIPT_DIFFERS
