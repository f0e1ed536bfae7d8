"""Money for a subscriber's account, asked for: the payer is prompted, or a stored card is charged.

Who pays need not be whom it is for: a friend may. What comes in is placed as all money is: it pays
what is open, and the rest stays in the wallet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.msisdn import Msisdn
from billing.payment import OrderStage, PaymentState, Reason, stage
from controller.store import payments
from controller.store.database import inserted
from controller.store.rows import PaymentRow
from controller.usecases import payers
from controller.usecases.asking import (
    AGE_MAX_S,
    ask,
    gateway_of,
    new_token,
    reference_of,
    token_hash,
)
from controller.usecases.purchase import OrderDiffers, Purpose

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from billing.ids import OrderId
    from billing.money import Money
    from controller.deps import Deps
    from controller.payments.gateway import Push, PushAnswer
    from controller.store.database import Tx

SHILLING_MINOR = 100
AMOUNT_MAX_MINOR = 250_000 * 100
"""The most that one M-PESA payment may be (Daraja portal); other rails are bound to it as well."""


@dataclass(frozen=True, slots=True)
class AccountPayment:
    """A wish to pay into an account.

    ``subscriber`` is whom it is for, by phone or id; ``payer`` whose phone is asked, None for the
    subscriber's own; ``rail`` the payer's choice, "" for the first. ``mandate_id`` is the consent
    by which a card is charged.
    """

    order_id: OrderId
    subscriber: str = field(repr=False)
    amount: Money
    payer: Msisdn | None = field(default=None, repr=False)
    rail: str = ""
    mandate_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountPaymentStatus:
    """Where it stands. ``pay_at`` is the provider's page where the payer goes on, if there is one.

    Paid means that the money is ours; it may still be on its way into the wallet, by a moment.
    """

    order_id: OrderId
    stage: OrderStage
    reason: Reason | None
    pay_at: str


async def pay_account(
    deps: Deps,
    wish: AccountPayment,
    *,
    send: Callable[[Push, datetime], Awaitable[PushAnswer]] | None = None,
) -> AccountPaymentStatus:
    """Ask for money for an account; for a wish that was sent before, where it stands.

    Idempotent by ``order_id``. Raises `InvalidField`, `payers.SubscriberUnknown`, `OrderDiffers`,
    `DatabaseBusy`.
    """
    _check(wish, prompts=send is None)
    async with deps.db.begin() as tx:
        await _noted(tx, deps, wish)
    await ask(deps, wish.order_id, send=send)
    return await account_payment(deps, wish.order_id)


async def account_payment(deps: Deps, order_id: OrderId) -> AccountPaymentStatus:
    """Where a payment into an account stands. Its row must be there."""
    async with deps.db.read() as tx:
        row = await payments.load(tx, order_id)
    assert row is not None
    reason = None if row.reason is None else Reason(row.reason)
    return AccountPaymentStatus(order_id, stage(PaymentState(row.state)), reason, row.pay_at)


async def _noted(tx: Tx, deps: Deps, wish: AccountPayment) -> None:
    now = deps.now()
    subscriber = await payers.locked(tx, wish.subscriber)
    payer = wish.payer or Msisdn(subscriber.msisdn)
    gateway = gateway_of(deps, wish.rail)
    if not gateway.place:
        raise InvalidField("rail", "we have no account with it")
    known = await payments.locked(tx, wish.order_id)
    if known is not None:
        _same(known, wish, subscriber.id, payer)
        return
    new = await inserted(
        tx,
        PaymentRow,
        order_id=wish.order_id,
        purpose=Purpose.ACCOUNT,
        site_id=None,
        subscriber_id=subscriber.id,
        plan_id=None,
        device_mac="",
        msisdn=payer,
        rail=gateway.rail,
        shortcode=gateway.place,
        amount_minor=wish.amount.minor,
        currency=wish.amount.currency,
        reference=reference_of(wish.order_id),
        mandate_id=wish.mandate_id,
        state=PaymentState.CREATED,
        callback_token_hash=token_hash(deps, new_token()),
        created_at=now,
        # Found by the scheduler when nobody ever comes back to push it.
        next_query_at=now + timedelta(seconds=AGE_MAX_S),
    )
    if not new:
        # The same id came for another subscriber at the same moment.
        raise OrderDiffers(wish.order_id, "subscriber")


def _same(known: PaymentRow, wish: AccountPayment, subscriber_id: str, payer: Msisdn) -> None:
    for name, kept, told in (
        ("purpose", known.purpose, Purpose.ACCOUNT),
        ("subscriber", known.subscriber_id, subscriber_id),
        ("amount", known.amount_minor, wish.amount.minor),
        ("payer", known.msisdn, payer),
        ("rail", known.rail, wish.rail or known.rail),
    ):
        if kept != told:
            raise OrderDiffers(wish.order_id, name)


def _check(wish: AccountPayment, *, prompts: bool) -> None:
    minor = wish.amount.minor
    if wish.amount.currency != "KES" or not SHILLING_MINOR <= minor <= AMOUNT_MAX_MINOR:
        raise InvalidField("amount", "want 1 to 250,000 KES")
    if prompts and minor % SHILLING_MINOR:
        raise InvalidField("amount", "want whole shillings: nobody can be asked for cents")
