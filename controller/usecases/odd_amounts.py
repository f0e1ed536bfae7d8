"""Money for an order that is not what the order asked for: too much, too little, or by hand.

It is in the wallet, and buys from there: the plan of the order if that can be paid; else, where the
operator's rule says so, the dearest plan of the site that it does pay. The rest stays the
subscriber's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.fitting import OddAmounts, fit
from billing.ids import OrderId, SiteId, TransactionId
from billing.ledger import Transaction
from billing.money import Money
from billing.payment import PaymentState
from billing.proof import ProofKind
from controller.store import ledger, notices, plans, received
from controller.usecases.evidence import sale_in
from controller.usecases.grants import give_in

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import PaymentRow

GRANT = "grant"


async def buy_in(
    tx: Tx, deps: Deps, payment: PaymentRow, arrival: ArrivalRow, now: datetime
) -> str | None:
    """Buy for an order with money that was just credited; the site with news, if one has.

    The caller holds the locks of the subscriber, the payment and the arrival. An order for a token,
    or one that is paid already, buys nothing.
    """
    if payment.state == PaymentState.SETTLED or payment.purpose != GRANT:
        return None
    assert payment.site_id is not None
    assert payment.plan_id is not None
    held = await received.wallet_minor(tx, payment.subscriber_id)
    offered = {row.id: row.price_minor for row in await plans.on_sale(tx)}
    plan_id = fit(
        min(held, arrival.amount_minor),
        wanted=(payment.plan_id, payment.amount_minor),
        offered=tuple(offered.items()),
        rule=OddAmounts(deps.settings.operator.odd_amounts),
    )
    if plan_id is None:
        return None
    if plan_id != payment.plan_id:
        payment.plan_id, payment.amount_minor = plan_id, offered[plan_id]
    price = Money(payment.amount_minor, payment.currency)
    posted = await ledger.post(
        tx,
        Transaction(
            id=TransactionId(f"payment:{payment.order_id}:settled"),
            at=now,
            cause=f"order {OrderId(payment.order_id)} for plan {plan_id}, out of the wallet",
            postings=await sale_in(tx, payment, price, now),
        ),
    )
    # Invariant: an order is paid once.
    assert posted is ledger.Posted.CREATED, f"order {payment.order_id} was paid already"
    payment.state, payment.reason, payment.settled_at = PaymentState.SETTLED, None, now
    payment.receipt, payment.next_query_at = arrival.receipt, None
    await give_in(
        tx,
        site_id=SiteId(payment.site_id),
        plan_id=plan_id,
        subscriber_id=payment.subscriber_id,
        cause_id=payment.order_id,
        devices=(payment.device_mac,),
        now=now,
        proved=(ProofKind.RECEIPT, arrival.receipt),
    )
    await _told(tx, payment, arrival, now)
    return payment.site_id


async def _told(tx: Tx, payment: PaymentRow, arrival: ArrivalRow, now: datetime) -> None:
    came = Money(arrival.amount_minor, arrival.currency)
    await notices.add(
        tx,
        now=now,
        code="odd_amount",
        text=f"order {payment.order_id}: {came} came, plan {payment.plan_id} was given for"
        f" {Money(payment.amount_minor, payment.currency)}, the rest is in the wallet",
        site_id=payment.site_id,
        once=f"odd_amount\n{arrival.id}",
    )
