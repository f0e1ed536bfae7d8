"""Shared rates, the walled garden, and probes that staff asked for.

Revision ID: 2026_11_26_pools_and_probes
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_pools_and_probes"
down_revision = "2026_11_26_tokens"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("plan", sa.Column("pool_id", sa.String(length=32), nullable=True))
    _pool()
    _garden()
    _probe()


def _pool() -> None:
    op.create_table(
        "pool",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("down_bps", sa.BigInteger(), nullable=False),
        sa.Column("up_bps", sa.BigInteger(), nullable=False),
        sa.Column("ports", sa.Text(), nullable=False),
        sa.CheckConstraint("down_bps > 0 AND up_bps > 0", name=op.f("ck_pool_rates_positive")),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_pool_not_its_own_parent")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pool_site_id_site")),
        sa.ForeignKeyConstraint(
            ["site_id", "parent_id"],
            ["pool.site_id", "pool.id"],
            name=op.f("fk_pool_site_id_parent_id_pool"),
        ),
        sa.PrimaryKeyConstraint("site_id", "id", name=op.f("pk_pool")),
    )


def _garden() -> None:
    op.create_table(
        "garden",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("entry", sa.String(length=253), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.CheckConstraint("kind IN ('name', 'network')", name=op.f("ck_garden_kind_known")),
        sa.PrimaryKeyConstraint("site_id", "entry", name=op.f("pk_garden")),
    )


def _probe() -> None:
    op.create_table(
        "probe",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target", sa.String(length=253), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_probe_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probe")),
    )
    op.create_index(
        op.f("ix_probe_site_id_asked_at"), "probe", ["site_id", "asked_at"], unique=False
    )
    op.create_index(
        "uq_probe_under_way",
        "probe",
        ["site_id", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
