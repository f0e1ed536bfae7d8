"""By what subscribers dial in.

Revision ID: 2026_11_26_logins
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_logins"
down_revision = "2026_11_26_chosen"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login",
        sa.Column("subscription_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_login_subscription_id_subscription"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_login_site_id_site")),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_login")),
        sa.UniqueConstraint("name", name=op.f("uq_login_name")),
    )
