"""What sites measure and what sessions use, hour by hour.

Revision ID: 2026_11_26_series
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_series"
down_revision = "2026_11_26_audit"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "segment_hour",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("hour_s", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(length=16), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("down_bytes", sa.BigInteger(), nullable=False),
        sa.Column("up_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bytes >= 0 AND up_bytes >= 0", name=op.f("ck_segment_hour_use_not_negative")
        ),
        sa.CheckConstraint("sessions > 0", name=op.f("ck_segment_hour_sessions_positive")),
        sa.PrimaryKeyConstraint(
            "site_id", "hour_s", "segment", "plan_id", name=op.f("pk_segment_hour")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_mark",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("done_until_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_series_mark")),
    )
    op.create_table(
        "session_hour",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("hour_s", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("down_bytes", sa.BigInteger(), nullable=False),
        sa.Column("up_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bytes >= 0 AND up_bytes >= 0", name=op.f("ck_session_hour_use_not_negative")
        ),
        sa.PrimaryKeyConstraint("site_id", "hour_s", "session_id", name=op.f("pk_session_hour")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "session_pace",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("told_s", sa.BigInteger(), nullable=False),
        sa.Column("down_bps", sa.BigInteger(), nullable=False),
        sa.Column("up_bps", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bps >= 0 AND up_bps >= 0", name=op.f("ck_session_pace_pace_not_negative")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_pace")),
    )
    op.create_index(op.f("ix_session_pace_site_id"), "session_pace", ["site_id"], unique=False)
    op.create_table(
        "site_meter",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("down_bytes", sa.BigInteger(), nullable=False),
        sa.Column("up_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bytes >= 0 AND up_bytes >= 0", name=op.f("ck_site_meter_meter_not_negative")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_meter_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_meter")),
    )
    op.create_table(
        "site_rollup",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column("span_s", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_site_rollup_count_positive")),
        sa.CheckConstraint("low <= high", name=op.f("ck_site_rollup_low_is_low")),
        sa.CheckConstraint("span_s IN (3600, 86400)", name=op.f("ck_site_rollup_span_known")),
        sa.CheckConstraint(
            "total >= low * count AND total <= high * count",
            name=op.f("ck_site_rollup_mean_between"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_rollup_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "metric", "span_s", "at_s", name=op.f("pk_site_rollup")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "site_sample",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("down_bps", sa.BigInteger(), nullable=True),
        sa.Column("up_bps", sa.BigInteger(), nullable=True),
        sa.Column("sessions", sa.BigInteger(), nullable=True),
        sa.Column("outbox", sa.BigInteger(), nullable=True),
        sa.Column("rtt_ms", sa.BigInteger(), nullable=True),
        sa.Column("loss_ppm", sa.BigInteger(), nullable=True),
        sa.Column("cpu_pct", sa.BigInteger(), nullable=True),
        sa.Column("memory_pct", sa.BigInteger(), nullable=True),
        sa.Column("disk_pct", sa.BigInteger(), nullable=True),
        sa.Column("temperature_c", sa.BigInteger(), nullable=True),
        sa.Column("clock_skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("wan_down_bps", sa.BigInteger(), nullable=True),
        sa.Column("wan_up_bps", sa.BigInteger(), nullable=True),
        sa.Column("lan_down_bps", sa.BigInteger(), nullable=True),
        sa.Column("lan_up_bps", sa.BigInteger(), nullable=True),
        sa.Column("agent_memory_kib", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_sample_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "at_s", name=op.f("pk_site_sample")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "site_vitals",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("boot", sa.String(length=32), nullable=False),
        sa.Column("uptime_s", sa.BigInteger(), nullable=False),
        sa.Column("cpu_pct", sa.BigInteger(), nullable=True),
        sa.Column("memory_pct", sa.BigInteger(), nullable=True),
        sa.Column("disk_pct", sa.BigInteger(), nullable=True),
        sa.Column("temperature_c", sa.BigInteger(), nullable=True),
        sa.Column("rtt_ms", sa.BigInteger(), nullable=True),
        sa.Column("loss_ppm", sa.BigInteger(), nullable=True),
        sa.Column("clock_skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("wan_down_bytes", sa.BigInteger(), nullable=True),
        sa.Column("wan_up_bytes", sa.BigInteger(), nullable=True),
        sa.Column("lan_down_bytes", sa.BigInteger(), nullable=True),
        sa.Column("lan_up_bytes", sa.BigInteger(), nullable=True),
        sa.Column("agent_memory_kib", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_vitals_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_vitals")),
    )
