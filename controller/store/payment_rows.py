"""The tables of money that comes and goes by providers: arrivals, refunds, mandates, statements.

An arrival is money that a provider says is ours; a receipt of a rail has one, whichever road shows
it first. The database itself refuses a second.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, only

__all__ = ["Row"]


WAITS = "state IN ('suspense', 'doubted')"
"""Of money that came in: it is nobody's yet. Little of it ever is."""


class ArrivalRow(Row):
    """Money that a provider says is ours: one for each receipt of a rail.

    ``state``: ``doubted`` (told by an unsigned road, not in the ledger until a second source says
    so too), ``suspense`` (in the ledger, for nobody yet), ``credited`` (for an order or a wallet),
    ``returned`` (gone back). ``roads`` are those that have shown it. ``due_at`` is when it is to be
    placed, or asked about; None when only staff can.
    """

    __tablename__ = "arrival"
    __table_args__ = (
        UniqueConstraint("rail", "receipt"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(
            "state IN ('doubted', 'suspense', 'credited', 'returned')", name="state_known"
        ),
        CheckConstraint(
            "state <> 'credited' OR order_id IS NOT NULL OR received_id IS NOT NULL",
            name="credited_to_somebody",
        ),
        Index(None, "due_at"),
        Index(None, "state", "at"),
        Index(None, "at", "id"),
        Index(None, "order_id"),
        Index("ix_arrival_waits", "at", **only(WAITS)),
        Index(None, "receipt", postgresql_ops={"receipt": "text_pattern_ops"}),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rail: Mapped[str] = mapped_column(String(16))
    receipt: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(32))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]
    seen_at: Mapped[datetime]
    roads: Mapped[str] = mapped_column(String(120))
    reference: Mapped[str] = mapped_column(String(64), default="")
    payer: Mapped[str] = mapped_column(String(64), default="")
    payer_name: Mapped[str] = mapped_column(String(80), default="")
    note: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(8))
    order_id: Mapped[str | None] = mapped_column(ForeignKey("payment.order_id"))
    received_id: Mapped[str | None] = mapped_column(ForeignKey("received.id"), unique=True)
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    ask_token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)


class ArrivalDeedRow(Row):
    """What somebody of the staff did with money that came in, and why."""

    __tablename__ = "arrival_deed"
    __table_args__ = (Index(None, "arrival_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    arrival_id: Mapped[str] = mapped_column(ForeignKey("arrival.id"))
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(24))
    detail: Mapped[str] = mapped_column(String(300))


class RefundRow(Row):
    """Money that we give back. States are those of payments: ``settled`` is given back."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled_has_time"),
        UniqueConstraint("callback_token_hash"),
        Index(None, "arrival_id"),
        Index(None, "next_query_at"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    arrival_id: Mapped[str] = mapped_column(ForeignKey("arrival.id"))
    rail: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    msisdn: Mapped[str] = mapped_column(String(12), default="")
    reason: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(32), default="")
    provider_id: Mapped[str | None] = mapped_column(String(64))
    receipt: Mapped[str | None] = mapped_column(String(64))
    callback_token_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    queries: Mapped[int] = mapped_column(Integer, default=0)
    next_query_at: Mapped[datetime | None]


class MandateRow(Row):
    """A subscriber's standing consent that we collect: a stored card, or a standing order.

    ``sealed`` holds the provider's token and the e-mail address that it is good with.
    ``amount_minor`` is the most for a card, for a standing order the amount itself. ``state`` is
    ``asked``, ``active``, ``refused``, ``failing`` (all retries were in vain) or ``cancelled``.
    """

    __tablename__ = "mandate"
    __table_args__ = (
        CheckConstraint("kind IN ('card', 'order')", name="kind_known"),
        CheckConstraint(
            "state IN ('asked', 'active', 'refused', 'failing', 'cancelled')", name="state_known"
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index(None, "subscriber_id"),
        Index(None, "due_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    kind: Mapped[str] = mapped_column(String(8))
    rail: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(80), default="")
    sealed: Mapped[bytes | None]
    amount_minor: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3), default="KES")
    frequency: Mapped[str] = mapped_column(String(16), default="")
    provider_id: Mapped[str | None] = mapped_column(String(64))
    callback_token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    consent: Mapped[str] = mapped_column(String(200))
    consented_at: Mapped[datetime]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(String(200), default="")
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)


class PaceRow(Row):
    """How full a rate limit's bucket is, for all processes: thousandths of a request, at a time."""

    __tablename__ = "pace"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    level_milli: Mapped[int]
    at: Mapped[datetime]


class PlaceRow(Row):
    """What we know of one place where money of a rail lands: how far it was pulled, its balance."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("ask_token_hash"),)

    rail: Mapped[str] = mapped_column(String(16), primary_key=True)
    place: Mapped[str] = mapped_column(String(32), primary_key=True)
    registered_at: Mapped[datetime | None]
    registered_as: Mapped[str] = mapped_column(String(64), default="")
    pulled_until: Mapped[datetime | None]
    swept_at: Mapped[datetime | None]
    balance_minor: Mapped[int | None]
    balance_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    ask_token_hash: Mapped[str | None] = mapped_column(String(64))


class StatementRow(Row):
    """A statement file that was read; the same bytes are read once."""

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("rail", "place", "file_hash"),
        Index(None, "imported_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rail: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(120))
    form: Mapped[str] = mapped_column(String(24))
    file_hash: Mapped[str] = mapped_column(String(64))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    opening_minor: Mapped[int | None]
    closing_minor: Mapped[int | None]
    lines: Mapped[int] = mapped_column(Integer)
    imported_at: Mapped[datetime]


class StatementLineRow(Row):
    """One movement that a provider's statement tells; the same movement is kept once.

    An amount is below zero only where a charge was given back.
    """

    __tablename__ = "statement_line"
    __table_args__ = (
        UniqueConstraint("rail", "place", "fingerprint"),
        CheckConstraint("kind IN ('in', 'out', 'charge', 'reversal')", name="kind_known"),
        CheckConstraint("amount_minor > 0 OR kind = 'charge'", name="amount_positive"),
        Index(None, "rail", "place", "at"),
        Index(None, "statement_id"),
        Index(None, "due_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    statement_id: Mapped[str] = mapped_column(ForeignKey("statement.id"))
    rail: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(32))
    fingerprint: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(8))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    receipt: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str] = mapped_column(String(64), default="")
    payer: Mapped[str] = mapped_column(String(64), default="")
    name: Mapped[str] = mapped_column(String(80), default="")
    text: Mapped[str] = mapped_column(String(200), default="")
    balance_minor: Mapped[int | None]
    due_at: Mapped[datetime | None]
    """When it is to be booked; None once it is."""


class StatementProfileRow(Row):
    """How a bank writes its CSV: saved once, named by staff. ``told`` is JSON."""

    __tablename__ = "statement_profile"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    told: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class ReconciliationRow(Row):
    """What a provider's statement and the ledger say of one day (Nairobi's), side by side."""

    __tablename__ = "reconciliation"

    rail: Mapped[str] = mapped_column(String(16), primary_key=True)
    place: Mapped[str] = mapped_column(String(32), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    told_minor: Mapped[int]
    booked_minor: Mapped[int]
    differences: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]


class DifferenceRow(Row):
    """What a statement and the ledger do not agree in: open, explained by staff, or gone."""

    __tablename__ = "difference"
    __table_args__ = (
        UniqueConstraint("rail", "place", "day", "kind", "receipt"),
        CheckConstraint("state IN ('open', 'explained', 'gone')", name="state_known"),
        Index(None, "state", "day"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rail: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(32))
    day: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(24))
    receipt: Mapped[str] = mapped_column(String(64))
    told_minor: Mapped[int | None]
    booked_minor: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    explanation: Mapped[str] = mapped_column(String(300), default="")
    found_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class EmailRow(Row):
    """An e-mail on its way out, as `SmsRow`: sealed, forgotten once it is out or given up."""

    __tablename__ = "email"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state_known"),
        CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
        CheckConstraint("(state = 'waiting') = (sealed IS NOT NULL)", name="waiting_has_text"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index(None, "due_at"),
        Index(None, "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[str | None] = mapped_column(ForeignKey("subscriber.id"))
    about: Mapped[str] = mapped_column(String(40))
    event: Mapped[str | None] = mapped_column(String(120), unique=True)
    sealed: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    good_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    problem: Mapped[str] = mapped_column(String(80), default="")
    provider_id: Mapped[str | None] = mapped_column(String(64))
    sent_at: Mapped[datetime | None]
