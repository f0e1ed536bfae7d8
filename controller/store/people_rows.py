"""The tables by which people are found and spoken of: words of names, notes, blocked devices."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, unchecked

__all__ = ["Row"]

EVERYWHERE = ""
"""Stands for every site."""

_WORD = String(40).with_variant(String(40, collation="C"), "postgresql")
"""In the order of its bytes on both databases: words that begin alike stand together."""


class SubscriberWordRow(Row):
    """A word of a subscriber's name, as people look for it (``controller/usecases/meant.py``)."""

    __tablename__ = "subscriber_word"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own way

    word: Mapped[str] = mapped_column(_WORD, primary_key=True)
    subscriber_id: Mapped[str] = unchecked("subscriber.id", primary_key=True)


class SubscriberNoteRow(Row):
    """What somebody of the staff wrote down about a subscriber. Never changed."""

    __tablename__ = "subscriber_note"
    __table_args__ = (Index(None, "subscriber_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[str] = mapped_column(ForeignKey("subscriber.id"))
    at: Mapped[datetime]
    staff_id: Mapped[str] = mapped_column(String(64))
    staff_name: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(String(1000))


class BlockedDeviceRow(Row):
    """A device that may do nothing at a site, or at every site (``site_id`` is "")."""

    __tablename__ = "blocked_device"
    __table_args__ = (
        CheckConstraint("mac <> ''", name="has_a_mac"),
        Index(None, "site_id"),
    )

    mac: Mapped[str] = mapped_column(String(17), primary_key=True)
    site_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    staff_name: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(String(200))
