"""The tables of the billing engine: branches, prices, subscriptions, documents, debts, promotions.

Documents are written once and never changed: the databases refuse to update or delete them (see
the migration). What changes about an invoice, how much of it is open and how far dunning has come,
stands in `DebtRow`.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, only, unchecked

__all__ = ["MAIN", "Row"]

MAIN = "main"
"""The branch that is always there."""


class OperatorRow(Row):
    """Who sells: one row, 1. What it is registered for decides which taxes are charged.

    ``languages`` are those that its customers are spoken to in, the first unless they choose; ""
    until that is said: then both are, first the one of the settings.
    """

    __tablename__ = "operator"
    __table_args__ = (
        CheckConstraint("id = 1", name="only_one"),
        CheckConstraint("languages IN ('', 'en', 'sw', 'en,sw', 'sw,en')", name="languages_known"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(80))
    kra_pin: Mapped[str] = mapped_column(String(11))
    vat_registered: Mapped[bool] = mapped_column(Boolean)
    excise_registered: Mapped[bool] = mapped_column(Boolean)
    logo: Mapped[bytes | None]
    colour: Mapped[str] = mapped_column(String(7))
    pay_to: Mapped[str] = mapped_column(String(200))
    support_phone: Mapped[str | None] = mapped_column(String(20))
    languages: Mapped[str] = mapped_column(String(5), default="", server_default=text("''"))


class BranchRow(Row):
    """A branch of the operator: its own prices, its own header on documents, its own reports."""

    __tablename__ = "branch"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(120))
    kra_branch: Mapped[str] = mapped_column(String(2))
    created_at: Mapped[datetime]


class TaxRateRow(Row):
    """A rate of a tax from a day on, until a later one; in hundredths of a per cent."""

    __tablename__ = "tax_rate"
    __table_args__ = (
        CheckConstraint("tax IN ('excise', 'vat')", name="tax_known"),
        CheckConstraint("basis_points BETWEEN 0 AND 10000", name="rate_is_a_share"),
    )

    tax: Mapped[str] = mapped_column(String(8), primary_key=True)
    from_day: Mapped[date] = mapped_column(Date, primary_key=True)
    basis_points: Mapped[int] = mapped_column(Integer)


class PriceRow(Row):
    """What a plan costs a segment at a branch, from a day on; "" stands for every one.

    Invariant, kept by the use case: of one plan, segment and branch no two hold on the same day.
    """

    __tablename__ = "price"
    __table_args__ = (
        UniqueConstraint("plan_id", "segment", "branch_id", "from_day"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("until_day > from_day", name="until_after_from"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    segment: Mapped[str] = mapped_column(String(16))
    branch_id: Mapped[str] = mapped_column(String(32))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    from_day: Mapped[date] = mapped_column(Date)
    until_day: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime]


class SubscriptionRow(Row):
    """A subscriber's standing contract for a plan.

    ``anchor_at`` is where its periods are counted from, ``period_n`` the number of the next one to
    bill, ``bill_at`` when that falls due (None: not before something happens). ``grant_id`` is the
    grant of the running period, ``paid_until`` that period's end. ``price_minor`` is a bespoke
    price. ``hold`` says why it is suspended: debt, unpaid, or staff.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint("mode IN ('prepaid', 'advance', 'arrears')", name="mode_known"),
        CheckConstraint(
            "state IN ('pending', 'active', 'suspended', 'paused', 'ended')", name="state_known"
        ),
        CheckConstraint("(state = 'suspended') = (hold IS NOT NULL)", name="suspended_has_hold"),
        CheckConstraint("cycle_count > 0", name="cycle_positive"),
        CheckConstraint("anchor_day BETWEEN 1 AND 31", name="anchor_day_in_a_month"),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("period_n >= 0", name="period_not_negative"),
        Index(None, "bill_at", "subscriber_id"),
        Index(None, "resume_at", **only("resume_at IS NOT NULL")),
        Index(None, "subscriber_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    next_plan_id: Mapped[str | None] = mapped_column(ForeignKey("plan.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    devices: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(8))
    cycle_unit: Mapped[str] = mapped_column(String(8))
    cycle_count: Mapped[int] = mapped_column(Integer)
    anchor_day: Mapped[int | None] = mapped_column(Integer)
    anchor_at: Mapped[datetime]
    period_n: Mapped[int] = mapped_column(Integer, default=0)
    bill_at: Mapped[datetime | None]
    paid_until: Mapped[datetime | None]
    price_minor: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(12))
    hold: Mapped[str | None] = mapped_column(String(8))
    state_at: Mapped[datetime]
    resume_at: Mapped[datetime | None]
    grant_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]


class LoginRow(Row):
    """By what a subscription dials in, and at which site. ``sealed`` is the secret."""

    __tablename__ = "login"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    sealed: Mapped[bytes]
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    set_at: Mapped[datetime]


class BilledPeriodRow(Row):
    """A period, or a part of one, of a subscription that stands on an invoice: billed once.

    ``billed_bytes`` is how much of the use of ``grant_id`` has been charged by volume; what sites
    report later is charged on the next invoice.
    """

    __tablename__ = "billed_period"
    __table_args__ = (
        CheckConstraint("end_at > start_at", name="ends_after_it_began"),
        CheckConstraint("billed_bytes >= 0", name="billed_not_negative"),
        Index(None, "document_id"),
    )

    subscription_id: Mapped[str] = unchecked("subscription.id", primary_key=True)
    start_at: Mapped[datetime] = mapped_column(primary_key=True)
    end_at: Mapped[datetime]
    document_id: Mapped[str] = unchecked("document.id")
    grant_id: Mapped[str | None] = mapped_column(String(32))
    billed_bytes: Mapped[int] = mapped_column(default=0)
    credited_from: Mapped[datetime | None]


class NumberSeriesRow(Row):
    """A fiscal series: the number that its next document gets. Numbers have no gaps."""

    __tablename__ = "number_series"
    __table_args__ = (CheckConstraint("next_number > 0", name="number_positive"),)

    series: Mapped[str] = mapped_column(String(40), primary_key=True)
    next_number: Mapped[int]


class DocumentRow(Row):
    """An invoice, credit note or receipt as it was issued. Never changed, never deleted.

    ``cause`` issues once (``period:2026-11-01…``): one invoice for each account and period however
    often a run is repeated. ``refers_to`` is the invoice that a credit note is of. ``frozen`` is
    JSON of what is printed but stands in no column: seller, buyer, words.
    """

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("series", "number"),
        UniqueConstraint("subscriber_id", "kind", "cause"),
        CheckConstraint("kind IN ('invoice', 'credit_note', 'receipt')", name="kind_known"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint(
            "net_minor + excise_minor + vat_minor = total_minor AND total_minor >= 0",
            name="parts_sum_to_total",
        ),
        CheckConstraint("(kind = 'credit_note') = (refers_to IS NOT NULL)", name="credit_refers"),
        Index(None, "issued_at", "id"),
        Index(None, "refers_to", **only("refers_to IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    series: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    subscriber_id: Mapped[str] = unchecked("subscriber.id")
    branch_id: Mapped[str] = unchecked("branch.id")
    cause: Mapped[str] = mapped_column(String(160))
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    currency: Mapped[str] = mapped_column(String(3))
    net_minor: Mapped[int]
    excise_minor: Mapped[int]
    vat_minor: Mapped[int]
    total_minor: Mapped[int]
    refers_to: Mapped[str | None] = mapped_column(ForeignKey("document.id"))
    frozen: Mapped[str] = mapped_column(Text)


class DocumentLineRow(Row):
    """A line of a document. Amounts of discounts are negative; the lines sum to the document."""

    __tablename__ = "document_line"
    __table_args__ = (
        CheckConstraint("net_minor + excise_minor + vat_minor = total_minor", name="parts_sum"),
        CheckConstraint(
            "tax_class IN ('internet', 'standard', 'zero', 'exempt')", name="tax_class_known"
        ),
    )

    document_id: Mapped[str] = unchecked("document.id", primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(12))
    text: Mapped[str] = mapped_column(String(200))
    account: Mapped[str] = mapped_column(String(120))
    subscription_id: Mapped[str | None] = mapped_column(String(32))
    plan_id: Mapped[str | None] = mapped_column(String(32))
    tax_class: Mapped[str] = mapped_column(String(8))
    excise_bp: Mapped[int] = mapped_column(Integer)
    vat_bp: Mapped[int] = mapped_column(Integer)
    net_minor: Mapped[int]
    excise_minor: Mapped[int]
    vat_minor: Mapped[int]
    total_minor: Mapped[int]


class DebtRow(Row):
    """What is still open of an issued invoice, and how far dunning has come with it.

    ``due_at`` is the moment from which it is overdue: the invoice's own, or that of the earliest
    unpaid instalment. ``step_at`` is when the next dunning step falls due.
    """

    __tablename__ = "debt"
    __table_args__ = (
        CheckConstraint("open_minor >= 0", name="open_not_negative"),
        CheckConstraint("(open_minor = 0) = (settled_at IS NOT NULL)", name="settled_has_time"),
        CheckConstraint("steps_done >= 0", name="steps_not_negative"),
        Index(None, "subscriber_id", "settled_at"),
        Index(None, "step_at"),
    )

    document_id: Mapped[str] = unchecked("document.id", primary_key=True)
    subscriber_id: Mapped[str] = unchecked("subscriber.id")
    due_at: Mapped[datetime]
    open_minor: Mapped[int]
    settled_at: Mapped[datetime | None]
    steps_done: Mapped[int] = mapped_column(Integer, default=0)
    step_at: Mapped[datetime | None]
    promised_until: Mapped[datetime | None]


class InstalmentRow(Row):
    """A part of a debt that was agreed to be paid by a day of its own."""

    __tablename__ = "instalment"
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount_positive"),)

    document_id: Mapped[str] = mapped_column(ForeignKey("debt.document_id"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    due_at: Mapped[datetime]
    amount_minor: Mapped[int]


class DunningStepRow(Row):
    """A dunning step that was taken, once for each invoice and step."""

    __tablename__ = "dunning_step"

    document_id: Mapped[str] = mapped_column(ForeignKey("debt.document_id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]


class DunningPolicyRow(Row):
    """What happens to unpaid invoices of a segment ("" for all others), as JSON of its steps."""

    __tablename__ = "dunning_policy"

    segment: Mapped[str] = mapped_column(String(16), primary_key=True)
    terms_days: Mapped[int] = mapped_column(Integer)
    steps: Mapped[str] = mapped_column(Text)


class ReceivedRow(Row):
    """Money that came in for a subscriber's account, other than for one hotspot order.

    One receipt of one rail is credited at most once.
    """

    __tablename__ = "received"
    __table_args__ = (
        UniqueConstraint("rail", "receipt"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index(None, "subscriber_id", "at"),
        Index(None, "at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    branch_id: Mapped[str] = mapped_column(ForeignKey("branch.id"))
    rail: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(32))
    receipt: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]
    note: Mapped[str] = mapped_column(String(200))
    reversed_at: Mapped[datetime | None]


class AllocationRow(Row):
    """Money of a wallet that paid (a part of) an invoice; negative where that was taken back."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount_moves"),
        Index(None, "document_id"),
        Index(None, "at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    document_id: Mapped[str] = unchecked("document.id")
    subscriber_id: Mapped[str] = unchecked("subscriber.id")
    amount_minor: Mapped[int]
    at: Mapped[datetime]
    transaction_id: Mapped[str] = unchecked("ledger_transaction.id", length=120)


class PromotionRow(Row):
    """A discount, coupon, referral or loyalty reward, as JSON of ``billing/promo.py``."""

    __tablename__ = "promotion"
    __table_args__ = (
        CheckConstraint("kind IN ('discount', 'coupon', 'referral', 'loyalty')", name="kind_known"),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_began"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80))
    terms: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PromotionUseRow(Row):
    """A promotion that a subscriber took up, or a reward that was earned; once for each cause.

    ``periods_left`` is how many more invoices it lowers; None: as long as it runs.
    """

    __tablename__ = "promotion_use"
    __table_args__ = (
        UniqueConstraint("promotion_id", "subscriber_id", "cause"),
        CheckConstraint("periods_left >= 0", name="periods_not_negative"),
        CheckConstraint("reward_minor >= 0", name="reward_not_negative"),
        Index(None, "subscriber_id"),
        Index(None, "cause"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    promotion_id: Mapped[str] = mapped_column(ForeignKey("promotion.id"))
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    cause: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]
    periods_left: Mapped[int | None] = mapped_column(Integer)
    reward_minor: Mapped[int] = mapped_column(default=0)
    reversed_at: Mapped[datetime | None]


class BillingRunRow(Row):
    """One round of due work that found something to do, and how much of what it did (JSON)."""

    __tablename__ = "billing_run"
    __table_args__ = (Index(None, "began_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    done: Mapped[str] = mapped_column(Text)


class VoucherSaleRow(Row):
    """A batch of vouchers, or a number of them, that a seller took and paid for: taxable then."""

    __tablename__ = "voucher_sale"
    __table_args__ = (
        CheckConstraint("count > 0", name="count_positive"),
        CheckConstraint("amount_minor >= 0 AND commission_minor >= 0", name="not_negative"),
        Index(None, "batch"),
        Index(None, "at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    batch: Mapped[str] = mapped_column(String(32))
    seller: Mapped[str] = mapped_column(String(80))
    branch_id: Mapped[str] = mapped_column(ForeignKey("branch.id"))
    count: Mapped[int] = mapped_column(Integer)
    amount_minor: Mapped[int]
    commission_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]


class LogoRow(Row):
    """A logo that documents were issued with, by the hash of its bytes; never changed."""

    __tablename__ = "logo"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    picture: Mapped[bytes]
