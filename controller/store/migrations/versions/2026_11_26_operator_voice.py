"""How customers reach the operator, and the languages they are spoken to in.

Revision ID: 2026_11_26_operator_voice
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_operator_voice"
down_revision = "2026_11_26_joining"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operator", sa.Column("support_phone", sa.String(length=20), nullable=True))
    # In words that both databases know: SQLite cannot add a named check in any other way.
    op.execute(
        "ALTER TABLE operator ADD COLUMN languages VARCHAR(5) DEFAULT '' NOT NULL"
        " CONSTRAINT ck_operator_languages_known"
        " CHECK (languages IN ('', 'en', 'sw', 'en,sw', 'sw,en'))"
    )
