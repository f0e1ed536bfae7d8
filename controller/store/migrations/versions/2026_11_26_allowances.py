"""A grant may be used at several sites, each within its allowance; sites have outages.

Revision ID: 2026_11_26_allowances
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_allowances"
down_revision = "2026_11_26_speeds"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("site", sa.Column("outbox_records", sa.BigInteger(), nullable=True))
    op.add_column("site", sa.Column("outbox_records_max", sa.BigInteger(), nullable=True))
    op.add_column("grant", sa.Column("suspended_at", MOMENT, nullable=True))
    op.add_column("grant", sa.Column("proofs", sa.LargeBinary(), nullable=True))
    _outage()
    _grant_site()


def _outage() -> None:
    op.create_table(
        "outage",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("ended_at >= began_at", name=op.f("ck_outage_ends_after_it_began")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_outage_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "began_at", name=op.f("pk_outage")),
    )


def _grant_site() -> None:
    op.create_table(
        "grant_site",
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("handed_bytes", sa.BigInteger(), nullable=True),
        sa.Column("risked_bytes", sa.BigInteger(), nullable=True),
        sa.Column("handed_uptime_s", sa.BigInteger(), nullable=True),
        sa.Column("own_bytes", sa.BigInteger(), nullable=False),
        sa.Column("own_uptime_s", sa.BigInteger(), nullable=False),
        sa.Column("own_validity_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "own_bytes >= 0 AND own_uptime_s >= 0 AND own_validity_s >= 0",
            name=op.f("ck_grant_site_own_not_negative"),
        ),
        sa.CheckConstraint(
            "handed_bytes >= 0 AND handed_uptime_s >= 0",
            name=op.f("ck_grant_site_handed_not_negative"),
        ),
        sa.CheckConstraint(
            "risked_bytes >= handed_bytes",
            name=op.f("ck_grant_site_risk_covers_what_was_handed"),
        ),
        sa.CheckConstraint(
            "(handed_bytes IS NULL) = (risked_bytes IS NULL)",
            name=op.f("ck_grant_site_risk_where_handed"),
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grant.id"], name=op.f("fk_grant_site_grant_id_grant")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_grant_site_site_id_site")),
        sa.PrimaryKeyConstraint("grant_id", "site_id", name=op.f("pk_grant_site")),
    )
    op.create_index(op.f("ix_grant_site_site_id"), "grant_site", ["site_id"], unique=False)
    # Until now every grant was used at the site where it was bought, and nowhere else.
    op.execute(
        "INSERT INTO grant_site"
        " (grant_id, site_id, generation, own_bytes, own_uptime_s, own_validity_s)"
        ' SELECT id, site_id, 0, used_bytes, spent_uptime_s, spent_validity_s FROM "grant"'
    )
