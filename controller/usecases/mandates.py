"""Auto-pay: what a subscriber has agreed that we collect, and may take back at any time.

A card is agreed to by a payment with it, and then charged each morning for what is owed; a standing
order is agreed to by PIN, and the provider runs it. Both bring money by the usual roads: nothing
here books any.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from billing.autopay import next_morning, next_try, to_charge
from billing.errors import InvalidField
from billing.ids import OrderId
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import OrderStage
from controller.payments.calls import AnswerLostError
from controller.payments.gateway import CallbackUnreadable, GatewayError
from controller.payments.mpesa_ratiba import Frequency, StandingOrder
from controller.payments.mpesa_result import read_ratiba
from controller.store import debts, mandates, notices, payments, received, subscriptions
from controller.store.mandates import ACTIVE, ASKED, CANCELLED, CARD, FAILING, ORDER, REFUSED
from controller.store.payers import locked as payers_locked
from controller.store.payment_rows import MandateRow
from controller.usecases import payers
from controller.usecases.account_payments import (
    AccountPayment,
    AccountPaymentStatus,
    account_payment,
    pay_account,
)
from controller.usecases.asking import new_token, token_hash
from controller.usecases.cards import card_of
from controller.usecases.money_in import check_reason
from controller.usecases.paid_notices import auto_paid_in, auto_pay_failed_in
from controller.usecases.standing import to_go_on

if TYPE_CHECKING:
    from datetime import date, datetime

    from controller.deps import Deps
    from controller.payments.gateway import Push, PushAnswer
    from controller.store.database import Tx

ORDER_PATH = "/callbacks/orders/"
"""Where a provider tells whether a payer agreed to a standing order, followed by a token."""

LOOK_AGAIN = timedelta(minutes=5)
"""How long a charge that is open is left before it is looked at again."""

BATCH_MAX = 50
CONSENT_MAX = 200

_ID = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger(__name__)


class MandateUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such consent."""

    field = "mandate_id"


class MandateDiffers(Exception):  # noqa: N818 - a refusal, see style
    """This id was used before for another consent."""

    field = "idempotent"


@dataclass(frozen=True, slots=True)
class CardWish:
    """A subscriber pays with a card, and agrees that it pays from now on.

    ``consent`` is what was agreed to and how, in words that are kept; ``most`` the most that one
    charge may be, None for what is owed. ``mandate_id`` is made by the initiator (32 hexadecimal
    digits).
    """

    mandate_id: str
    subscriber: str = field(repr=False)
    amount: Money
    consent: str
    most: Money | None = None


@dataclass(frozen=True, slots=True)
class OrderWish:
    """A subscriber agrees to a standing order with M-PESA; days are Nairobi's."""

    mandate_id: str
    subscriber: str = field(repr=False)
    amount: Money
    consent: str
    frequency: Frequency
    starts_on: date
    ends_on: date


async def agree_card(deps: Deps, wish: CardWish) -> AccountPaymentStatus:
    """Begin with a payment by card, after which the card may be charged; where it stands.

    Idempotent by ``mandate_id``. Raises `InvalidField`, `MandateDiffers`,
    `payers.SubscriberUnknown`, `DatabaseBusy`.
    """
    _check(wish.mandate_id, wish.consent)
    if deps.cards is None:
        raise InvalidField("rail", "no card gateway is configured")
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, wish.subscriber)
        if not subscriber.email:
            raise InvalidField("email", "a card wants the subscriber's e-mail address")
        row = _new(deps, wish.mandate_id, subscriber.id, CARD, deps.cards.rail, wish.consent)
        row.amount_minor = None if wish.most is None else wish.most.minor
        await _kept(tx, row)
    return await pay_account(
        deps,
        AccountPayment(
            order_id=OrderId(wish.mandate_id),
            subscriber=subscriber.id,
            amount=wish.amount,
            rail=deps.cards.rail,
            mandate_id=wish.mandate_id,
        ),
    )


async def agree_order(deps: Deps, wish: OrderWish) -> MandateRow:
    """Ask a subscriber's phone to agree to a standing order.

    Idempotent by ``mandate_id``: the phone is asked once. Raises `InvalidField`, `MandateDiffers`,
    `payers.SubscriberUnknown`, `DatabaseBusy`.
    """
    _check(wish.mandate_id, wish.consent)
    if deps.mpesa is None:
        raise InvalidField("rail", "no M-PESA account is configured")
    if wish.amount.minor <= 0 or wish.amount.minor % 100:
        raise InvalidField("amount", "want whole shillings")
    if not wish.starts_on <= wish.ends_on:
        raise InvalidField("ends_on", "want a day after the first")
    token = new_token()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, wish.subscriber)
        row = _new(deps, wish.mandate_id, subscriber.id, ORDER, deps.mpesa.rail, wish.consent)
        row.amount_minor, row.frequency = wish.amount.minor, wish.frequency.name.lower()
        row.callback_token_hash = token_hash(deps, token)
        if not await _kept(tx, row):
            return await _shown(tx, wish.mandate_id)
    order = StandingOrder(
        name=f"{subscriber.msisdn} {wish.mandate_id[:8]}",
        amount=wish.amount,
        msisdn=Msisdn(subscriber.msisdn),
        # What comes of it names the account by its phone, as people do.
        account=subscriber.msisdn,
        description="Internet",
        starts_on=wish.starts_on,
        ends_on=wish.ends_on,
        frequency=wish.frequency,
        callback_url=f"{deps.settings.public_url}{ORDER_PATH}{token}",
    )
    await _ask_for(deps, wish.mandate_id, order)
    async with deps.db.read() as tx:
        return await _shown(tx, wish.mandate_id)


async def take_outcome(deps: Deps, *, token: str, body: bytes) -> bool:
    """Take what a provider says of a standing order; whether the address is one of ours.

    Raises `DatabaseBusy`.
    """
    async with deps.db.read() as tx:
        mandate_id = await mandates.by_token(tx, token_hash(deps, token))
    if mandate_id is None:
        return False
    try:
        outcome = read_ratiba(body)
    except CallbackUnreadable as error:
        log.warning("order_outcome_unreadable", field=error.field)
        return True
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        named = row.provider_id
        if row.state == ASKED and named in {None, outcome.reference}:
            row.state = ACTIVE if outcome.accepted else REFUSED
            row.end_reason = "" if outcome.accepted else f"code {outcome.code}"
    deps.signals.wake("live")
    return True


async def cancel(deps: Deps, mandate_id: str, *, reason: str) -> MandateRow:
    """End a consent for good: nothing is collected by it any more. Repeating changes nothing.

    A standing order ends at the payer's own phone: M-PESA has no door for it, and staff are told.
    Raises `InvalidField`, `MandateUnknown`, `DatabaseBusy`.
    """
    check_reason(reason)
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        if row is None:
            raise MandateUnknown(f"there is no consent {mandate_id[:40]}")
        if row.state == CANCELLED:
            return row
        row.state, row.ended_at, row.end_reason = CANCELLED, deps.now(), reason
        row.sealed, row.due_at = None, None
        if row.kind == ORDER:
            await notices.add(
                tx,
                now=deps.now(),
                code="order_ends_at_the_phone",
                text=f"standing order {row.id} was cancelled here: its payer also ends it in the"
                " M-PESA menu, or it goes on paying into the wallet",
                once=f"order_ends_at_the_phone\n{row.id}",
            )
    return row


async def collect_due(deps: Deps) -> int:
    """Charge cards for what is owed, and look after charges that are under way; how many were due.

    Safe to run in several processes, and to be cut off anywhere: each charge has an id of its own,
    made of what it is for, and is charged once.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await mandates.due(tx, now, limit=BATCH_MAX)
        for row in rows:
            row.due_at = now + LOOK_AGAIN
        found = [row.id for row in rows]
    for mandate_id in found:
        await _collect(deps, mandate_id)
    return len(found)


async def _collect(deps: Deps, mandate_id: str) -> None:
    async with deps.db.read() as tx:
        row = await mandates.load(tx, mandate_id)
        last = None if row is None or not row.provider_id else row.provider_id
    if row is None or row.state != ACTIVE or row.kind != CARD:
        return
    if last is not None:
        status = await account_payment(deps, OrderId(last))
        if status.stage in {OrderStage.PROMPTED, OrderStage.CHECKING}:
            return  # it is looked at again
        await _charged(deps, mandate_id, last, paid=status.stage is OrderStage.PAID)
        if status.stage is not OrderStage.PAID:
            return
    await _charge(deps, mandate_id)


async def _charged(deps: Deps, mandate_id: str, order_id: str, *, paid: bool) -> None:
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
        if row.provider_id != order_id:
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
        if paid:
            row.tries = 0
            return
        row.tries += 1
        row.due_at = next_try(row.tries, now)
        if row.due_at is None:
            row.state, row.end_reason = FAILING, "every try was refused"


async def _charge(deps: Deps, mandate_id: str) -> None:
    """Charge what is owed now, if anything is; the next look is at once, or tomorrow."""
    assert deps.cards is not None
    now = deps.now()
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        if row.state != ACTIVE or row.sealed is None or row.provider_id:
            return
        minor = to_charge(await _owed(tx, row.subscriber_id, now), row.amount_minor)
        if minor <= 0:
            row.due_at = next_morning(now)
            return
        order_id = _name(row, now)
        row.provider_id = order_id
        card = card_of(deps, row)
        subscriber_id = row.subscriber_id
    cards = deps.cards

    async def send(push: Push, at: datetime) -> PushAnswer:
        return await cards.charge(push, card, at)

    wish = AccountPayment(
        order_id=OrderId(order_id),
        subscriber=subscriber_id,
        amount=Money(minor),
        rail=cards.rail,
        mandate_id=mandate_id,
    )
    await pay_account(deps, wish, send=send)


async def _owed(tx: Tx, subscriber_id: str, now: datetime) -> int:
    """What is to be paid so that nothing is open and everything goes on."""
    held = await subscriptions.of_subscriber(tx, subscriber_id)
    wanted = await to_go_on(tx, subscriber_id, held, now)
    owed = await debts.owed_minor(tx, subscriber_id)
    wallet = await received.wallet_minor(tx, subscriber_id)
    return max(owed - wallet, 0 if wanted is None else wanted.minor)


def _name(row: MandateRow, now: datetime) -> str:
    """The id of a charge: one for each try of each morning."""
    told = f"{row.id}\n{next_morning(now):%Y-%m-%d}\n{row.tries}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


async def _ask_for(deps: Deps, mandate_id: str, order: StandingOrder) -> None:
    assert deps.mpesa is not None
    state, reference, reason = ASKED, None, ""
    try:
        reference = (await deps.mpesa.standing_order(order, deps.now())).conversation_id
    except AnswerLostError:
        reason = "no answer: the payer may have been asked"
    except GatewayError as error:
        state, reason = REFUSED, str(error)[:CONSENT_MAX]
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        assert row is not None
        if row.state == ASKED:
            row.state, row.provider_id, row.end_reason = state, reference, reason


async def _kept(tx: Tx, row: MandateRow) -> bool:
    """Keep a new consent; False when it is there already. Raises `MandateDiffers`."""
    known = await mandates.locked(tx, row.id)
    if known is None:
        tx.add(row)
        await tx.flush()
        return True
    for name in ("subscriber_id", "kind", "amount_minor", "frequency", "consent"):
        if getattr(known, name) != getattr(row, name):
            raise MandateDiffers(f"consent {row.id} was given before with another {name}")
    return False


async def _shown(tx: Tx, mandate_id: str) -> MandateRow:
    row = await mandates.load(tx, mandate_id)
    assert row is not None
    return row


def _new(  # noqa: PLR0917 - the columns of one row
    deps: Deps, mandate_id: str, subscriber_id: str, kind: str, rail: str, consent: str
) -> MandateRow:
    now = deps.now()
    return MandateRow(
        id=mandate_id,
        subscriber_id=subscriber_id,
        kind=kind,
        rail=rail,
        state=ASKED,
        label="",
        currency="KES",
        frequency="",
        consent=consent,
        consented_at=now,
        created_at=now,
        end_reason="",
        tries=0,
    )


def _check(mandate_id: str, consent: str) -> None:
    if not _ID.fullmatch(mandate_id):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    if not consent.strip() or len(consent) > CONSENT_MAX or "\0" in consent:
        raise InvalidField("consent", f"want 1 to {CONSENT_MAX} characters: what was agreed to")
