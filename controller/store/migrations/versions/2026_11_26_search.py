"""What people look for is found by an index: a customer's grants.

Revision ID: 2026_11_26_search
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_search"
down_revision = "2026_11_26_staff"
branch_labels = None
depends_on = None

BOUGHT = sa.text("substr(cause_id, 1, 4) <> 'sub:'")


def upgrade() -> None:
    op.create_index(
        "ix_grant_bought",
        "grant",
        ["subscriber_id", "created_at"],
        postgresql_where=BOUGHT,
        sqlite_where=BOUGHT,
    )
