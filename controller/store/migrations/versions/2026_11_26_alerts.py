"""Alerts, whom they are told, maintenance, credit for outages; and a site's upstream.

Revision ID: 2026_11_26_alerts
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_alerts"
down_revision = "2026_11_26_series"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE site ADD COLUMN parent_id VARCHAR(32)"
        " CONSTRAINT fk_site_parent_id_site REFERENCES site (id)"
        " CONSTRAINT ck_site_not_its_own_parent CHECK (parent_id <> id)"
    )
    _alert_reading()
    _alert_round()
    _alert()
    _alert_route()
    _maintenance()
    _outage_credit_run()
    _alert_deed()
    _alert_told()
    _area_notice()
    _outage_credit()
    _webhook()
    op.create_index(
        "ix_session_open_mac",
        "session",
        ["mac", "site_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )


def _alert_reading() -> None:
    op.create_table(
        "alert_reading",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_reading")),
    )


def _alert_round() -> None:
    op.create_table(
        "alert_round",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.Column("since_at", MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_alert_round_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_round")),
    )


def _alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("bad_at", MOMENT, nullable=False),
        sa.Column("raised_at", MOMENT, nullable=True),
        sa.Column("well_at", MOMENT, nullable=True),
        sa.Column("acked_at", MOMENT, nullable=True),
        sa.Column("acked_by", sa.String(length=80), nullable=False),
        sa.Column("assigned_to", sa.String(length=80), nullable=False),
        sa.Column("recovered_at", MOMENT, nullable=True),
        sa.Column("silenced_until", MOMENT, nullable=True),
        sa.Column("held_by", sa.String(length=48), nullable=False),
        sa.Column("freed_at", MOMENT, nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "severity IN ('warn', 'critical')", name=op.f("ck_alert_severity_known")
        ),
        sa.CheckConstraint(
            "state <> 'acknowledged' OR acked_at IS NOT NULL",
            name=op.f("ck_alert_acknowledged_has_time"),
        ),
        sa.CheckConstraint(
            "state <> 'recovered' OR recovered_at IS NOT NULL",
            name=op.f("ck_alert_recovered_has_time"),
        ),
        sa.CheckConstraint(
            "state = 'pending' OR raised_at IS NOT NULL", name=op.f("ck_alert_raised_has_time")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'raised', 'acknowledged', 'recovered')",
            name=op.f("ck_alert_state_known"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_alert_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        "ix_alert_open",
        "alert",
        ["raised_at", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'recovered'"),
        sqlite_where=sa.text("state <> 'recovered'"),
    )
    op.create_index(op.f("ix_alert_raised_at_id"), "alert", ["raised_at", "id"], unique=False)
    op.create_index(
        op.f("ix_alert_rule_subject_recovered_at"),
        "alert",
        ["rule", "subject", "recovered_at"],
        unique=False,
    )
    op.create_index(
        "uq_alert_open",
        "alert",
        ["rule", "subject"],
        unique=True,
        postgresql_where=sa.text("state <> 'recovered'"),
        sqlite_where=sa.text("state <> 'recovered'"),
    )


def _alert_route() -> None:
    op.create_table(
        "alert_route",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.String(length=120), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("branch_id", sa.String(length=32), nullable=True),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("until_minute", sa.Integer(), nullable=False),
        sa.Column("after_s", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("stopped", sa.String(length=80), nullable=False),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(kind = 'webhook') = (secret IS NOT NULL)",
            name=op.f("ck_alert_route_webhook_has_secret"),
        ),
        sa.CheckConstraint(
            "kind IN ('sms', 'email', 'webhook')", name=op.f("ck_alert_route_kind_known")
        ),
        sa.CheckConstraint(
            "severity IN ('warn', 'critical')", name=op.f("ck_alert_route_severity_known")
        ),
        sa.CheckConstraint("after_s >= 0", name=op.f("ck_alert_route_after_not_negative")),
        sa.CheckConstraint(
            "from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439",
            name=op.f("ck_alert_route_minutes_of_a_day"),
        ),
        sa.CheckConstraint(
            "site_id IS NULL OR branch_id IS NULL", name=op.f("ck_alert_route_one_scope")
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_alert_route_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_alert_route_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_route")),
    )


def _maintenance() -> None:
    op.create_table(
        "maintenance",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("branch_id", sa.String(length=32), nullable=True),
        sa.Column("from_at", MOMENT, nullable=False),
        sa.Column("until_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("text_en", sa.String(length=200), nullable=False),
        sa.Column("text_sw", sa.String(length=200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("planned_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "site_id IS NULL OR branch_id IS NULL", name=op.f("ck_maintenance_one_scope")
        ),
        sa.CheckConstraint("until_at > from_at", name=op.f("ck_maintenance_ends_after_it_began")),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_maintenance_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_maintenance_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance")),
    )
    op.create_index(
        op.f("ix_maintenance_from_at_id"), "maintenance", ["from_at", "id"], unique=False
    )
    op.create_index(op.f("ix_maintenance_until_at"), "maintenance", ["until_at"], unique=False)


def _outage_credit_run() -> None:
    op.create_table(
        "outage_credit_run",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("branch_id", sa.String(length=32), nullable=True),
        sa.Column("from_at", MOMENT, nullable=False),
        sa.Column("until_at", MOMENT, nullable=False),
        sa.Column("more_than_s", sa.BigInteger(), nullable=False),
        sa.Column("gives", sa.String(length=8), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "gives IN ('share', 'amount', 'days')", name=op.f("ck_outage_credit_run_gives_known")
        ),
        sa.CheckConstraint(
            "until_at > from_at", name=op.f("ck_outage_credit_run_ends_after_it_began")
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_outage_credit_run_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_outage_credit_run_site_id_site")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage_credit_run")),
    )
    op.create_index(
        op.f("ix_outage_credit_run_made_at_id"),
        "outage_credit_run",
        ["made_at", "id"],
        unique=False,
    )


def _alert_deed() -> None:
    op.create_table(
        "alert_deed",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.id"], name=op.f("fk_alert_deed_alert_id_alert")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deed")),
    )
    op.create_index(
        op.f("ix_alert_deed_alert_id_at"), "alert_deed", ["alert_id", "at"], unique=False
    )


def _alert_told() -> None:
    op.create_table(
        "alert_told",
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("route_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("bad_at", MOMENT, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('raised', 'escalated', 'resolved')", name=op.f("ck_alert_told_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.id"], name=op.f("fk_alert_told_alert_id_alert")
        ),
        sa.ForeignKeyConstraint(
            ["route_id"], ["alert_route.id"], name=op.f("fk_alert_told_route_id_alert_route")
        ),
        sa.PrimaryKeyConstraint("alert_id", "route_id", name=op.f("pk_alert_told")),
    )
    op.create_index(
        "ix_alert_told_owing",
        "alert_told",
        ["alert_id"],
        unique=False,
        postgresql_where=sa.text("kind <> 'resolved'"),
        sqlite_where=sa.text("kind <> 'resolved'"),
    )


def _area_notice() -> None:
    op.create_table(
        "area_notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("maintenance_id", sa.String(length=32), nullable=True),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("branch_id", sa.String(length=32), nullable=True),
        sa.Column("text_en", sa.String(length=400), nullable=False),
        sa.Column("text_sw", sa.String(length=400), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("leaves_at", MOMENT, nullable=False),
        sa.Column("after_id", sa.String(length=32), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.Column("asked_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "site_id IS NULL OR branch_id IS NULL", name=op.f("ck_area_notice_one_scope")
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_area_notice_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(
            ["maintenance_id"],
            ["maintenance.id"],
            name=op.f("fk_area_notice_maintenance_id_maintenance"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_area_notice_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_area_notice")),
    )
    op.create_index(
        op.f("ix_area_notice_created_at_id"), "area_notice", ["created_at", "id"], unique=False
    )
    op.create_index(
        "ix_area_notice_due",
        "area_notice",
        ["leaves_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )


def _outage_credit() -> None:
    op.create_table(
        "outage_credit",
        sa.Column("subscription_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("lasted_s", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_outage_credit_amount_not_negative")),
        sa.CheckConstraint("lasted_s > 0", name=op.f("ck_outage_credit_lasted_positive")),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["outage_credit_run.id"],
            name=op.f("fk_outage_credit_run_id_outage_credit_run"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_outage_credit_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_outage_credit_subscription_id_subscription"),
        ),
        sa.PrimaryKeyConstraint(
            "subscription_id", "site_id", "began_at", name=op.f("pk_outage_credit")
        ),
    )
    op.create_index(
        op.f("ix_outage_credit_done_at"),
        "outage_credit",
        ["done_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_index(op.f("ix_outage_credit_run_id"), "outage_credit", ["run_id"], unique=False)


def _webhook() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("route_id", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=120), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=80), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state = 'waiting') = (due_at IS NOT NULL)", name=op.f("ck_webhook_waiting_is_due")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (sealed IS NOT NULL)", name=op.f("ck_webhook_waiting_has_body")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'given_up')", name=op.f("ck_webhook_state_known")
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_webhook_tries_not_negative")),
        sa.ForeignKeyConstraint(
            ["route_id"], ["alert_route.id"], name=op.f("fk_webhook_route_id_alert_route")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("event", name=op.f("uq_webhook_event")),
    )
    op.create_index(op.f("ix_webhook_due_at"), "webhook", ["due_at"], unique=False)
    op.create_index(
        op.f("ix_webhook_route_id_created_at"), "webhook", ["route_id", "created_at"], unique=False
    )
