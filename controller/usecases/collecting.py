"""Charging cards as agreed: each morning what is owed, once, and again on later days after a no.

Whatever is cut off, a card is charged once for a morning:

1. the charge's id, made of the consent and the morning, is noted in the consent; a process that
   dies after this leaves a charge that the next look begins with the same id;
2. from there on it is a payment as any other: written down, then sent once (`asking`);
3. how it ended is noted, and the subscriber told, by whoever looks first.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from billing.autopay import next_morning, next_try, to_charge
from billing.ids import OrderId
from billing.money import Money
from billing.payment import PaymentState
from controller.store import debts, mandates, payments, received, subscriptions
from controller.store.database import DatabaseBusy
from controller.store.mandates import ACTIVE, ASKED, CARD, FAILING, REFUSED
from controller.store.payers import locked as payers_locked
from controller.usecases.account_payments import AccountPayment, pay_account
from controller.usecases.asking import ask
from controller.usecases.cards import NOT_REUSABLE, card_of, end
from controller.usecases.paid_notices import (
    auto_paid_in,
    auto_pay_confirm_in,
    auto_pay_failed_in,
)
from controller.usecases.standing import to_go_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.gateway import Push, PushAnswer, StoredCard
    from controller.store.database import Tx
    from controller.store.payment_rows import MandateRow
    from controller.store.rows import PaymentRow

    Send = Callable[[Push, datetime], Awaitable[PushAnswer]]

LOOK_AGAIN = timedelta(minutes=1)
"""How long a charge that is open is left before it is looked at again. Shorter than
`asking.AGE_MAX_S`, so that what a process left unsent is sent by the next one."""

BATCH_MAX = 50
UNSENT_MAX = 10
"""So many charges of one morning may fail to leave this machine; then it is left for the next."""

log = structlog.get_logger(__name__)


async def collect_due(deps: Deps) -> int:
    """Charge cards for what is owed, and look after consents in want of it; how many were due.

    Safe to run in several processes, and to be cut off anywhere.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await mandates.due(tx, now, limit=BATCH_MAX)
        for row in rows:
            row.due_at = now + LOOK_AGAIN
        found = [row.id for row in rows]
    for mandate_id in found:
        try:
            await _look_after(deps, mandate_id)
        except DatabaseBusy:
            continue  # it is due again
        except Exception:
            # One that cannot be looked after must not hold up the others; it stays due.
            log.exception("auto_pay_failed", mandate=mandate_id)
    return len(found)


async def _look_after(deps: Deps, mandate_id: str) -> None:
    async with deps.db.read() as tx:
        row = await mandates.load(tx, mandate_id)
        assert row is not None
        # The payment of a consent that is asked for has its id.
        named = row.id if row.state == ASKED else row.provider_id
        payment = None if named is None else await payments.load(tx, named)
    if row.kind != CARD:
        await _last_day_is_over(deps, mandate_id)
    elif row.state == ASKED:
        await _asked(deps, mandate_id, payment)
    elif row.state == ACTIVE and deps.cards is not None:
        await _active(deps, row, payment)


async def _last_day_is_over(deps: Deps, mandate_id: str) -> None:
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        row.due_at = None
        if row.state in {ACTIVE, ASKED}:
            end(row, "its last day is over", deps.now())


async def _asked(deps: Deps, mandate_id: str, payment: PaymentRow | None) -> None:
    """Note that a first payment was not made, or not with a card that may be charged again."""
    if payment is not None and _is_open(payment):
        return
    is_paid = payment is not None and payment.state == PaymentState.SETTLED
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        if row.state == ASKED:
            row.state, row.due_at = REFUSED, None
            row.end_reason = NOT_REUSABLE if is_paid else "the first payment was not made"


async def _active(deps: Deps, row: MandateRow, payment: PaymentRow | None) -> None:
    if payment is None:
        await _charge(deps, row.id)
    elif payment.state == PaymentState.CREATED:
        # Written down, and cut off before it was sent.
        await ask(deps, OrderId(payment.order_id), send=_sending(deps, card_of(deps, row)))
    elif payment.state == PaymentState.EXPIRED:
        await _never_left(deps, row.id, payment.order_id)
        await _charge(deps, row.id)
    elif _is_open(payment):
        await _holder_is_asked(deps, row, payment)
    else:
        paid = payment.state == PaymentState.SETTLED
        await _ended(deps, row.id, payment.order_id, paid=paid)


def _is_open(payment: PaymentRow) -> bool:
    """Whether its outcome may still be learned by waiting.

    One of which nothing was heard for so long that nobody is asked any more counts as a no: what it
    brings after all is credited, and is not owed then.
    """
    if payment.state == PaymentState.UNKNOWN:
        return payment.next_query_at is not None
    return payment.state in {PaymentState.CREATED, PaymentState.SENT, PaymentState.PENDING}


async def _holder_is_asked(deps: Deps, row: MandateRow, payment: PaymentRow) -> None:
    """Send the subscriber, once, to where the card's bank waits for a yes, if it does."""
    if not payment.pay_at:
        return
    async with deps.db.begin() as tx:
        await auto_pay_confirm_in(
            tx,
            deps,
            subscriber_id=row.subscriber_id,
            payment_id=payment.order_id,
            amount=Money(payment.amount_minor, payment.currency),
            link=payment.pay_at,
        )


async def _never_left(deps: Deps, mandate_id: str, order_id: str) -> None:
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        if row.provider_id == order_id:
            row.provider_id = None


async def _ended(deps: Deps, mandate_id: str, order_id: str, *, paid: bool) -> None:
    """Note how a charge ended, and tell the subscriber."""
    now = deps.now()
    async with deps.db.begin() as tx:
        found = await mandates.load(tx, mandate_id)
        assert found is not None
        await payers_locked(tx, found.subscriber_id)
        row = await mandates.locked(tx, mandate_id)
        payment = await payments.load(tx, order_id)
        assert row is not None
        assert payment is not None
        if row.provider_id != order_id or row.state != ACTIVE:
            return
        row.provider_id = None
        tell = partial(
            auto_paid_in if paid else auto_pay_failed_in,
            subscriber_id=row.subscriber_id,
            payment_id=order_id,
            amount=Money(payment.amount_minor, payment.currency),
            source=row.label,
        )
        await tell(tx, deps)
        row.tries = 0 if paid else row.tries + 1
        row.due_at = next_morning(now) if paid else next_try(row.tries, now)
        if row.due_at is None:
            row.state, row.end_reason = FAILING, "every try was refused"
    deps.signals.wake("live")


async def _charge(deps: Deps, mandate_id: str) -> None:
    """Charge what is owed now, if anything is; else look again next morning."""
    assert deps.cards is not None
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        begun = await _begun(tx, row, deps.now())
        if begun is None:
            return
        order_id, minor = begun
        card, subscriber_id = card_of(deps, row), row.subscriber_id
    wish = AccountPayment(
        order_id=OrderId(order_id),
        subscriber=subscriber_id,
        amount=Money(minor),
        rail=deps.cards.rail,
        mandate_id=mandate_id,
    )
    await pay_account(deps, wish, send=_sending(deps, card))


async def _begun(tx: Tx, row: MandateRow, now: datetime) -> tuple[str, int] | None:
    """The id and the amount of this morning's charge, noted in the consent; None: not now."""
    if row.state != ACTIVE or row.due_at is None or row.due_at > now + LOOK_AGAIN:
        return None  # cancelled, or another process has done it
    if row.provider_id is not None and await payments.load(tx, row.provider_id) is not None:
        return None  # under way
    minor = to_charge(await _owed(tx, row.subscriber_id, now), row.amount_minor)
    order_id = row.provider_id or await _free_name(tx, row, now)
    if minor == 0 or order_id is None:
        row.provider_id, row.due_at = None, next_morning(now)
        return None
    row.provider_id = order_id
    return order_id, minor


async def _free_name(tx: Tx, row: MandateRow, now: datetime) -> str | None:
    """The id of this morning's charge; None when there was one. One that never left counts not."""
    for unsent in range(UNSENT_MAX):
        told = f"{row.id}\n{next_morning(now):%Y-%m-%d}\n{unsent}"
        name = hashlib.sha256(told.encode()).hexdigest()[:32]
        known = await payments.load(tx, name)
        if known is None:
            return name
        if known.state != PaymentState.EXPIRED:
            return None
    return None


async def _owed(tx: Tx, subscriber_id: str, now: datetime) -> int:
    """What is to be paid so that nothing is open and everything goes on."""
    held = await subscriptions.of_subscriber(tx, subscriber_id)
    wanted = await to_go_on(tx, subscriber_id, held, now)
    owed = await debts.owed_minor(tx, subscriber_id)
    wallet = await received.wallet_minor(tx, subscriber_id)
    return max(owed - wallet, 0 if wanted is None else wanted.minor)


def _sending(deps: Deps, card: StoredCard) -> Send:
    """How a charge leaves."""
    cards = deps.cards
    assert cards is not None

    async def send(push: Push, at: datetime) -> PushAnswer:
        return await cards.charge(push, card, at)

    return send
