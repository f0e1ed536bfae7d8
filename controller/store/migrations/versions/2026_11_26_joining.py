"""What the install script tells of its steps, and whether a site's portal is open.

Revision ID: 2026_11_26_joining
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_joining"
down_revision = "2026_11_26_area_branches"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "join_step",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("told", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["secret_hash"],
            ["join_token.secret_hash"],
            name=op.f("fk_join_step_secret_hash_join_token"),
        ),
        sa.PrimaryKeyConstraint("secret_hash", "step", name=op.f("pk_join_step")),
    )
    op.create_index(op.f("ix_join_token_site_id"), "join_token", ["site_id"], unique=False)
    op.add_column("site_vitals", sa.Column("portal_open", sa.Boolean(), nullable=True))
