"""What probes saw at a site.

Revision ID: 2026_11_26_probe_results
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_probe_results"
down_revision = "2026_11_26_offline_vouchers"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "probe_result",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("probe_id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_probe_result_site_id_site")
        ),
        sa.PrimaryKeyConstraint("site_id", "probe_id", name=op.f("pk_probe_result")),
    )
