"""A plan's burst, fair-use steps and hours.

Revision ID: 2026_11_26_speeds
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_speeds"
down_revision = "2026_11_23_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan", sa.Column("speeds", sa.Text(), nullable=True))
