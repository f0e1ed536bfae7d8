"""What goes out and comes in about what is charged: subscriptions, documents, debts."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, StrictInt

from billing.ageing import bucket_of
from billing.charge import Mode
from billing.errors import InvalidField
from billing.instalment import Part
from billing.invoice import Line, shown_number
from billing.money import Money
from billing.period import Cycle, Unit
from billing.plan import DEVICES_MAX
from controller.api.shapes import Instant, Mac, MoneyShape, Words
from controller.noc.charges import DebtView, DocumentView, SubscriptionView
from controller.store.billing_rows import DebtRow, DocumentRow, DunningStepRow, SubscriptionRow
from controller.usecases.agreements import NewSubscription
from controller.usecases.plan_changes import Quote
from controller.usecases.subscribers import normal_name


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _of(amount: Money) -> MoneyShape:
    return MoneyShape.of(amount.minor, amount.currency)


def price_of(shape: MoneyShape | None) -> Money | None:
    """A bespoke price, which is in shillings. Raises `InvalidField`."""
    if shape is None:
        return None
    amount = shape.money()
    if amount.currency != "KES":
        raise InvalidField("currency", "invoices are in KES")
    return amount


class CycleShape(_In):
    """How long a period is; ``anchor_day`` is a fixed day of months on which periods begin."""

    unit: Unit = Unit.MONTH
    count: StrictInt = 1
    anchor_day: StrictInt | None = None

    def cycle(self) -> Cycle:
        """As a cycle. Raises `billing.errors.InvalidField`."""
        return Cycle(self.unit, self.count, self.anchor_day)


class SubscriptionIn(_In):
    """A new subscription of a subscriber (by id or phone) for a plan, served at a site.

    ``begins_at`` null is now; ``price`` is a bespoke one, null for that of the plan.
    """

    subscriber: Words
    plan_id: Words
    site_id: Words
    mode: Mode
    cycle: CycleShape = CycleShape()
    devices: Annotated[list[Mac], Field(max_length=DEVICES_MAX)] = []
    begins_at: Instant | None = None
    price: MoneyShape | None = None

    def agreement(self, subscription_id: str) -> NewSubscription:
        """As what is agreed on. Raises `billing.errors.InvalidField`."""
        return NewSubscription(
            id=subscription_id,
            subscriber=normal_name(self.subscriber),
            plan_id=self.plan_id,
            site_id=self.site_id,
            mode=self.mode,
            cycle=self.cycle.cycle(),
            devices=tuple(self.devices),
            begins_at=self.begins_at,
            price=price_of(self.price),
        )


class PlaceIn(_In):
    """Where it is served and by which devices; what is not said stays."""

    site_id: Words | None = None
    devices: Annotated[list[Mac], Field(max_length=DEVICES_MAX)] | None = None


class CredentialsIn(_In):
    """By what to dial in; a name that is not said stays, and a secret is made."""

    name: Annotated[Words, Field(max_length=64)] | None = None
    secret: Annotated[SecretStr, Field(max_length=64)] | None = None


class LoginOut(BaseModel):
    """By what a subscription dials in, and where; never its secret."""

    name: str
    site_id: str
    set_at: Instant


class CredentialsOut(BaseModel):
    """By what a subscription dials in; the secret is shown this once."""

    name: str
    secret: str


class ChangeIn(_In):
    """Another plan, now or (``at_renewal``) with the next period.

    ``quoted`` is the ``to_pay`` that was agreed to: when it has changed, nothing is done.
    """

    plan_id: Words
    price: MoneyShape | None = None
    at_renewal: StrictBool = False
    quoted: MoneyShape | None = None


class PauseIn(_In):
    """Until when; null until somebody resumes it."""

    until: Instant | None = None


class EndIn(_In):
    """Whether what is billed and will not be served is credited."""

    credit_rest: StrictBool = True


class SubscriptionOut(BaseModel):
    """A standing contract for a plan.

    ``bill_at`` is when it is billed next, ``paid_until`` when the billed time ends. ``price`` is a
    bespoke price, null for that of the plan. ``hold`` says why it is suspended.
    """

    id: str
    subscriber_id: str
    plan_id: str
    next_plan_id: str | None
    site_id: str
    devices: list[str]
    mode: str
    cycle: CycleShape
    price: MoneyShape | None
    state: str
    hold: str | None
    state_at: datetime
    bill_at: datetime | None
    paid_until: datetime | None
    resume_at: datetime | None
    grant_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: SubscriptionRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            subscriber_id=row.subscriber_id,
            plan_id=row.plan_id,
            next_plan_id=row.next_plan_id,
            site_id=row.site_id,
            devices=row.devices.split(),
            mode=row.mode,
            cycle=CycleShape(
                unit=Unit(row.cycle_unit), count=row.cycle_count, anchor_day=row.anchor_day
            ),
            price=None if row.price_minor is None else MoneyShape.of(row.price_minor, "KES"),
            state=row.state,
            hold=row.hold,
            state_at=row.state_at,
            bill_at=row.bill_at,
            paid_until=row.paid_until,
            resume_at=row.resume_at,
            grant_id=row.grant_id,
            created_at=row.created_at,
        )


class SubscriptionLineOut(SubscriptionOut):
    """A subscription, and whose it is."""

    phone: str
    name: str

    @classmethod
    def seen(cls, view: SubscriptionView) -> Self:
        """From a view."""
        who = view.subscriber
        return cls(**SubscriptionOut.of(view.row).model_dump(), phone=who.msisdn, name=who.name)


class LineOut(BaseModel):
    """A line of a document; discounts are negative. Rates are in hundredths of a per cent."""

    kind: str
    text: str
    tax_class: str
    excise_bp: int
    vat_bp: int
    net: MoneyShape
    excise: MoneyShape
    vat: MoneyShape
    total: MoneyShape
    subscription_id: str | None
    plan_id: str | None

    @classmethod
    def of(cls, line: Line) -> Self:
        """From a line."""
        return cls(
            kind=line.kind,
            text=line.text,
            tax_class=line.tax_class,
            excise_bp=line.rates.excise_bp,
            vat_bp=line.rates.vat_bp,
            net=_of(line.taxed.net),
            excise=_of(line.taxed.excise),
            vat=_of(line.taxed.vat),
            total=_of(line.taxed.total),
            subscription_id=line.subscription_id,
            plan_id=line.plan_id,
        )


class QuoteOut(BaseModel):
    """What a change of plan now comes to, to the cent.

    ``credited`` is given back of the old plan, ``charged`` for the new one until ``rest_until``;
    ``to_pay`` is the difference, negative when more is given back. A prepaid change wants
    ``missing`` in the wallet first. From then on a period costs ``next_price``.
    """

    plan_id: str
    rest_from: datetime
    rest_until: datetime
    credited: MoneyShape
    charged: MoneyShape
    to_pay: MoneyShape
    missing: MoneyShape
    next_price: MoneyShape
    lines: list[LineOut]

    @classmethod
    def of(cls, quote: Quote) -> Self:
        """From a quote."""
        change = quote.change
        return cls(
            plan_id=change.contract.plan_id,
            rest_from=change.rest.start,
            rest_until=change.rest.end,
            credited=_of(change.credited),
            charged=_of(change.charged),
            to_pay=_of(change.to_pay),
            missing=_of(quote.missing),
            next_price=_of(change.next_price),
            lines=[LineOut.of(line) for line in change.charge],
        )


class DocumentOut(BaseModel):
    """An invoice, credit note or receipt as it was issued; ``open`` is what is not paid of it."""

    id: str
    kind: str
    number: str
    subscriber_id: str
    branch_id: str
    issued_at: datetime
    due_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    net: MoneyShape
    excise: MoneyShape
    vat: MoneyShape
    total: MoneyShape
    open: MoneyShape | None
    refers_to: str | None

    @classmethod
    def of(cls, row: DocumentRow, debt: DebtRow | None) -> Self:
        """From its row, and that of its debt."""

        def money(minor: int) -> MoneyShape:
            return MoneyShape.of(minor, row.currency)

        return cls(
            id=row.id,
            kind=row.kind,
            number=shown_number(row.series, row.number),
            subscriber_id=row.subscriber_id,
            branch_id=row.branch_id,
            issued_at=row.issued_at,
            due_at=row.due_at,
            period_start=row.period_start,
            period_end=row.period_end,
            net=money(row.net_minor),
            excise=money(row.excise_minor),
            vat=money(row.vat_minor),
            total=money(row.total_minor),
            open=None if debt is None else money(debt.open_minor),
            refers_to=row.refers_to,
        )


class DocumentLineOut(DocumentOut):
    """A document, and whose it is."""

    phone: str
    name: str

    @classmethod
    def seen(cls, view: DocumentView) -> Self:
        """From a view."""
        who, shown = view.subscriber, DocumentOut.of(view.row, view.debt)
        return cls(**shown.model_dump(), phone=who.msisdn, name=who.name)


class StepOut(BaseModel):
    """A step of dunning that was taken: ``remind-3`` is three days before it was due."""

    step: str
    at: datetime

    @classmethod
    def of(cls, row: DunningStepRow) -> Self:
        """From its row."""
        return cls(step=row.step, at=row.at)


class PartOut(BaseModel):
    """A part of a debt that is paid by a day of its own."""

    due_at: datetime
    amount: MoneyShape

    @classmethod
    def of(cls, part: Part) -> Self:
        """From a part."""
        return cls(due_at=part.due_at, amount=_of(part.amount))


class DocumentDetailOut(DocumentLineOut):
    """A document with its lines, what is printed beside them, and what became of it.

    ``overdue_at`` is from when an invoice is overdue: its own day, or that of the first unpaid
    instalment. ``promised_until`` is when a promise to pay ends.
    """

    printed: dict[str, Any]
    lines: list[LineOut]
    overdue_at: datetime | None
    promised_until: datetime | None
    instalments: list[PartOut]
    steps: list[StepOut]
    credit_notes: list[DocumentOut]

    @classmethod
    def whole(
        cls,
        view: DocumentView,
        *,
        lines: list[Line],
        parts: tuple[Part, ...],
        steps: list[DunningStepRow],
        notes: list[DocumentRow],
    ) -> Self:
        """From a view, and all that belongs to it."""
        return cls(
            **DocumentLineOut.seen(view).model_dump(),
            printed=json.loads(view.row.frozen),
            lines=[LineOut.of(line) for line in lines],
            overdue_at=None if view.debt is None else view.debt.due_at,
            promised_until=None if view.debt is None else view.debt.promised_until,
            instalments=[PartOut.of(part) for part in parts],
            steps=[StepOut.of(step) for step in steps],
            credit_notes=[DocumentOut.of(note, None) for note in notes],
        )


class CreditIn(_In):
    """How much of an invoice is taken back (null: all that is left), and why."""

    amount: MoneyShape | None = None
    reason: Words


class PromiseIn(_In):
    """By the end of which day a subscriber promised to pay."""

    day: date


class InstalmentsIn(_In):
    """In how many equal parts an invoice is paid, from when on, and how far apart."""

    count: StrictInt
    first_due: Instant
    cycle: CycleShape = CycleShape()


class WriteOffIn(_In):
    """Why what is open is given up."""

    reason: Words


class DebtOut(BaseModel):
    """What is open of an invoice.

    ``bucket`` is for how many days it has been overdue: ``not_due``, ``1-30``, ``31-60``,
    ``61-90``, ``over_90``. With ``in_recovery`` people go after it.
    """

    document_id: str
    number: str
    subscriber_id: str
    phone: str
    name: str
    branch_id: str
    overdue_at: datetime
    bucket: str
    total: MoneyShape
    open: MoneyShape
    promised_until: datetime | None
    next_step_at: datetime | None
    in_recovery: bool

    @classmethod
    def of(cls, view: DebtView, now: datetime) -> Self:
        """From a view, at an instant."""
        row, document = view.row, view.document
        return cls(
            document_id=document.id,
            number=shown_number(document.series, document.number),
            subscriber_id=view.subscriber.id,
            phone=view.subscriber.msisdn,
            name=view.subscriber.name,
            branch_id=document.branch_id,
            overdue_at=row.due_at,
            bucket=bucket_of(row.due_at, now),
            total=MoneyShape.of(document.total_minor, document.currency),
            open=MoneyShape.of(row.open_minor, document.currency),
            promised_until=row.promised_until,
            next_step_at=row.step_at,
            in_recovery=view.in_recovery,
        )
