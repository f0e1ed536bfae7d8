"""What goes out and comes in about who sells and who pays: operator, taxes, branches, subscribers.

Money and lists are written as in ``shapes.py``; days are ``2026-11-26``, in Nairobi.
"""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from billing.tax import Rate, Tax
from controller.api.charge_shapes import DocumentOut, SubscriptionOut
from controller.api.shapes import MoneyShape, Words
from controller.noc.accounts import SubscriberView
from controller.store.billing_rows import BranchRow, OperatorRow, TaxRateRow
from controller.usecases.branches import Branch, BranchChange
from controller.usecases.operators import OperatorChange
from controller.usecases.subscribers import Segment, SubscriberChange

LOGO_CHARS_MAX = 280_000
"""A picture of 200,000 bytes in base64, and a little."""


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OperatorIn(_In):
    """What is to be known of the operator; what is not said stays. ``pay_to`` stands on invoices.

    ``support_phone`` is what customers call, "" for none. ``languages`` they are spoken to in are
    ``en``, ``sw``, ``en,sw`` or ``sw,en``; the first unless they choose. Taxes are charged when
    it is ``…_registered`` for them, which wants a name and a PIN.
    """

    name: Words | None = None
    kra_pin: Words | None = None
    vat_registered: StrictBool | None = None
    excise_registered: StrictBool | None = None
    colour: Words | None = None
    pay_to: Words | None = None
    support_phone: Words | None = None
    languages: Words | None = None

    def change(self) -> OperatorChange:
        """As the use case takes it, unchecked."""
        return OperatorChange(**self.model_dump())


class OperatorOut(BaseModel):
    """The operator, who sells."""

    name: str
    kra_pin: str
    vat_registered: bool
    excise_registered: bool
    colour: str
    pay_to: str
    support_phone: str | None
    languages: str
    has_logo: bool

    @classmethod
    def of(cls, row: OperatorRow) -> Self:
        """From its row."""
        return cls(
            name=row.name,
            kra_pin=row.kra_pin,
            vat_registered=row.vat_registered,
            excise_registered=row.excise_registered,
            colour=row.colour,
            pay_to=row.pay_to,
            support_phone=row.support_phone,
            languages=row.languages,
            has_logo=row.logo is not None,
        )


class LogoIn(_In):
    """A PNG of at most 200,000 bytes as base64, for documents; null takes the one away."""

    logo: Annotated[str, Field(max_length=LOGO_CHARS_MAX)] | None


class TaxRateIn(_In):
    """Another rate of a tax, in hundredths of a per cent, from a day on."""

    tax: Tax
    from_day: date
    basis_points: StrictInt

    def rate(self) -> Rate:
        """As a rate. Raises `billing.errors.InvalidField`."""
        return Rate(self.tax, self.from_day, self.basis_points)


class TaxRateOut(BaseModel):
    """A rate of a tax; ``holds`` says whether it is today's."""

    tax: str
    from_day: date
    basis_points: int
    holds: bool

    @classmethod
    def of(cls, row: TaxRateRow, *, holds: bool) -> Self:
        """From its row."""
        return cls(tax=row.tax, from_day=row.from_day, basis_points=row.basis_points, holds=holds)


class BranchSetIn(_In):
    """What is to be another of a branch; what is not said stays."""

    name: Words | None = None
    address: Words | None = None
    phone: Words | None = None
    email: Words | None = None
    kra_branch: Words | None = None

    def change(self) -> BranchChange:
        """As the use case takes it, unchecked."""
        return BranchChange(**self.model_dump())


class BranchIn(_In):
    """A new branch; ``kra_branch`` is its number at the revenue authority."""

    id: Words
    name: Words
    address: Words = ""
    phone: Words = ""
    email: Words = ""
    kra_branch: Words = "00"

    def branch(self) -> Branch:
        """As a branch, unchecked."""
        return Branch(**self.model_dump(exclude={"id"}))


class BranchOut(BaseModel):
    """A branch: its header stands on its documents."""

    id: str
    name: str
    address: str
    phone: str
    email: str
    kra_branch: str
    created_at: datetime

    @classmethod
    def of(cls, row: BranchRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            name=row.name,
            address=row.address,
            phone=row.phone,
            email=row.email,
            kra_branch=row.kra_branch,
            created_at=row.created_at,
        )


class SiteBranchIn(_In):
    """To which branch a site belongs."""

    branch_id: Words


class SubscriberSetIn(_In):
    """What is to be known of a subscriber; what is not said stays.

    ``referred_by`` is the subscriber who brought this one, by id or phone.
    """

    name: Words | None = None
    email: Words | None = None
    address: Words | None = None
    kra_pin: Words | None = None
    segment: Segment | None = None
    branch_id: Words | None = None
    language: Words | None = None
    referred_by: Words | None = None

    def change(self) -> SubscriberChange:
        """As the use case takes it, unchecked."""
        return SubscriberChange(**self.model_dump(exclude={"phone"}))


class SubscriberIn(SubscriberSetIn):
    """A new subscriber. The phone is also the account's number."""

    phone: Words


class SubscriberOut(BaseModel):
    """A subscriber; ``wallet`` is what they paid and did not spend, ``owed`` what is open."""

    id: str
    phone: str
    name: str
    email: str
    address: str
    kra_pin: str
    segment: str
    branch_id: str
    language: str
    referred_by: str | None
    created_at: datetime
    wallet: MoneyShape
    owed: MoneyShape

    @classmethod
    def of(cls, view: SubscriberView) -> Self:
        """From a view. The phone is whole: it is the account's number."""
        row = view.row
        return cls(
            id=row.id,
            phone=row.msisdn,
            name=row.name,
            email=row.email,
            address=row.address,
            kra_pin=row.kra_pin,
            segment=row.segment,
            branch_id=row.branch_id,
            language=row.language,
            referred_by=row.referred_by,
            created_at=row.created_at,
            wallet=MoneyShape.of(view.wallet_minor, "KES"),
            owed=MoneyShape.of(view.owed_minor, "KES"),
        )


class SubscriberDetailOut(SubscriberOut):
    """A subscriber with all subscriptions and what was issued last.

    ``to_pay`` brings back all that is suspended for want of money; null when nothing is.
    """

    to_pay: MoneyShape | None
    subscriptions: list[SubscriptionOut]
    documents: list[DocumentOut]
