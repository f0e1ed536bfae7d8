"""Auto-pay: what a subscriber has agreed that we collect, and may take back at any time.

A card is agreed to by a payment with it, and then charged each morning for what is owed
(`collecting`); a standing order is agreed to by PIN, and the provider runs it. Both bring money by
the usual roads: nothing here books any.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from billing.errors import InvalidField
from billing.ids import OrderId
from billing.msisdn import Msisdn
from billing.period import day_of, midnight
from controller.payments.gateway import AnswerLostError, CallbackUnreadable, GatewayError
from controller.payments.mpesa_ratiba import Frequency, StandingOrder
from controller.payments.mpesa_result import read_ratiba
from controller.store import mandates, notices
from controller.store.mandates import ACTIVE, ASKED, CANCELLED, CARD, ORDER, REFUSED
from controller.store.payment_rows import MandateRow
from controller.usecases import payers
from controller.usecases.account_payments import (
    AMOUNT_MAX_MINOR,
    SHILLING_MINOR,
    AccountPayment,
    AccountPaymentStatus,
    pay_account,
)
from controller.usecases.asking import new_token, token_hash
from controller.usecases.cards import end
from controller.usecases.money_in import check_reason

if TYPE_CHECKING:
    from datetime import date

    from billing.money import Money
    from controller.deps import Deps
    from controller.store.database import Tx

ORDER_PATH = "/callbacks/orders/"
"""Where a provider tells whether a payer agreed to a standing order, followed by a token."""

FIRST_LOOK = timedelta(minutes=5)
"""After this it is looked whether the first payment with a card was made."""

YEARS_MAX = timedelta(days=10 * 366)
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
    _check_amount("amount", wish.amount)
    if wish.most is not None:
        _check_amount("most", wish.most)
    if deps.cards is None:
        raise InvalidField("rail", "no card gateway is configured")
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, wish.subscriber)
        if not subscriber.email:
            raise InvalidField("email", "a card wants the subscriber's e-mail address")
        row = _new(deps, wish.mandate_id, subscriber.id, CARD, deps.cards.rail, wish.consent)
        row.amount_minor = None if wish.most is None else wish.most.minor
        row.due_at = row.created_at + FIRST_LOOK
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
    _check_amount("amount", wish.amount)
    today = day_of(deps.now())
    if not today <= wish.starts_on <= today + YEARS_MAX:
        raise InvalidField("starts_on", "want today, or a day to come")
    if not wish.starts_on <= wish.ends_on <= wish.starts_on + YEARS_MAX:
        raise InvalidField("ends_on", "want the first day, or a day after it")
    token = new_token()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, wish.subscriber)
        row = _new(deps, wish.mandate_id, subscriber.id, ORDER, deps.mpesa.rail, wish.consent)
        row.amount_minor, row.frequency = wish.amount.minor, wish.frequency.name.lower()
        row.callback_token_hash = token_hash(deps, token)
        # When its last day is over, it is over by itself.
        row.due_at = midnight(wish.ends_on + timedelta(days=1))
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
        if row.provider_id not in {None, outcome.reference}:
            log.warning("order_outcome_of_another", mandate=mandate_id)
            return True
        row.provider_id = outcome.reference
        if outcome.accepted and row.state in {ASKED, REFUSED}:
            row.state, row.end_reason = ACTIVE, ""
        elif row.state == ASKED:
            row.state, row.end_reason = REFUSED, f"code {outcome.code}"
    deps.signals.wake("live")
    return True


async def show(deps: Deps, mandate_id: str) -> MandateRow:
    """A consent as it stands. Raises `MandateUnknown`."""
    async with deps.db.read() as tx:
        row = await mandates.load(tx, mandate_id)
    if row is None:
        raise MandateUnknown(f"there is no consent {mandate_id[:40]}")
    return row


async def cancel(deps: Deps, mandate_id: str, *, reason: str) -> MandateRow:
    """End a consent for good: nothing is collected by it any more. Repeating changes nothing.

    What a charge that is under way still brings is credited as all money is. A standing order ends
    at the payer's own phone: M-PESA has no door for it, and staff are told. Raises `InvalidField`,
    `MandateUnknown`, `DatabaseBusy`.
    """
    check_reason(reason)
    async with deps.db.begin() as tx:
        row = await mandates.locked(tx, mandate_id)
        if row is None:
            raise MandateUnknown(f"there is no consent {mandate_id[:40]}")
        if row.state == CANCELLED:
            return row
        runs = row.kind == ORDER and row.state in {ASKED, ACTIVE}
        end(row, reason, deps.now())
        if runs:
            await notices.add(
                tx,
                now=deps.now(),
                code="order_ends_at_the_phone",
                text=f"standing order {row.id} was cancelled here: its payer also ends it in the"
                " M-PESA menu, or it goes on paying into the wallet",
                once=f"order_ends_at_the_phone\n{row.id}",
            )
    deps.signals.wake("live")
    return row


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
        row.provider_id = row.provider_id or reference
        if row.state == ASKED:
            row.state, row.end_reason = state, reason


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
    if row.kind == ORDER and known.due_at not in {None, row.due_at}:
        raise MandateDiffers(f"consent {row.id} was given before with another last day")
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


def _check_amount(name: str, amount: Money) -> None:
    minor = amount.minor
    if amount.currency != "KES" or not SHILLING_MINOR <= minor <= AMOUNT_MAX_MINOR:
        raise InvalidField(name, "want 1 to 250,000 KES")
    if minor % SHILLING_MINOR:
        raise InvalidField(name, "want whole shillings: nobody can be asked for cents")


def _check(mandate_id: str, consent: str) -> None:
    if not _ID.fullmatch(mandate_id):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    if not consent.strip() or len(consent) > CONSENT_MAX or not consent.isprintable():
        raise InvalidField("consent", f"want 1 to {CONSENT_MAX} characters: what was agreed to")
