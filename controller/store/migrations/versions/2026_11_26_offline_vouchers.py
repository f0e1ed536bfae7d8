"""Vouchers that sites redeem with their link down, and codes that were redeemed twice.

Revision ID: 2026_11_26_offline_vouchers
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_offline_vouchers"
down_revision = "2026_11_26_allowances"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _voucher()
    _voucher_batch()
    _double_redemption()


def _voucher() -> None:
    op.add_column("voucher", sa.Column("offline_hash", sa.LargeBinary(), nullable=True))
    op.add_column("voucher", sa.Column("chunk", sa.Integer(), nullable=True))
    op.add_column("voucher", sa.Column("leaves_at", MOMENT, nullable=True))
    op.create_index(op.f("ix_voucher_batch_chunk"), "voucher", ["batch", "chunk"], unique=False)
    op.create_index(
        op.f("ix_voucher_batch_offline_hash"), "voucher", ["batch", "offline_hash"], unique=True
    )
    op.create_index(op.f("ix_voucher_leaves_at"), "voucher", ["leaves_at"], unique=False)


def _voucher_batch() -> None:
    op.create_table(
        "voucher_batch",
        sa.Column("batch", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.CheckConstraint("rounds > 0", name=op.f("ck_voucher_batch_rounds_positive")),
        sa.PrimaryKeyConstraint("batch", name=op.f("pk_voucher_batch")),
    )
    op.create_table(
        "voucher_batch_site",
        sa.Column("batch", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["voucher_batch.batch"],
            name=op.f("fk_voucher_batch_site_batch_voucher_batch"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_voucher_batch_site_site_id_site")
        ),
        sa.PrimaryKeyConstraint("batch", "site_id", name=op.f("pk_voucher_batch_site")),
    )


def _double_redemption() -> None:
    op.create_table(
        "double_redemption",
        sa.Column("redemption_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("code_name", sa.String(length=80), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("first_grant_id", sa.String(length=32), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint(
            "amount_minor >= 0", name=op.f("ck_double_redemption_amount_not_negative")
        ),
        sa.CheckConstraint(
            "first_grant_id <> grant_id", name=op.f("ck_double_redemption_two_grants")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grant.id"], name=op.f("fk_double_redemption_grant_id_grant")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_double_redemption_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_double_redemption_site_id_site")
        ),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_double_redemption")),
    )
    op.create_index(
        op.f("ix_double_redemption_found_at"), "double_redemption", ["found_at"], unique=False
    )
