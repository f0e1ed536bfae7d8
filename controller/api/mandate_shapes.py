"""What goes out and comes in about auto-pay: cards that are charged, and standing orders."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from billing.payment import OrderStage, Reason
from billing.period import day_of
from controller.api.shapes import MoneyShape, Words
from controller.payments.mpesa_ratiba import Frequency
from controller.store.mandates import ACTIVE, ASKED, CARD
from controller.store.payment_rows import MandateRow
from controller.usecases.account_payments import AccountPaymentStatus


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Often(StrEnum):
    """How often a standing order pays."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    TWO_MONTHLY = "two_monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    YEARLY = "yearly"

    @property
    def frequency(self) -> Frequency:
        """As M-PESA knows it."""
        return Frequency[self.name]


class CardIn(_In):
    """A first payment by card, after which the card pays what is owed, up to ``most`` (null: all).

    ``consent`` says what the subscriber agreed to and how; it is kept.
    """

    amount: MoneyShape
    most: MoneyShape | None = None
    consent: Words


class OrderIn(_In):
    """A standing order: how much, how often, its first and its last day (Nairobi's)."""

    amount: MoneyShape
    frequency: Often
    starts_on: date
    ends_on: date
    consent: Words


class MandateOut(BaseModel):
    """A consent by which we collect.

    ``kind`` is ``card`` or ``order``; ``state`` is ``asked``, ``active``, ``refused``, ``failing``
    (every try was refused) or ``cancelled``. ``amount`` is what an order pays, and the most that a
    card is charged at once (null: all that is owed). ``next_at`` is when an active card is looked
    at next, ``ends_on`` the last day of an order that goes on; ``tries`` counts refusals in a row.
    """

    id: str
    subscriber_id: str
    kind: str
    rail: str
    state: str
    label: str
    amount: MoneyShape | None
    frequency: str
    consent: str
    consented_at: datetime
    next_at: datetime | None
    ends_on: date | None
    tries: int
    ended_at: datetime | None
    end_reason: str

    @classmethod
    def of(cls, row: MandateRow) -> Self:
        """From its row; the card itself is nobody's to see."""
        minor, due_at = row.amount_minor, row.due_at
        is_card, is_on = row.kind == CARD, row.state in {ASKED, ACTIVE}
        last = None if due_at is None else day_of(due_at) - timedelta(days=1)
        return cls(
            id=row.id,
            subscriber_id=row.subscriber_id,
            kind=row.kind,
            rail=row.rail,
            state=row.state,
            label=row.label,
            amount=None if minor is None else MoneyShape.of(minor, row.currency),
            frequency=row.frequency,
            consent=row.consent,
            consented_at=row.consented_at,
            next_at=due_at if is_card and row.state == ACTIVE else None,
            ends_on=last if is_on and not is_card else None,
            tries=row.tries,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
        )


class CardAskedOut(MandateOut):
    """A consent that waits for its first payment: ``pay_at`` is the page where it is made."""

    order_id: str
    stage: OrderStage
    reason: Reason | None
    pay_at: str

    @classmethod
    def asked(cls, row: MandateRow, status: AccountPaymentStatus) -> Self:
        """From its row, and where its first payment stands."""
        return cls(
            **MandateOut.of(row).model_dump(),
            order_id=status.order_id,
            stage=status.stage,
            reason=status.reason,
            pay_at=status.pay_at,
        )
