"""Backups that were made, and tried.

Revision ID: 2026_11_26_backup
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_backup"
down_revision = "2026_11_26_search"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "backup",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.String(length=300), server_default=sa.text("''"), nullable=False),
        sa.Column("tried_at", MOMENT, nullable=True),
        sa.Column(
            "trial_problem", sa.String(length=300), server_default=sa.text("''"), nullable=False
        ),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'failed')", name=op.f("ck_backup_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'running') = (ended_at IS NULL)", name=op.f("ck_backup_ended_has_state")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_backup")),
    )
    op.create_index("ix_backup_began_at_name", "backup", ["began_at", "name"])
