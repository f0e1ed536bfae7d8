"""What goes out and comes in about money that came in, money that goes back, and who waits.

Phone numbers of payers are masked; those of subscribers are their account numbers, and whole.
"""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from billing.errors import InvalidField
from billing.ids import OrderId
from billing.matching import Suggestion
from billing.matching import Why as Speaks
from billing.msisdn import Msisdn, masked, parse_msisdn
from billing.payment import OrderStage, PaymentState, Reason, stage
from controller.api.shapes import MoneyShape, Words
from controller.noc.board import Why, waiting_sentence, why_waiting
from controller.noc.incoming import ArrivalView, RefundView, WaitingView
from controller.store.payment_rows import ArrivalDeedRow
from controller.store.rows import PaymentRow
from controller.usecases.account_payments import AccountPayment
from controller.usecases.subscribers import normal_name

HASHED = "hashed"
"""How a payer's number is shown that the provider told as a hash only."""

PAYER_CHARS_MAX = 20
"""What is longer is no number, and no masked one."""

NATIONAL_DIGITS = 9


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AssignIn(_In):
    """Whose money it is (by id or phone), and why."""

    subscriber: Words
    reason: Words


class RefundIn(_In):
    """Why money goes back; ``amount`` null is all of it."""

    amount: MoneyShape | None = None
    reason: Words


class AccountPaymentIn(_In):
    """Money to ask for, for a subscriber's account (by id or phone).

    ``payer`` is whose phone is asked, if not the subscriber's own; ``rail`` is by which, "" for the
    first.
    """

    subscriber: Words
    amount: MoneyShape
    payer: Words | None = None
    rail: Words = ""

    def wish(self, order_id: str) -> AccountPayment:
        """As the use case takes it. Raises `InvalidField` (``payer``, ``amount``)."""
        return AccountPayment(
            order_id=OrderId(order_id),
            subscriber=normal_name(self.subscriber),
            amount=self.amount.money(),
            payer=None if self.payer is None else _phone("payer", self.payer),
            rail=self.rail,
        )


class ArrivalOut(BaseModel):
    """Money that a provider says is ours.

    ``state`` is ``doubted`` (not confirmed), ``suspense`` (nobody's yet), ``credited`` or
    ``returned``. ``reference`` is what the payer typed as account, or what our request said;
    ``payer`` is masked. ``order_id`` and ``subscriber_id`` say whose it became. ``for_staff`` says
    that nobody will be found for it by itself.
    """

    id: str
    rail: str
    place: str
    receipt: str
    amount: MoneyShape
    at: datetime
    seen_at: datetime
    roads: list[str]
    reference: str
    payer: str
    payer_name: str
    note: str
    state: str
    for_staff: bool
    order_id: str | None
    received_id: str | None
    subscriber_id: str | None
    phone: str | None
    name: str

    @classmethod
    def of(cls, view: ArrivalView) -> Self:
        """From a view."""
        row, whose = view.row, view.subscriber
        return cls(
            id=row.id,
            rail=row.rail,
            place=row.place,
            receipt=row.receipt,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            at=row.at,
            seen_at=row.seen_at,
            roads=row.roads.split(),
            reference=row.reference,
            payer=_payer(row.payer),
            payer_name=row.payer_name,
            note=row.note,
            state=row.state,
            for_staff=row.state == "doubted" or (row.state == "suspense" and row.due_at is None),
            order_id=row.order_id,
            received_id=row.received_id,
            subscriber_id=None if whose is None else whose.id,
            phone=None if whose is None else whose.msisdn,
            name="" if whose is None else whose.name,
        )


class DeedOut(BaseModel):
    """What somebody of the staff did with money, and why."""

    at: datetime
    who: str
    what: str
    detail: str

    @classmethod
    def of(cls, row: ArrivalDeedRow) -> Self:
        """From its row."""
        return cls(at=row.at, who=row.who, what=row.what, detail=row.detail)


class RefundOut(BaseModel):
    """Money that goes back: ``settled`` is gone, ``refused`` is the subscriber's again."""

    id: str
    arrival_id: str
    rail: str
    of_receipt: str
    amount: MoneyShape
    phone: str
    reason: str
    state: PaymentState
    code: str
    receipt: str | None
    created_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, view: RefundView) -> Self:
        """From a view; the phone number is masked."""
        row = view.row
        return cls(
            id=row.id,
            arrival_id=row.arrival_id,
            rail=row.rail,
            of_receipt=view.arrival.receipt,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            phone=masked(row.msisdn) if row.msisdn else "",
            reason=row.reason,
            state=PaymentState(row.state),
            code=row.code,
            receipt=row.receipt,
            created_at=row.created_at,
            sent_at=row.sent_at,
            settled_at=row.settled_at,
        )


class PaidOut(BaseModel):
    """The order that money was for."""

    order_id: str
    purpose: str
    site_id: str | None
    plan_id: str | None
    plan_name: str
    price: MoneyShape
    state: PaymentState

    @classmethod
    def of(cls, row: PaymentRow, plan_name: str) -> Self:
        """From its row."""
        return cls(
            order_id=row.order_id,
            purpose=row.purpose,
            site_id=row.site_id,
            plan_id=row.plan_id,
            plan_name=plan_name,
            price=MoneyShape.of(row.amount_minor, row.currency),
            state=PaymentState(row.state),
        )


class ArrivalDetailOut(ArrivalOut):
    """Money that came in, the order that it paid, what staff did with it, and what went back."""

    order: PaidOut | None
    deeds: list[DeedOut]
    refunds: list[RefundOut]


class OwedOut(BaseModel):
    """An open invoice, and how much of it is open."""

    number: str
    open: MoneyShape


class SuggestionOut(BaseModel):
    """A subscriber whose money it may be, how much speaks for that, and what they owe.

    ``points`` are 0 to 100; ``reasons`` say what they are for.
    """

    subscriber_id: str
    phone: str
    name: str
    points: int
    reasons: list[Speaks]
    owed: list[OwedOut]

    @classmethod
    def of(cls, found: Suggestion) -> Self:
        """From a suggestion."""
        whose = found.candidate
        return cls(
            subscriber_id=whose.subscriber_id,
            phone=whose.msisdn,
            name=whose.name,
            points=found.score.points,
            reasons=list(found.score.reasons),
            owed=[
                OwedOut(number=one.number, open=MoneyShape.of(one.open.minor, one.open.currency))
                for one in whose.owed
            ],
        )


class SuggestionsOut(BaseModel):
    """Who it may be, best first; nobody is said to be right."""

    data: list[SuggestionOut]


class AccountPaymentOut(BaseModel):
    """Money that was asked for, for an account; ``payer`` is masked.

    ``stage`` is ``paid`` when the money is ours; ``pay_url`` is a page of the provider where the
    payer goes on, "" for none.
    """

    order_id: str
    subscriber_id: str
    payer: str
    rail: str
    amount: MoneyShape
    stage: OrderStage
    reason: Reason | None
    pay_url: str
    receipt: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: PaymentRow) -> Self:
        """From its row."""
        return cls(
            order_id=row.order_id,
            subscriber_id=row.subscriber_id,
            payer=masked(row.msisdn),
            rail=row.rail,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            stage=stage(PaymentState(row.state)),
            reason=None if row.reason is None else Reason(row.reason),
            pay_url=row.pay_at,
            receipt=row.receipt,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )


class WaitingOut(BaseModel):
    """Somebody who paid and is not connected; ``phone`` is masked.

    It is an order's (``order_id``) or a subscription's (``subscription_id``). ``why`` says what is
    missing, ``waiting`` the same in words.
    """

    grant_id: str
    order_id: str | None
    subscription_id: str | None
    phone: str
    plan_id: str
    plan_name: str
    paid_at: datetime
    receipt: str | None
    site_id: str
    site_name: str
    site_last_seen_at: datetime | None
    why: Why
    waiting: str

    @classmethod
    def of(cls, view: WaitingView, now: datetime) -> Self:
        """From a view, at an instant."""
        return cls(
            grant_id=view.grant.id,
            order_id=None if view.order is None else view.order.order_id,
            subscription_id=view.subscription_id,
            phone=masked(view.msisdn),
            plan_id=view.plan.id,
            plan_name=view.plan.name,
            paid_at=view.paid_at,
            receipt=view.receipt,
            site_id=view.site.id,
            site_name=view.site.name,
            site_last_seen_at=view.site.last_seen_at,
            why=why_waiting(view, now),
            waiting=waiting_sentence(view, now),
        )


def _payer(told: str) -> str:
    """A payer's number as people may see it: masked; a hash can be undone, so it is not shown."""
    if len(told) > PAYER_CHARS_MAX:
        return HASHED
    digits = "".join(c for c in told if c.isdigit())
    return masked(digits) if len(digits) > NATIONAL_DIGITS - 1 else told


def _phone(field: str, typed: str) -> Msisdn:
    try:
        return parse_msisdn(typed)
    except InvalidField as wrong:
        raise InvalidField(field, wrong.problem) from wrong
