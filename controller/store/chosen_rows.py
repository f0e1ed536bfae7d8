"""The tables of the set-up: the settings that were chosen on screen, and what was seen working."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row

__all__ = ["ChosenRow", "Row", "SetupNoteRow"]


class ChosenRow(Row):
    """A setting that was chosen on screen, by its key (``mpesa.shortcode``).

    ``value`` is JSON; a secret's is None, and ``sealed`` holds it instead.
    """

    __tablename__ = "chosen"
    __table_args__ = (
        CheckConstraint("(value IS NULL) <> (sealed IS NULL)", name="plain_or_sealed"),
    )

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    chosen_at: Mapped[datetime]


class SetupNoteRow(Row):
    """What a step of the set-up has seen, the latest only: a test, a check, a word given.

    ``told`` is JSON whose shape is the step's own; no secret is ever in it.
    """

    __tablename__ = "setup_note"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    told: Mapped[str] = mapped_column(Text)
