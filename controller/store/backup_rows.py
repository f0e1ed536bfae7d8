"""The table of backups that were made, and tried."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row

__all__ = ["BackupRow", "Row"]


class BackupRow(Row):
    """One backup, by the name of its file. ``bytes`` is None until it is done.

    ``problem`` says why it failed, ``tried_at`` when it was restored into a scratch database, and
    ``trial_problem`` in what that was not the database that was backed up ("": in nothing).
    """

    __tablename__ = "backup"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'failed')", name="state_known"),
        CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended_has_state"),
        Index(None, "began_at", "name"),
    )

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(8))
    size_bytes: Mapped[int | None]
    problem: Mapped[str] = mapped_column(String(300), default="", server_default=text("''"))
    tried_at: Mapped[datetime | None]
    trial_problem: Mapped[str] = mapped_column(String(300), default="", server_default=text("''"))
