"""Whose branches a message to an area is written in.

Revision ID: 2026_11_26_area_branches
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_area_branches"
down_revision = "2026_11_26_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("area_notice", sa.Column("branches", sa.Text(), nullable=True))
