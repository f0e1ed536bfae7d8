"""The tables of codes that a site redeems by itself: vouchers, and activation tokens."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row

__all__ = ["Row"]


class VoucherRow(Row):
    """A prepaid code, kept only as a keyed hash; redeemed at most once.

    ``offline_hash`` is how sites know it with the link down, in chunk number ``chunk`` of its batch
    (None: in none, or not any more). At ``leaves_at`` it leaves its chunk: when it expires, or at
    once when it was redeemed.
    """

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint(
            "(redeemed_at IS NULL) = (redemption_id IS NULL)"
            " AND (redeemed_at IS NULL) = (grant_id IS NULL)",
            name="redeemed_whole",
        ),
        Index(None, "batch", "chunk"),
        Index(None, "batch", "offline_hash", unique=True),
        Index(None, "leaves_at"),
    )

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch: Mapped[str] = mapped_column(String(32), index=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    redeemed_at: Mapped[datetime | None]
    redemption_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    grant_id: Mapped[str | None] = mapped_column(String(32))
    offline_hash: Mapped[bytes | None]
    chunk: Mapped[int | None] = mapped_column(Integer)
    leaves_at: Mapped[datetime | None]


class VoucherBatchRow(Row):
    """A batch that sites may redeem with their link down: how its codes are hashed, and where."""

    __tablename__ = "voucher_batch"
    __table_args__ = (CheckConstraint("rounds > 0", name="rounds_positive"),)

    batch: Mapped[str] = mapped_column(String(32), primary_key=True)
    salt: Mapped[bytes]
    rounds: Mapped[int] = mapped_column(Integer)
    everywhere: Mapped[bool] = mapped_column(Boolean)


class VoucherBatchSiteRow(Row):
    """A site that may redeem a batch offline, where not every site may."""

    __tablename__ = "voucher_batch_site"

    batch: Mapped[str] = mapped_column(ForeignKey("voucher_batch.batch"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)


class DoubleRedemptionRow(Row):
    """A code that was redeemed once more, at a site that could not know: both grants stand.

    ``kind`` is voucher or token; ``code_name`` says which code, and does not open anything.
    """

    __tablename__ = "double_redemption"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("first_grant_id <> grant_id", name="two_grants"),
        Index(None, "found_at"),
    )

    redemption_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    code_name: Mapped[str] = mapped_column(String(80))
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    first_grant_id: Mapped[str] = mapped_column(String(32))
    grant_id: Mapped[str] = mapped_column(ForeignKey("grant.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    found_at: Mapped[datetime]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))


class VoucherTryRow(Row):
    """One attempt to redeem that found no good voucher; counted against guessing."""

    __tablename__ = "voucher_try"
    __table_args__ = (Index(None, "site_id", "at"),)

    redemption_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    device_mac: Mapped[str] = mapped_column(String(17))
    at: Mapped[datetime]


class TokenKeyRow(Row):
    """A key of a site's activation tokens, sealed; ``number`` counts the keys of the site's life.

    The version that stands in a token is ``number`` modulo 4. ``next_serial`` is the serial of the
    next token: none is ever used twice under one key. A retired key proves nothing any more.
    """

    __tablename__ = "token_key"
    __table_args__ = (
        CheckConstraint("number >= 0 AND next_serial >= 0", name="counts_not_negative"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes]
    next_serial: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class TokenSlotRow(Row):
    """Which plan a slot number stands for at a site. ``used_at`` is when it last sold a token."""

    __tablename__ = "token_slot"
    __table_args__ = (
        UniqueConstraint("site_id", "plan_id"),
        CheckConstraint("slot >= 0 AND slot < 256", name="slot_in_a_byte"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    used_at: Mapped[datetime]


class TokenRow(Row):
    """An activation token that was issued. Its digits are not kept: key, slot and serial make them.

    ``id`` is the order that paid for it, or a name of its own when staff gave it. One serial is
    redeemed at most once; a second redemption is booked as a loss.
    """

    __tablename__ = "token"
    __table_args__ = (
        ForeignKeyConstraint(("site_id", "key_number"), ("token_key.site_id", "token_key.number")),
        UniqueConstraint("site_id", "key_number", "serial"),
        CheckConstraint(
            "(redeemed_at IS NULL) = (redemption_id IS NULL)"
            " AND (redeemed_at IS NULL) = (grant_id IS NULL)",
            name="redeemed_whole",
        ),
        Index(None, "issued_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(String(32))
    key_number: Mapped[int] = mapped_column(Integer)
    serial: Mapped[int] = mapped_column(Integer)
    slot: Mapped[int] = mapped_column(Integer)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"))
    subscriber_id: Mapped[str | None] = mapped_column(ForeignKey("subscriber.id"))
    issued_at: Mapped[datetime]
    redeemed_at: Mapped[datetime | None]
    redemption_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    grant_id: Mapped[str | None] = mapped_column(String(32))
