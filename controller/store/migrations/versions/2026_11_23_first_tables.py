"""The first tables. There is no way down: money comes back from a backup, not from a migration.

Revision ID: 2026_11_23_first_tables
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_first_tables"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _inbox()
    _ledger_transaction()
    _notice()
    _plan()
    _provider_token()
    _site()
    _subscriber()
    _certificate()
    _grant()
    _join_token()
    _journal()
    _payment()
    _posting()
    _session()
    _site_generation()
    _site_item()
    _voucher()
    _voucher_try()
    _session_epoch()


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=160), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("source", "external_id", name=op.f("pk_inbox")),
    )


def _ledger_transaction() -> None:
    op.create_table(
        "ledger_transaction",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transaction")),
    )


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_at"), "notice", ["at"], unique=False)


def _plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("down_bps", sa.BigInteger(), nullable=False),
        sa.Column("up_bps", sa.BigInteger(), nullable=False),
        sa.Column("validity_s", sa.BigInteger(), nullable=True),
        sa.Column("uptime_s", sa.BigInteger(), nullable=True),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("devices_max", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.CheckConstraint("devices_max > 0", name=op.f("ck_plan_devices_positive")),
        sa.CheckConstraint("down_bps > 0 AND up_bps > 0", name=op.f("ck_plan_rates_positive")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plan_price_not_negative")),
        sa.CheckConstraint(
            "validity_s IS NOT NULL OR uptime_s IS NOT NULL OR quota_bytes IS NOT NULL",
            name=op.f("ck_plan_some_limit"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )


def _provider_token() -> None:
    op.create_table(
        "provider_token",
        sa.Column("credential", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("credential", name=op.f("pk_provider_token")),
    )


def _site() -> None:
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("operator_name", sa.String(length=80), nullable=False),
        sa.Column("help_phone", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("applied_generation", sa.BigInteger(), nullable=False),
        sa.Column("applied_digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=True),
        sa.Column("agent_version", sa.String(length=32), nullable=False),
        sa.CheckConstraint("generation >= 0", name=op.f("ck_site_generation_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
    )


def _subscriber() -> None:
    op.create_table(
        "subscriber",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("msisdn", name=op.f("uq_subscriber_msisdn")),
    )


def _certificate() -> None:
    op.create_table(
        "certificate",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_certificate_site_id_site")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificate")),
    )


def _grant() -> None:
    op.create_table(
        "grant",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=True),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("cause_id", sa.String(length=64), nullable=False),
        sa.Column("devices", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("valid_until", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_reason", sa.String(length=16), nullable=True),
        sa.Column("spent_validity_s", sa.BigInteger(), nullable=False),
        sa.Column("spent_uptime_s", sa.BigInteger(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_reason IS NULL)", name=op.f("ck_grant_ended_has_reason")
        ),
        sa.CheckConstraint(
            "spent_validity_s >= 0 AND spent_uptime_s >= 0",
            name=op.f("ck_grant_spent_not_negative"),
        ),
        sa.CheckConstraint("used_bytes >= 0", name=op.f("ck_grant_used_not_negative")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_grant_plan_id_plan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_grant_site_id_site")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_grant_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
        sa.UniqueConstraint("cause_id", name=op.f("uq_grant_cause_id")),
    )
    op.create_index(
        op.f("ix_grant_ended_at_valid_until"), "grant", ["ended_at", "valid_until"], unique=False
    )
    op.create_index(
        op.f("ix_grant_site_id_ended_at"), "grant", ["site_id", "ended_at"], unique=False
    )


def _join_token() -> None:
    op.create_table(
        "join_token",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("csr_hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_join_token_site_id_site")),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_join_token")),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("journal", sa.String(length=32), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_journal_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "journal", name=op.f("pk_journal")),
    )


def _payment() -> None:
    op.create_table(
        "payment",
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("device_mac", sa.String(length=17), nullable=False),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("shortcode", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("callback_token_hash", sa.String(length=64), nullable=False),
        sa.Column("receipt", sa.String(length=32), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("pushed_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("next_query_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL)",
            name=op.f("ck_payment_settled_has_time"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_amount_positive")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_payment_plan_id_plan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_payment_site_id_site")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_payment_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_payment")),
        sa.UniqueConstraint("callback_token_hash", name=op.f("uq_payment_callback_token_hash")),
        sa.UniqueConstraint("rail", "provider_id", name=op.f("uq_payment_rail_provider_id")),
        sa.UniqueConstraint("rail", "receipt", name=op.f("uq_payment_rail_receipt")),
    )
    op.create_index(op.f("ix_payment_created_at"), "payment", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_payment_msisdn_pushed_at"), "payment", ["msisdn", "pushed_at"], unique=False
    )
    op.create_index(op.f("ix_payment_next_query_at"), "payment", ["next_query_at"], unique=False)


def _posting() -> None:
    op.create_table(
        "posting",
        sa.Column("transaction_id", sa.String(length=120), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("target", sa.String(length=120), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_posting_amount_positive")),
        sa.CheckConstraint("source <> target", name=op.f("ck_posting_two_accounts")),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transaction.id"],
            name=op.f("fk_posting_transaction_id_ledger_transaction"),
        ),
        sa.PrimaryKeyConstraint("transaction_id", "n", name=op.f("pk_posting")),
    )
    op.create_index(op.f("ix_posting_source"), "posting", ["source"], unique=False)
    op.create_index(op.f("ix_posting_target"), "posting", ["target"], unique=False)


def _session() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("mac", sa.String(length=17), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("closed_reason", sa.String(length=16), nullable=True),
        sa.Column("down_bytes", sa.BigInteger(), nullable=False),
        sa.Column("up_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bytes >= 0 AND up_bytes >= 0", name=op.f("ck_session_usage_not_negative")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_session_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_grant_id"), "session", ["grant_id"], unique=False)
    op.create_index(
        op.f("ix_session_site_id_closed_at"), "session", ["site_id", "closed_at"], unique=False
    )


def _site_generation() -> None:
    op.create_table(
        "site_generation",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_site_generation_site_id_site")
        ),
        sa.PrimaryKeyConstraint("site_id", "generation", name=op.f("pk_site_generation")),
    )


def _site_item() -> None:
    op.create_table(
        "site_item",
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_item_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", "key", name=op.f("pk_site_item")),
    )
    op.create_index(
        op.f("ix_site_item_site_id_generation"),
        "site_item",
        ["site_id", "generation"],
        unique=False,
    )


def _voucher() -> None:
    op.create_table(
        "voucher",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("redeemed_at", MOMENT, nullable=True),
        sa.Column("redemption_id", sa.String(length=32), nullable=True),
        sa.Column("grant_id", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "(redeemed_at IS NULL) = (redemption_id IS NULL)"
            " AND (redeemed_at IS NULL) = (grant_id IS NULL)",
            name=op.f("ck_voucher_redeemed_whole"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_voucher_plan_id_plan")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_voucher")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_voucher_redemption_id")),
    )
    op.create_index(op.f("ix_voucher_batch"), "voucher", ["batch"], unique=False)


def _voucher_try() -> None:
    op.create_table(
        "voucher_try",
        sa.Column("redemption_id", sa.String(length=32), nullable=False),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("device_mac", sa.String(length=17), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_voucher_try_site_id_site")),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_voucher_try")),
    )
    op.create_index(
        op.f("ix_voucher_try_site_id_at"), "voucher_try", ["site_id", "at"], unique=False
    )


def _session_epoch() -> None:
    op.create_table(
        "session_epoch",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("down_bytes", sa.BigInteger(), nullable=False),
        sa.Column("up_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "down_bytes >= 0 AND up_bytes >= 0", name=op.f("ck_session_epoch_reading_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_session_epoch_session_id_session")
        ),
        sa.PrimaryKeyConstraint("session_id", "epoch", name=op.f("pk_session_epoch")),
    )
    # ### end Alembic commands ###
