"""Settings that are chosen on screen, and what the set-up has seen working.

Revision ID: 2026_11_26_chosen
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_chosen"
down_revision = "2026_11_26_operator_voice"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chosen",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(value IS NULL) <> (sealed IS NULL)", name=op.f("ck_chosen_plain_or_sealed")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chosen")),
    )
    op.create_table(
        "setup_note",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setup_note")),
    )
