"""Views of long tables that members of the staff keep for themselves.

Revision ID: 2026_11_26_saved_views
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_saved_views"
down_revision = "2026_11_26_logins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_saved_view_named")),
        sa.PrimaryKeyConstraint("staff_id", "place", "name", name=op.f("pk_saved_view")),
    )
