"""What goes out and comes in about money that came in, promotions and dunning."""

import json
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from billing.dunning import STEPS_MAX, Policy, Step, StepKind
from billing.money import Money
from billing.promo import Coupon, Discount, Loyalty, Referral, Terms
from billing.scope import LISTED_MAX, Scope
from controller.api.shapes import Instant, MoneyShape, Words
from controller.noc.charges import ReceivedView
from controller.store.billing_rows import PromotionRow, PromotionUseRow


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReceivedIn(_In):
    """Money for a subscriber's account (by id or phone); ``at`` null is now.

    ``rail`` is ``cash``, ``mpesa``, ``bank``, ``cheque`` or another; ``receipt`` is its own number,
    which cash may lack; ``place`` is where it landed, if not at the subscriber's branch.
    """

    subscriber: Words
    amount: MoneyShape
    rail: Words = "cash"
    receipt: Words = ""
    place: Words = ""
    at: Instant | None = None
    note: Words = ""


class ReasonIn(_In):
    """Why."""

    reason: Words


class ReceivedOut(BaseModel):
    """Money that came in for an account; ``reversed_at`` says when it went back."""

    id: str
    subscriber_id: str
    phone: str
    name: str
    branch_id: str
    rail: str
    place: str
    receipt: str
    amount: MoneyShape
    at: datetime
    note: str
    reversed_at: datetime | None

    @classmethod
    def of(cls, view: ReceivedView) -> Self:
        """From a view."""
        row = view.row
        return cls(
            id=row.id,
            subscriber_id=row.subscriber_id,
            phone=view.subscriber.msisdn,
            name=view.subscriber.name,
            branch_id=row.branch_id,
            rail=row.rail,
            place=row.place,
            receipt=row.receipt,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            at=row.at,
            note=row.note,
            reversed_at=row.reversed_at,
        )


class BookedOut(ReceivedOut):
    """Money that was taken; ``taken_before`` when its receipt was known, and nothing was booked."""

    taken_before: bool


class AdjustIn(_In):
    """Money into a wallet, or (negative) out of it, and why."""

    amount: MoneyShape
    reason: Words


class TransferIn(_In):
    """Money from one wallet to that of another subscriber (by id or phone)."""

    target: Words
    amount: MoneyShape
    note: Words = ""


class WalletOut(BaseModel):
    """What a wallet holds."""

    subscriber_id: str
    wallet: MoneyShape


class PolicyStepShape(_In):
    """What is done so many days after an invoice is due (before it: negative).

    ``remind``, ``fee``, ``suspend`` or ``recovery``; only a fee has a ``fee``.
    """

    kind: StepKind
    after_days: StrictInt
    fee: MoneyShape | None = None


class PolicyShape(_In):
    """How many days invoices of a segment ("" for all others) may be paid in, and what follows."""

    segment: Words = ""
    terms_days: StrictInt
    steps: Annotated[list[PolicyStepShape], Field(max_length=STEPS_MAX)]

    @classmethod
    def of(cls, segment: str, policy: Policy) -> Self:
        """From a policy."""
        steps = [
            PolicyStepShape(
                kind=step.kind,
                after_days=step.after_days,
                fee=None if step.fee is None else MoneyShape.of(step.fee.minor, step.fee.currency),
            )
            for step in policy.steps
        ]
        return cls(segment=segment, terms_days=policy.terms_days, steps=steps)

    def policy(self) -> Policy:
        """As a policy, unchecked. Raises `billing.errors.InvalidField`."""
        steps = tuple(Step(one.kind, one.after_days, _money(one.fee)) for one in self.steps)
        return Policy(self.terms_days, steps)


class ScopeShape(_In):
    """For what, for whom, where and when; an empty list is every one, and null is no bound."""

    plans: Annotated[list[Words], Field(max_length=LISTED_MAX)] = []
    segments: Annotated[list[Words], Field(max_length=LISTED_MAX)] = []
    branches: Annotated[list[Words], Field(max_length=LISTED_MAX)] = []
    from_at: Instant | None = None
    until_at: Instant | None = None

    def scope(self) -> Scope:
        """As a scope, unchecked."""
        return Scope(
            plans=tuple(self.plans),
            segments=tuple(self.segments),
            branches=tuple(self.branches),
            from_at=self.from_at,
            until_at=self.until_at,
        )


class DiscountShape(_In):
    """A share in hundredths of a per cent, or an amount, off so many periods (null: all)."""

    basis_points: StrictInt | None = None
    amount: MoneyShape | None = None
    periods: StrictInt | None = None
    scope: ScopeShape = ScopeShape()

    def terms(self) -> Discount:
        """As terms, unchecked. Raises `billing.errors.InvalidField`."""
        return Discount(self.basis_points, _money(self.amount), self.periods, self.scope.scope())


class CouponShape(_In):
    """A discount for who knows the code; for at most so many subscribers (null: any number)."""

    code: Words
    discount: DiscountShape
    uses_max: StrictInt | None = None

    def terms(self) -> Coupon:
        """As terms, unchecked. Raises `billing.errors.InvalidField`."""
        return Coupon(self.code, self.discount.terms(), self.uses_max)


class ReferralShape(_In):
    """What both get into their wallets when who was referred first pays."""

    referrer: MoneyShape
    referred: MoneyShape

    def terms(self) -> Referral:
        """As terms, unchecked. Raises `billing.errors.InvalidField`."""
        return Referral(self.referrer.money(), self.referred.money())


class LoyaltyShape(_In):
    """A ``reward`` for every so many paid invoices, or a share of each payment."""

    every_invoices: StrictInt | None = None
    reward: MoneyShape | None = None
    basis_points: StrictInt | None = None
    scope: ScopeShape = ScopeShape()

    def terms(self) -> Loyalty:
        """As terms, unchecked. Raises `billing.errors.InvalidField`."""
        return Loyalty(
            self.every_invoices, _money(self.reward), self.basis_points, self.scope.scope()
        )


class PromotionIn(_In):
    """A new promotion: one of the four kinds. The id of a coupon is its code.

    ``starts_at`` null is now, ``ends_at`` null is no end.
    """

    id: Words = ""
    name: Words
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    discount: DiscountShape | None = None
    coupon: CouponShape | None = None
    referral: ReferralShape | None = None
    loyalty: LoyaltyShape | None = None

    def terms(self) -> list[Terms]:
        """The terms of each kind that is said, unchecked. Raises `billing.errors.InvalidField`."""
        kinds = (self.discount, self.coupon, self.referral, self.loyalty)
        return [kind.terms() for kind in kinds if kind is not None]


class PromotionOut(BaseModel):
    """A promotion; ``terms`` are as they were made, with their kind."""

    id: str
    kind: str
    name: str
    terms: dict[str, Any]
    starts_at: datetime
    ends_at: datetime | None
    withdrawn_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: PromotionRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            kind=row.kind,
            name=row.name,
            terms=json.loads(row.terms),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            withdrawn_at=row.withdrawn_at,
            created_at=row.created_at,
        )


class TakeIn(_In):
    """A discount that staff give (``promotion_id``), or a coupon's ``code``; one of the two."""

    promotion_id: Words = ""
    code: Words = ""


class TakenOut(BaseModel):
    """A promotion that a subscriber has; it lowers ``periods_left`` more (null: all)."""

    id: str
    promotion_id: str
    subscriber_id: str
    at: datetime
    periods_left: int | None

    @classmethod
    def of(cls, row: PromotionUseRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            promotion_id=row.promotion_id,
            subscriber_id=row.subscriber_id,
            at=row.at,
            periods_left=row.periods_left,
        )


def _money(shape: MoneyShape | None) -> Money | None:
    return None if shape is None else shape.money()
