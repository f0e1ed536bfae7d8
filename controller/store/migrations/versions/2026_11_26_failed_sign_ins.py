"""Of whom, and from where, sign-ins failed.

Revision ID: 2026_11_26_failed_sign_ins
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_failed_sign_ins"
down_revision = "2026_11_26_saved_views"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_try", sa.Column("login", sa.String(length=120), nullable=True))
    op.add_column("staff_try", sa.Column("host", sa.String(length=64), nullable=True))
