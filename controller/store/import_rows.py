"""The tables of what was brought over from other systems."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row

__all__ = ["Row"]


class ImportRow(Row):
    """A file that was brought over to a site; ``counts`` is JSON: how many of what were made."""

    __tablename__ = "import"
    __table_args__ = (
        CheckConstraint("undone_at >= at", name="undone_after_it_was_made"),
        Index(None, "at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    source: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    counts: Mapped[str] = mapped_column(Text)


class ImportItemRow(Row):
    """What was made of a row of the source, which is known by the hash of what names it there.

    Invariant: of one row of one site's source one object of a kind is made. An undone import leaves
    none of these, so that its rows may be brought over anew.
    """

    __tablename__ = "import_item"
    __table_args__ = (
        CheckConstraint("kind IN ('plan', 'subscription', 'voucher')", name="kind_known"),
        Index(None, "import_id"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    origin: Mapped[str] = mapped_column(String(64), primary_key=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("import.id"))
    kind: Mapped[str] = mapped_column(String(12))
    object_id: Mapped[str] = mapped_column(String(64))
    named: Mapped[str] = mapped_column(String(200))
