"""The table of what staff did. See decision 0021."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, only

__all__ = ["AuditRow", "Row"]


class AuditRow(Row):
    """One transaction of staff: who, from where, by which route or command, and what it changed.

    Written in the transaction that it tells of. ``changes`` is a JSON list (`store.collecting`):
    what was before and after, of changed columns only. Secrets, keys, hashes and tokens are never
    in it; phone numbers are, for staff need them to answer for what was done. ``seq`` and ``hash``
    are its place in the chain (`store.audit_chain`), None for the second until it is sealed; from
    then on the database refuses to change it, and it never lets one be deleted.
    """

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("(seq IS NULL) = (hash IS NULL)", name="sealed_whole"),
        CheckConstraint("seq > 0", name="seq_positive"),
        Index(None, "at", "id"),
        Index(None, "staff_id", "at"),
        Index(None, "about_kind", "about_id", "at"),
        Index("ix_audit_unsealed", "at", "id", **only("seq IS NULL")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    staff_id: Mapped[str] = mapped_column(String(64))
    staff_name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(64))
    route: Mapped[str] = mapped_column(String(160))
    request_id: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(40))
    about_kind: Mapped[str] = mapped_column(String(40))
    about_id: Mapped[str] = mapped_column(String(120))
    changes: Mapped[str] = mapped_column(Text)
    result: Mapped[str] = mapped_column(String(20))
    seq: Mapped[int | None] = mapped_column(unique=True)
    hash: Mapped[str | None] = mapped_column(String(64))
