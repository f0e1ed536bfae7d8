"""What may be believed of a payment, decided before anything is done about it. PURE.

One rule for a callback that comes alone and for many at once: `evidence` and `together` load what
is known, ask here, and do what is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing import accounts
from billing.ids import OrderId, TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.payment import Evidence, PaymentState
from billing.sale import sold
from billing.tax import taxed
from controller.payments.gateway import Trust
from controller.payments.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.ids import AccountName
    from billing.tax import Rates
    from controller.payments.gateway import Outcome
    from controller.payments.seen import Road
    from controller.store.payment_rows import ArrivalRow
    from controller.store.payments import AnyPayment

ACCOUNT, TOKEN, GRANT = "account", "token", "grant"
"""Purposes of payments, as `purchase.Purpose` has them."""

SETTLED = "settled"
REPEAT = "repeat"
RECEIPT_ATTACHED = "receipt_attached"
RECEIPT_DIFFERS = "receipt_differs"
RECEIPT_USED = "receipt_used"
PAID_TWICE = "paid_twice"
PROVIDER_ID_DIFFERS = "provider_id_differs"
PROVIDER_ID_USED = "provider_id_used"
SHORTCODE_DIFFERS = "shortcode_differs"
AMOUNT_DIFFERS = "amount_differs"


def objection(payment: AnyPayment, outcome: Outcome) -> str | None:
    """Why an outcome cannot be of this payment, or None. Compares only what the outcome tells."""
    if payment.provider_id not in (None, outcome.provider_id):
        return PROVIDER_ID_DIFFERS
    if outcome.shortcode not in (None, payment.shortcode):
        return SHORTCODE_DIFFERS
    if outcome.amount not in (None, Money(payment.amount_minor, payment.currency)):
        return AMOUNT_DIFFERS
    return None


class Step(StrEnum):
    """What is to be done when somebody has told of a payment."""

    BELIEVE = "believe"  # that it is paid
    CONFIRM = "confirm"  # it is much money, and anybody could say so: keep it, and ask
    REFUSE = "refuse"  # the provider's no
    DOUBT = "doubt"  # it does not fit: tell staff, and ask
    ASK = "ask"  # nothing is believed on this road
    WAIT = "wait"  # it is open still


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and why it is doubted."""

    step: Step
    doubt: str = ""


def decided(
    payment: AnyPayment,
    outcome: Outcome,
    *,
    trust: Trust,
    confirm_above_minor: int,
    doubt: str | None = None,
) -> Decision:
    """What a callback comes to, by what is known of its payment: one rule for one and for many.

    Above ``confirm_above_minor`` an unsigned word needs a second source. A ``doubt`` that the
    caller has comes before others.
    """
    doubt = doubt or objection(payment, outcome)
    is_paid = outcome.evidence is Evidence.PAID
    if is_paid and outcome.amount is None:
        doubt = doubt or AMOUNT_DIFFERS
    if trust is Trust.HINT:
        return Decision(Step.ASK)
    if doubt is not None:
        return Decision(Step.DOUBT, doubt)
    if is_paid:
        much = payment.amount_minor > confirm_above_minor and trust is Trust.ADDRESS
        is_new = payment.state != PaymentState.SETTLED
        return Decision(Step.CONFIRM if much and is_new else Step.BELIEVE)
    return Decision(Step.REFUSE if outcome.evidence is Evidence.REFUSED else Step.WAIT)


def is_plain(payment: AnyPayment, outcome: Outcome) -> bool:
    """Whether what is believed settles an open order for a device: the same for each of many."""
    return (
        payment.purpose == GRANT
        and payment.state != PaymentState.SETTLED
        and payment.provider_id is not None
        and payment.mandate_id is None
        and outcome.receipt is not None
        and receipt_in(payment, outcome.receipt.upper()) is not None
    )


def seen_of(payment: AnyPayment, outcome: Outcome, road: Road) -> Seen:
    """The money of a payment as its provider tells it; without a receipt under its provider's id.

    A query tells no receipt. The money is booked all the same, under the name of its push, and the
    receipt takes that name's place when another road brings it.
    """
    return Seen(
        rail=payment.rail,
        receipt=outcome.receipt or outcome.provider_id,
        amount=Money(payment.amount_minor, payment.currency),
        place=payment.shortcode,
        road=road,
        at=outcome.paid_at,
        reference=payment.reference,
        payer=payment.msisdn,
        provider_id=outcome.provider_id,
    )


def is_stand_in(payment: AnyPayment, arrival: ArrivalRow) -> bool:
    """Whether the receipt of this money is not known yet."""
    return receipt_in(payment, arrival.receipt) is None


def receipt_in(payment: AnyPayment, told: str) -> str | None:
    """The receipt that money has, which was booked as ``told``; None for the push's own name."""
    stands_in = payment.provider_id is not None and told == payment.provider_id.upper()
    return None if stands_in else told


def settled_as(now: datetime) -> dict[str, object]:
    """What a settled payment's row says beside its receipt."""
    return {
        "state": PaymentState.SETTLED.value,
        "reason": None,
        "settled_at": now,
        "next_query_at": None,
    }


def settlement(
    payment: AnyPayment, landed: AccountName, sale: Sequence[Posting], now: datetime
) -> Transaction:
    """The one transaction of a settled payment: money came in, paid for the plan, and its taxes."""
    amount = Money(payment.amount_minor, payment.currency)
    purse = accounts.wallet(payment.subscriber_id)
    return Transaction(
        id=TransactionId(f"payment:{payment.order_id}:settled"),
        at=now,
        cause=f"payment of order {OrderId(payment.order_id)} for plan {payment.plan_id}",
        postings=(Posting(purse, landed, amount), *sale),
    )


def sale(
    payment: AnyPayment, amount: Money, *, branch_id: str, rates: Rates
) -> tuple[Posting, ...]:
    """The postings by which a subscriber's wallet pays for the plan of an order, taxes included."""
    assert payment.plan_id is not None
    income = accounts.plan_income(branch_id, payment.plan_id)
    purse = accounts.wallet(payment.subscriber_id)
    # What a portal shows is what is paid: taxes are in it.
    return sold(taxed(amount, rates, included=True), income=income, paid_from=purse)
