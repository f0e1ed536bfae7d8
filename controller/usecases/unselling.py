"""A hotspot sale is undone: its postings go back into the wallet, and its grant ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.accounts import wallet
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from controller.store import activation, grants, ledger, notices, payments

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def unsell_in(tx: Tx, order_id: str, now: datetime) -> list[str]:
    """Take the sale of a settled order back into its wallet; the grant that is to end, if any.

    The caller holds the payment's lock, and revokes the grant. Income and taxes go back as they
    were posted, whatever the rates are today. A token that is not used yet cannot be called back:
    staff are told.
    """
    payment = await payments.load(tx, order_id)
    assert payment is not None
    purse = wallet(payment.subscriber_id)
    sold = await ledger.postings_of(tx, TransactionId(f"payment:{order_id}:settled"))
    back = tuple(Posting(one.target, one.source, one.amount) for one in sold if one.target == purse)
    transaction = Transaction(
        TransactionId(f"payment:{order_id}:unsold"), now, f"order {order_id} is taken back", back
    )
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED, f"order {order_id} was taken back before"
    token = await activation.load(tx, order_id)
    given = await grants.by_cause(tx, order_id)
    if token is not None and token.redeemed_at is None:
        await notices.add(
            tx,
            now=now,
            code="token_still_out",
            text=f"order {order_id} was taken back, and its code is not used yet: it still works",
            site_id=payment.site_id,
            once=f"token_still_out\n{order_id}",
        )
    return [] if given is None or given.ended_at is not None else [given.id]
