"""Activation tokens, their sale, codes to phones, and text messages on their way out.

Revision ID: 2026_11_26_tokens
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_tokens"
down_revision = "2026_11_26_probe_results"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _payment()
    _token_key()
    _token_slot()
    _token()
    _phone_code()
    _sms()


def _payment() -> None:
    # In words that both databases know: SQLite cannot add a named check in any other way.
    op.execute(
        "ALTER TABLE payment ADD COLUMN purpose VARCHAR(8) DEFAULT 'grant' NOT NULL"
        " CONSTRAINT ck_payment_purpose_known CHECK (purpose IN ('grant', 'token'))"
        " CONSTRAINT ck_payment_token_has_no_device"
        " CHECK ((purpose = 'token') = (device_mac = ''))"
    )


def _token_key() -> None:
    op.create_table(
        "token_key",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("next_serial", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "number >= 0 AND next_serial >= 0", name=op.f("ck_token_key_counts_not_negative")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_token_key_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "number", name=op.f("pk_token_key")),
    )


def _token_slot() -> None:
    op.create_table(
        "token_slot",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.CheckConstraint("slot >= 0 AND slot < 256", name=op.f("ck_token_slot_slot_in_a_byte")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_token_slot_plan_id_plan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_token_slot_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "slot", name=op.f("pk_token_slot")),
        sa.UniqueConstraint("site_id", "plan_id", name=op.f("uq_token_slot_site_id_plan_id")),
    )


def _token() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("key_number", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=True),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("redeemed_at", MOMENT, nullable=True),
        sa.Column("redemption_id", sa.String(length=32), nullable=True),
        sa.Column("grant_id", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "(redeemed_at IS NULL) = (redemption_id IS NULL)"
            " AND (redeemed_at IS NULL) = (grant_id IS NULL)",
            name=op.f("ck_token_redeemed_whole"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_token_plan_id_plan")),
        sa.ForeignKeyConstraint(
            ["site_id", "key_number"],
            ["token_key.site_id", "token_key.number"],
            name=op.f("fk_token_site_id_key_number_token_key"),
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_token_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_token_redemption_id")),
        sa.UniqueConstraint(
            "site_id", "key_number", "serial", name=op.f("uq_token_site_id_key_number_serial")
        ),
    )
    op.create_index(op.f("ix_token_issued_at"), "token", ["issued_at"], unique=False)


def _phone_code() -> None:
    op.create_table(
        "phone_code",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_try_id", sa.String(length=32), nullable=True),
        sa.Column("redemption_id", sa.String(length=32), nullable=True),
        sa.Column("grant_id", sa.String(length=32), nullable=True),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_phone_code_tries_not_negative")),
        sa.CheckConstraint(
            "(redemption_id IS NULL) = (grant_id IS NULL)", name=op.f("ck_phone_code_used_whole")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_phone_code_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_code")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_phone_code_redemption_id")),
    )
    op.create_index(
        op.f("ix_phone_code_msisdn_asked_at"), "phone_code", ["msisdn", "asked_at"], unique=False
    )
    op.create_index(
        op.f("ix_phone_code_site_id_asked_at"), "phone_code", ["site_id", "asked_at"], unique=False
    )


def _sms() -> None:
    op.create_table(
        "sms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("good_until", MOMENT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=80), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'given_up')", name=op.f("ck_sms_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (due_at IS NOT NULL)", name=op.f("ck_sms_waiting_is_due")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (sealed IS NOT NULL)", name=op.f("ck_sms_waiting_has_text")
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_sms_tries_not_negative")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_sms_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms")),
    )
    op.create_index(op.f("ix_sms_due_at"), "sms", ["due_at"], unique=False)
    op.create_index(op.f("ix_sms_about_created_at"), "sms", ["about", "created_at"], unique=False)
