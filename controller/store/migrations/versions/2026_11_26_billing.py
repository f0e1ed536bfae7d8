"""Branches, prices, taxes, subscriptions, documents, debts, promotions.

Revision ID: 2026_11_26_billing
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_billing"
down_revision = "2026_11_26_pools_and_probes"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
TAX_CLASS = "('internet', 'standard', 'zero', 'exempt')"
KNOWN_RATES = (
    ("vat", date(2013, 9, 2), 1_600),
    ("vat", date(2020, 4, 1), 1_400),
    ("vat", date(2021, 1, 1), 1_600),
    ("excise", date(2018, 9, 21), 1_500),
    ("excise", date(2021, 7, 1), 2_000),
    ("excise", date(2023, 7, 1), 1_500),
)
WRITTEN_ONCE = ("document", "document_line")


def upgrade() -> None:
    _billing_run()
    _branch()
    _dunning_policy()
    _number_series()
    _operator()
    _promotion()
    _tax_rate()
    _price()
    _voucher_sale()
    _document()
    _promotion_use()
    _received()
    _subscription()
    _allocation()
    _billed_period()
    _debt()
    _document_line()
    _dunning_step()
    _instalment()
    _first_rows()
    _plan_columns()
    _subscriber_columns()
    op.execute(
        "ALTER TABLE site ADD COLUMN branch_id VARCHAR(32) DEFAULT 'main' NOT NULL"
        " CONSTRAINT fk_site_branch_id_branch REFERENCES branch (id)"
    )
    for table in WRITTEN_ONCE:
        _never_changed(table)
    # What plans earned before there were branches was earned by the first one.
    op.execute(
        "UPDATE posting SET source = 'income:main:' || substr(source, 8)"
        " WHERE source LIKE 'income:plan:%'"
    )
    op.execute(
        "UPDATE posting SET target = 'income:main:' || substr(target, 8)"
        " WHERE target LIKE 'income:plan:%'"
    )


def _first_rows() -> None:
    op.execute(
        "INSERT INTO branch (id, name, address, phone, email, kra_branch, created_at)"
        " VALUES ('main', 'Main', '', '', '', '00', CURRENT_TIMESTAMP)"
    )
    op.execute(
        "INSERT INTO operator"
        " (id, name, kra_pin, vat_registered, excise_registered, colour, pay_to)"
        " VALUES (1, '', '', false, false, '#0b6e4f', '')"
    )
    rates = sa.table(
        "tax_rate",
        sa.column("tax", sa.String()),
        sa.column("from_day", sa.Date()),
        sa.column("basis_points", sa.Integer()),
    )
    op.bulk_insert(
        rates,
        [
            {"tax": tax, "from_day": from_day, "basis_points": basis_points}
            for tax, from_day, basis_points in KNOWN_RATES
        ],
    )


def _plan_columns() -> None:
    op.execute(
        "ALTER TABLE plan ADD COLUMN audience VARCHAR(8) DEFAULT 'hotspot' NOT NULL"
        " CONSTRAINT ck_plan_audience_known CHECK (audience IN ('hotspot', 'contract'))"
    )
    op.execute(
        "ALTER TABLE plan ADD COLUMN tax_class VARCHAR(8) DEFAULT 'internet' NOT NULL"
        f" CONSTRAINT ck_plan_tax_class_known CHECK (tax_class IN {TAX_CLASS})"
    )
    op.add_column(
        "plan", sa.Column("tax_included", sa.Boolean(), server_default=sa.true(), nullable=False)
    )
    op.add_column("plan", sa.Column("tariff", sa.Text(), nullable=True))


def _subscriber_columns() -> None:
    for name, length in (("name", 80), ("email", 120), ("address", 200), ("kra_pin", 11)):
        op.add_column(
            "subscriber",
            sa.Column(name, sa.String(length), server_default=sa.text("''"), nullable=False),
        )
    op.execute(
        "ALTER TABLE subscriber ADD COLUMN segment VARCHAR(16) DEFAULT 'residential' NOT NULL"
        " CONSTRAINT ck_subscriber_segment_known"
        " CHECK (segment IN ('residential', 'business', 'enterprise'))"
    )
    op.execute(
        "ALTER TABLE subscriber ADD COLUMN branch_id VARCHAR(32) DEFAULT 'main' NOT NULL"
        " CONSTRAINT fk_subscriber_branch_id_branch REFERENCES branch (id)"
    )
    op.add_column(
        "subscriber", sa.Column("language", sa.String(2), server_default="en", nullable=False)
    )
    op.execute(
        "ALTER TABLE subscriber ADD COLUMN referred_by VARCHAR(32)"
        " CONSTRAINT fk_subscriber_referred_by_subscriber REFERENCES subscriber (id)"
    )
    op.create_index(op.f("ix_subscriber_name"), "subscriber", ["name"], unique=False)


def _never_changed(table: str) -> None:
    """An issued document is never edited: the database itself refuses to."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, 'a {table} is never changed'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_is_final() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'a {table} is never changed'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_final BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_is_final()"
    )


def _billing_run() -> None:
    op.create_table(
        "billing_run",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("done", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_run")),
    )
    op.create_index(op.f("ix_billing_run_began_at"), "billing_run", ["began_at"], unique=False)


def _branch() -> None:
    op.create_table(
        "branch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=False),
        sa.Column("kra_branch", sa.String(length=2), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch")),
    )


def _dunning_policy() -> None:
    op.create_table(
        "dunning_policy",
        sa.Column("segment", sa.String(length=16), nullable=False),
        sa.Column("terms_days", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_dunning_policy")),
    )


def _number_series() -> None:
    op.create_table(
        "number_series",
        sa.Column("series", sa.String(length=40), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("next_number > 0", name=op.f("ck_number_series_number_positive")),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_number_series")),
    )


def _operator() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kra_pin", sa.String(length=11), nullable=False),
        sa.Column("vat_registered", sa.Boolean(), nullable=False),
        sa.Column("excise_registered", sa.Boolean(), nullable=False),
        sa.Column("logo", sa.LargeBinary(), nullable=True),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("pay_to", sa.String(length=200), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_operator_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
    )


def _promotion() -> None:
    op.create_table(
        "promotion",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('discount', 'coupon', 'referral', 'loyalty')",
            name=op.f("ck_promotion_kind_known"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_promotion_ends_after_it_began")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
    )


def _tax_rate() -> None:
    op.create_table(
        "tax_rate",
        sa.Column("tax", sa.String(length=8), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.CheckConstraint("tax IN ('excise', 'vat')", name=op.f("ck_tax_rate_tax_known")),
        sa.CheckConstraint(
            "basis_points BETWEEN 0 AND 10000", name=op.f("ck_tax_rate_rate_is_a_share")
        ),
        sa.PrimaryKeyConstraint("tax", "from_day", name=op.f("pk_tax_rate")),
    )


def _price() -> None:
    op.create_table(
        "price",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("segment", sa.String(length=16), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_price_amount_not_negative")),
        sa.CheckConstraint("until_day > from_day", name=op.f("ck_price_until_after_from")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_price_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price")),
        sa.UniqueConstraint(
            "plan_id",
            "segment",
            "branch_id",
            "from_day",
            name=op.f("uq_price_plan_id_segment_branch_id_from_day"),
        ),
    )


def _voucher_sale() -> None:
    op.create_table(
        "voucher_sale",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=False),
        sa.Column("seller", sa.String(length=80), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("commission_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "amount_minor >= 0 AND commission_minor >= 0", name=op.f("ck_voucher_sale_not_negative")
        ),
        sa.CheckConstraint("count > 0", name=op.f("ck_voucher_sale_count_positive")),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_voucher_sale_branch_id_branch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher_sale")),
    )
    op.create_index(op.f("ix_voucher_sale_at"), "voucher_sale", ["at"], unique=False)
    op.create_index(op.f("ix_voucher_sale_batch"), "voucher_sale", ["batch"], unique=False)


def _document() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("series", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=160), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("period_start", MOMENT, nullable=True),
        sa.Column("period_end", MOMENT, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("excise_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("refers_to", sa.String(length=32), nullable=True),
        sa.Column("frozen", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (refers_to IS NOT NULL)",
            name=op.f("ck_document_credit_refers"),
        ),
        sa.CheckConstraint(
            "kind IN ('invoice', 'credit_note', 'receipt')", name=op.f("ck_document_kind_known")
        ),
        sa.CheckConstraint(
            "net_minor + excise_minor + vat_minor = total_minor AND total_minor >= 0",
            name=op.f("ck_document_parts_sum_to_total"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_document_number_positive")),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_document_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(
            ["refers_to"], ["document.id"], name=op.f("fk_document_refers_to_document")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_document_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("series", "number", name=op.f("uq_document_series_number")),
        sa.UniqueConstraint(
            "subscriber_id", "kind", "cause", name=op.f("uq_document_subscriber_id_kind_cause")
        ),
    )
    op.create_index(op.f("ix_document_issued_at_id"), "document", ["issued_at", "id"], unique=False)
    op.create_index(op.f("ix_document_refers_to"), "document", ["refers_to"], unique=False)
    op.create_index(
        op.f("ix_document_subscriber_id_issued_at"),
        "document",
        ["subscriber_id", "issued_at"],
        unique=False,
    )


def _promotion_use() -> None:
    op.create_table(
        "promotion_use",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("promotion_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("periods_left", sa.Integer(), nullable=True),
        sa.Column("reward_minor", sa.BigInteger(), nullable=False),
        sa.Column("reversed_at", MOMENT, nullable=True),
        sa.CheckConstraint("periods_left >= 0", name=op.f("ck_promotion_use_periods_not_negative")),
        sa.CheckConstraint("reward_minor >= 0", name=op.f("ck_promotion_use_reward_not_negative")),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotion.id"], name=op.f("fk_promotion_use_promotion_id_promotion")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_promotion_use_subscriber_id_subscriber"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion_use")),
        sa.UniqueConstraint(
            "promotion_id",
            "subscriber_id",
            "cause",
            name=op.f("uq_promotion_use_promotion_id_subscriber_id_cause"),
        ),
    )
    op.create_index(op.f("ix_promotion_use_cause"), "promotion_use", ["cause"], unique=False)
    op.create_index(
        op.f("ix_promotion_use_subscriber_id"), "promotion_use", ["subscriber_id"], unique=False
    )


def _received() -> None:
    op.create_table(
        "received",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("receipt", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("reversed_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_received_amount_positive")),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_received_branch_id_branch")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_received_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received")),
        sa.UniqueConstraint("rail", "receipt", name=op.f("uq_received_rail_receipt")),
    )
    op.create_index(op.f("ix_received_at_id"), "received", ["at", "id"], unique=False)
    op.create_index(
        op.f("ix_received_subscriber_id_at"), "received", ["subscriber_id", "at"], unique=False
    )


def _subscription() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("next_plan_id", sa.String(length=32), nullable=True),
        sa.Column("site_id", sa.String(length=32), nullable=False),
        sa.Column("devices", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("cycle_unit", sa.String(length=8), nullable=False),
        sa.Column("cycle_count", sa.Integer(), nullable=False),
        sa.Column("anchor_day", sa.Integer(), nullable=True),
        sa.Column("anchor_at", MOMENT, nullable=False),
        sa.Column("period_n", sa.Integer(), nullable=False),
        sa.Column("bill_at", MOMENT, nullable=True),
        sa.Column("paid_until", MOMENT, nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("hold", sa.String(length=8), nullable=True),
        sa.Column("state_at", MOMENT, nullable=False),
        sa.Column("resume_at", MOMENT, nullable=True),
        sa.Column("grant_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(state = 'suspended') = (hold IS NOT NULL)",
            name=op.f("ck_subscription_suspended_has_hold"),
        ),
        sa.CheckConstraint(
            "mode IN ('prepaid', 'advance', 'arrears')", name=op.f("ck_subscription_mode_known")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'suspended', 'paused', 'ended')",
            name=op.f("ck_subscription_state_known"),
        ),
        sa.CheckConstraint(
            "anchor_day BETWEEN 1 AND 31", name=op.f("ck_subscription_anchor_day_in_a_month")
        ),
        sa.CheckConstraint("cycle_count > 0", name=op.f("ck_subscription_cycle_positive")),
        sa.CheckConstraint("period_n >= 0", name=op.f("ck_subscription_period_not_negative")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_subscription_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["next_plan_id"], ["plan.id"], name=op.f("fk_subscription_next_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_subscription_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_subscription_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscription_subscriber_id_subscriber"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
    )
    op.create_index(op.f("ix_subscription_bill_at"), "subscription", ["bill_at"], unique=False)
    op.create_index(op.f("ix_subscription_resume_at"), "subscription", ["resume_at"], unique=False)
    op.create_index(
        op.f("ix_subscription_subscriber_id"), "subscription", ["subscriber_id"], unique=False
    )


def _allocation() -> None:
    op.create_table(
        "allocation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("transaction_id", sa.String(length=120), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_allocation_amount_moves")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_allocation_document_id_document")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_allocation_subscriber_id_subscriber"),
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transaction.id"],
            name=op.f("fk_allocation_transaction_id_ledger_transaction"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation")),
    )
    op.create_index(op.f("ix_allocation_at"), "allocation", ["at"], unique=False)
    op.create_index(op.f("ix_allocation_document_id"), "allocation", ["document_id"], unique=False)


def _billed_period() -> None:
    op.create_table(
        "billed_period",
        sa.Column("subscription_id", sa.String(length=32), nullable=False),
        sa.Column("start_at", MOMENT, nullable=False),
        sa.Column("end_at", MOMENT, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=True),
        sa.Column("billed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("credited_from", MOMENT, nullable=True),
        sa.CheckConstraint("billed_bytes >= 0", name=op.f("ck_billed_period_billed_not_negative")),
        sa.CheckConstraint("end_at > start_at", name=op.f("ck_billed_period_ends_after_it_began")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_billed_period_document_id_document")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_billed_period_subscription_id_subscription"),
        ),
        sa.PrimaryKeyConstraint("subscription_id", "start_at", name=op.f("pk_billed_period")),
    )
    op.create_index(
        op.f("ix_billed_period_document_id"), "billed_period", ["document_id"], unique=False
    )


def _debt() -> None:
    op.create_table(
        "debt",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("open_minor", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("steps_done", sa.Integer(), nullable=False),
        sa.Column("step_at", MOMENT, nullable=True),
        sa.Column("promised_until", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(open_minor = 0) = (settled_at IS NOT NULL)", name=op.f("ck_debt_settled_has_time")
        ),
        sa.CheckConstraint("open_minor >= 0", name=op.f("ck_debt_open_not_negative")),
        sa.CheckConstraint("steps_done >= 0", name=op.f("ck_debt_steps_not_negative")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_debt_document_id_document")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_debt_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_debt")),
    )
    op.create_index(op.f("ix_debt_step_at"), "debt", ["step_at"], unique=False)
    op.create_index(
        op.f("ix_debt_subscriber_id_settled_at"),
        "debt",
        ["subscriber_id", "settled_at"],
        unique=False,
    )


def _document_line() -> None:
    op.create_table(
        "document_line",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("subscription_id", sa.String(length=32), nullable=True),
        sa.Column("plan_id", sa.String(length=32), nullable=True),
        sa.Column("tax_class", sa.String(length=8), nullable=False),
        sa.Column("excise_bp", sa.Integer(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("excise_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "tax_class IN ('internet', 'standard', 'zero', 'exempt')",
            name=op.f("ck_document_line_tax_class_known"),
        ),
        sa.CheckConstraint(
            "net_minor + excise_minor + vat_minor = total_minor",
            name=op.f("ck_document_line_parts_sum"),
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_document_line_document_id_document")
        ),
        sa.PrimaryKeyConstraint("document_id", "n", name=op.f("pk_document_line")),
    )


def _dunning_step() -> None:
    op.create_table(
        "dunning_step",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["debt.document_id"], name=op.f("fk_dunning_step_document_id_debt")
        ),
        sa.PrimaryKeyConstraint("document_id", "step", name=op.f("pk_dunning_step")),
    )


def _instalment() -> None:
    op.create_table(
        "instalment",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_instalment_amount_positive")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["debt.document_id"], name=op.f("fk_instalment_document_id_debt")
        ),
        sa.PrimaryKeyConstraint("document_id", "n", name=op.f("pk_instalment")),
    )
