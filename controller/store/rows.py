"""The mother of all tables, and those of customers, money and access. Others: ``*_rows.py``.

Every invariant that a database can hold is a constraint here.

Times are aware UTC. Amounts are integers of minor units. Ids are text, made by the initiator.
Relations are never loaded by magic: there are none; modules join by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


REFERS_TO = "refers_to"
"""Marks a column that names a row of another table without a foreign key."""


class Moment(TypeDecorator[datetime]):
    """An aware UTC instant on both databases (SQLite forgets zones; this gives them back)."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime(timezone=True)
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """Refuse naive times: they are a bug."""
        assert value is None or value.tzinfo is not None, "a naive time reached the database"
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    """Mother of all tables; carries the constraint naming convention."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way
        datetime: Moment(),
        int: BigInteger(),
        bytes: LargeBinary(),
    }


def unchecked(to: str, *, length: int = 32, primary_key: bool = False) -> MappedColumn[Any]:
    """A column that names a row which its writer has just written, or has read and holds.

    Its tables are written too often to have the database look that row up each time. Nothing
    deletes such a row (triggers refuse it); `controller.store.loose` finds what names none.
    """
    return mapped_column(String(length), primary_key=primary_key, info={REFERS_TO: to})


def only(condition: str) -> dict[str, Any]:
    """Of an index: it holds only rows of which this is true."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


BOUGHT = "substr(cause_id, 1, 4) <> 'sub:'"
"""Of a grant: it is no period of a subscription. Those are found by their subscription."""


class PlanRow(Row):
    """What is for sale. A plan never changes: a new price is a new plan, the old is withdrawn.

    ``speeds`` is JSON (``controller/limits.py``): burst, steps and windows, None without any.
    ``pool_id`` names a pool at the sites that have one of that name. ``audience`` says whether it
    is offered on hotspot portals, or is for subscriptions only. ``tariff`` is JSON of
    ``billing/rating.py``: what volume costs beside the price.
    """

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("devices_max > 0", name="devices_positive"),
        CheckConstraint("down_bps > 0 AND up_bps > 0", name="rates_positive"),
        CheckConstraint(
            "validity_s IS NOT NULL OR uptime_s IS NOT NULL OR quota_bytes IS NOT NULL",
            name="some_limit",
        ),
        CheckConstraint("audience IN ('hotspot', 'contract')", name="audience_known"),
        CheckConstraint(
            "tax_class IN ('internet', 'standard', 'zero', 'exempt')", name="tax_class_known"
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    down_bps: Mapped[int]
    up_bps: Mapped[int]
    validity_s: Mapped[int | None]
    uptime_s: Mapped[int | None]
    quota_bytes: Mapped[int | None]
    devices_max: Mapped[int] = mapped_column(Integer)
    speeds: Mapped[str | None] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(Integer)
    pool_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    audience: Mapped[str] = mapped_column(String(8), default="hotspot", server_default="hotspot")
    tax_class: Mapped[str] = mapped_column(String(8), default="internet", server_default="internet")
    tax_included: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    tariff: Mapped[str | None] = mapped_column(Text)


class SubscriberRow(Row):
    """Who pays and is granted; hotspot subscribers are known by the phone that paid.

    The phone is also the account number. ``referred_by`` is the subscriber who brought this one.
    """

    __tablename__ = "subscriber"
    __table_args__ = (
        CheckConstraint(
            "segment IN ('residential', 'business', 'enterprise')", name="segment_known"
        ),
        Index(None, "name"),
        Index(None, "created_at", "id"),
        Index("ix_subscriber_tail", text("substr(msisdn, 9)")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    msisdn: Mapped[str] = mapped_column(String(12), unique=True)
    created_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(80), default="", server_default=text("''"))
    email: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    address: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    kra_pin: Mapped[str] = mapped_column(String(11), default="", server_default=text("''"))
    segment: Mapped[str] = mapped_column(
        String(16), default="residential", server_default="residential"
    )
    branch_id: Mapped[str] = mapped_column(
        ForeignKey("branch.id"), default="main", server_default="main"
    )
    language: Mapped[str] = mapped_column(String(2), default="en", server_default="en")
    referred_by: Mapped[str | None] = mapped_column(ForeignKey("subscriber.id"))


class PaymentRow(Row):
    """An attempt to collect for one order. Price and plan are frozen when it is written.

    ``callback_token_hash`` is how an incoming callback finds its row: the token itself is only in
    the URL that the provider was given. One provider receipt credits at most once (design §4.2).
    ``shortcode`` is where the money is to land; it names the ledger account. ``purpose`` is what
    the money buys: a grant for a device at the site, a token that may be brought there later, or
    nothing yet: money for the subscriber's account. ``subscriber_id`` is whom it is for, ``msisdn``
    who is asked. ``reference`` is the account that the payer is shown. ``pay_at`` is the provider's
    page for rails that prompt no phone, ``mandate_id`` the consent by which a card is charged.
    """

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("rail", "receipt"),
        UniqueConstraint("rail", "provider_id"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled_has_time"),
        CheckConstraint("purpose IN ('grant', 'token', 'account')", name="purpose_known"),
        CheckConstraint("(purpose = 'grant') = (device_mac <> '')", name="grant_has_device"),
        CheckConstraint(
            "(purpose = 'account') = (plan_id IS NULL AND site_id IS NULL)",
            name="account_has_no_plan",
        ),
        Index(None, "next_query_at"),
        Index(None, "created_at"),
        Index(None, "reference"),
        Index(None, "settled_at"),
        Index(None, "msisdn", "pushed_at"),
    )

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plan.id"))
    purpose: Mapped[str] = mapped_column(String(8), default="grant", server_default="grant")
    device_mac: Mapped[str] = mapped_column(String(17))
    msisdn: Mapped[str] = mapped_column(String(12))
    rail: Mapped[str] = mapped_column(String(16))
    shortcode: Mapped[str] = mapped_column(String(16), default="")
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(32), default="")
    reason: Mapped[str | None] = mapped_column(String(40))
    provider_id: Mapped[str | None] = mapped_column(String(64))
    callback_token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    receipt: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]
    pushed_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    queries: Mapped[int] = mapped_column(Integer, default=0)
    next_query_at: Mapped[datetime | None]
    reference: Mapped[str] = mapped_column(String(12), default="", server_default=text("''"))
    pay_at: Mapped[str] = mapped_column(String(300), default="", server_default=text("''"))
    mandate_id: Mapped[str | None] = mapped_column(String(32))


class InboxRow(Row):
    """Everything that came from outside, before it is believed. A repeat finds its row here."""

    __tablename__ = "inbox"

    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(160), primary_key=True)
    received_at: Mapped[datetime]
    body: Mapped[bytes]
    verdict: Mapped[str | None] = mapped_column(String(40))


class LedgerTransactionRow(Row):
    """An atomic list of postings; its id is made from its cause, so it is posted once only."""

    __tablename__ = "ledger_transaction"

    id: Mapped[str] = mapped_column(String(120), primary_key=True)
    at: Mapped[datetime]
    cause: Mapped[str] = mapped_column(Text)


class PostingRow(Row):
    """A positive amount from one account to another of the same currency (design §4.1).

    ``source`` is the credited account, ``target`` the debited one.
    """

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("source <> target", name="two_accounts"),
        Index(None, "source"),
        Index(None, "target"),
    )

    transaction_id: Mapped[str] = unchecked("ledger_transaction.id", length=120, primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    source: Mapped[str] = mapped_column(String(120))
    target: Mapped[str] = mapped_column(String(120))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))


class GrantRow(Row):
    """The right to use. ``cause_id`` (an order, a redemption) grants at most once.

    ``devices`` is a space-separated list of MAC addresses. The spent columns are what sites have
    reported; ``used_bytes`` is the sum of what was used at each of its sites. ``valid_until`` is
    set at the first access: after it (and some slack) the validity clock has ended the grant.
    ``site_id`` is where it was bought; `GrantSiteRow` says where it may be used. ``proofs`` are
    those of ``billing/proof.py``, 16 bytes each, one after the other.
    """

    __tablename__ = "grant"
    __table_args__ = (
        CheckConstraint("used_bytes >= 0", name="used_not_negative"),
        CheckConstraint("spent_validity_s >= 0 AND spent_uptime_s >= 0", name="spent_not_negative"),
        CheckConstraint("(ended_at IS NULL) = (ended_reason IS NULL)", name="ended_has_reason"),
        Index(None, "site_id", "ended_at"),
        Index("ix_grant_running", "id", **only("ended_at IS NULL")),
        Index("ix_grant_bought", "subscriber_id", "created_at", **only(BOUGHT)),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = unchecked("site.id")
    subscriber_id: Mapped[str | None] = unchecked("subscriber.id")
    plan_id: Mapped[str] = unchecked("plan.id")
    cause_id: Mapped[str] = mapped_column(String(64), unique=True)
    devices: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None] = mapped_column(String(16))
    spent_validity_s: Mapped[int] = mapped_column(default=0)
    spent_uptime_s: Mapped[int] = mapped_column(default=0)
    used_bytes: Mapped[int] = mapped_column(default=0)
    suspended_at: Mapped[datetime | None]
    proofs: Mapped[bytes | None]


class GrantSiteRow(Row):
    """A site's share of a grant: what it may use unasked, and what it has used (design §4.5).

    The handed columns are cumulative and stand in the grant's item there, since ``generation``;
    None where no limit binds. ``risked_bytes`` is the most that the site may still act on: what was
    taken back is at risk until the site has applied that.
    """

    __tablename__ = "grant_site"
    __table_args__ = (
        CheckConstraint(
            "own_bytes >= 0 AND own_uptime_s >= 0 AND own_validity_s >= 0",
            name="own_not_negative",
        ),
        CheckConstraint("handed_bytes >= 0 AND handed_uptime_s >= 0", name="handed_not_negative"),
        CheckConstraint("risked_bytes >= handed_bytes", name="risk_covers_what_was_handed"),
        CheckConstraint(
            "(handed_bytes IS NULL) = (risked_bytes IS NULL)", name="risk_where_handed"
        ),
        Index(None, "site_id"),
    )

    grant_id: Mapped[str] = unchecked("grant.id", primary_key=True)
    site_id: Mapped[str] = unchecked("site.id", primary_key=True)
    generation: Mapped[int] = mapped_column(default=0)
    handed_bytes: Mapped[int | None]
    risked_bytes: Mapped[int | None]
    handed_uptime_s: Mapped[int | None]
    own_bytes: Mapped[int] = mapped_column(default=0)
    own_uptime_s: Mapped[int] = mapped_column(default=0)
    own_validity_s: Mapped[int] = mapped_column(default=0)


class SessionRow(Row):
    """One device's use of one grant at one site; usage is computed from readings."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint("down_bytes >= 0 AND up_bytes >= 0", name="usage_not_negative"),
        Index(None, "grant_id"),
        Index(None, "site_id", "closed_at"),
        Index("ix_session_live", "opened_at", "id", **only("closed_at IS NULL")),
        Index("ix_session_tail", text("substr(mac, 13)")),
        Index("ix_session_open_mac", "mac", "site_id", **only("closed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    grant_id: Mapped[str] = mapped_column(String(32))
    mac: Mapped[str] = mapped_column(String(17))
    addresses: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_reason: Mapped[str | None] = mapped_column(String(16))
    down_bytes: Mapped[int] = mapped_column(default=0)
    up_bytes: Mapped[int] = mapped_column(default=0)


class SessionEpochRow(Row):
    """The highest reading of one session in one epoch (design §4.4: never decreases)."""

    __tablename__ = "session_epoch"
    __table_args__ = (
        CheckConstraint("down_bytes >= 0 AND up_bytes >= 0", name="reading_not_negative"),
    )

    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(64), primary_key=True)
    down_bytes: Mapped[int]
    up_bytes: Mapped[int]


class PhoneCodeRow(Row):
    """One request for a code by SMS. ``code_hash`` is empty when nothing was sent.

    Requests of strangers are kept like all others, so that limits tell them nothing.
    ``last_try_id`` is the redemption that tried last: a repeat of it is no second try.
    """

    __tablename__ = "phone_code"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        CheckConstraint("(redemption_id IS NULL) = (grant_id IS NULL)", name="used_whole"),
        Index(None, "msisdn", "asked_at"),
        Index(None, "site_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    msisdn: Mapped[str] = mapped_column(String(12))
    code_hash: Mapped[str] = mapped_column(String(64), default="")
    asked_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    last_try_id: Mapped[str | None] = mapped_column(String(32))
    redemption_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    grant_id: Mapped[str | None] = mapped_column(String(32))


class SmsRow(Row):
    """A text message on its way out. The text is sealed, and forgotten once it is out or given up.

    ``about`` names what it is about (a token's id), ``due_at`` is when to send it next, and
    ``good_until`` when it would be of no use any more. An ``event`` is told once, however often it
    is retried. ``delivery`` is what the carrier's report said ('' none, ``delivered``, ``failed``)
    and ``cost_e4`` its price in 1/10,000 KES, where it told one.
    """

    __tablename__ = "sms"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state_known"),
        CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
        CheckConstraint("(state = 'waiting') = (sealed IS NOT NULL)", name="waiting_has_text"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index(None, "due_at"),
        Index(None, "about", "created_at"),
        Index(None, "msisdn", "created_at"),
        Index(None, "provider_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    about: Mapped[str] = mapped_column(String(40))
    msisdn: Mapped[str] = mapped_column(String(12))
    sealed: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    good_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    problem: Mapped[str] = mapped_column(String(80), default="")
    provider_id: Mapped[str | None] = mapped_column(String(64))
    sent_at: Mapped[datetime | None]
    event: Mapped[str | None] = mapped_column(String(120), unique=True)
    delivery: Mapped[str] = mapped_column(String(16), default="", server_default=text("''"))
    told_at: Mapped[datetime | None]
    parts: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    cost_e4: Mapped[int | None]


class ProviderTokenRow(Row):
    """An access token of a provider, shared by all processes; the token is encrypted at rest."""

    __tablename__ = "provider_token"

    credential: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[bytes]
    expires_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
