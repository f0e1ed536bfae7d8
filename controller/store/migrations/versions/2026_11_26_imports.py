"""What was brought over from other systems.

Revision ID: 2026_11_26_imports
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_imports"
down_revision = "2026_11_26_address_pools"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint("undone_at >= at", name=op.f("ck_import_undone_after_it_was_made")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_import_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import")),
    )
    op.create_index(op.f("ix_import_at_id"), "import", ["at", "id"])
    op.create_table(
        "import_item",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("named", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "kind IN ('plan', 'subscription', 'voucher')", name=op.f("ck_import_item_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import.id"], name=op.f("fk_import_item_import_id_import")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_import_item_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "origin", name=op.f("pk_import_item")),
    )
    op.create_index(op.f("ix_import_item_import_id"), "import_item", ["import_id"])
