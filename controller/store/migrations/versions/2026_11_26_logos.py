"""Logos that documents were issued with.

Revision ID: 2026_11_26_logos
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_logos"
down_revision = "2026_11_26_billing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logo",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logo")),
    )
