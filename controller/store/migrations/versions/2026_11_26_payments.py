"""Money by providers: arrivals, refunds, mandates, statements; payments into accounts.

Revision ID: 2026_11_26_payments
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_payments"
down_revision = "2026_11_26_logos"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _payment()
    _sms()
    _difference()
    _pace()
    _place()
    _reconciliation()
    _statement()
    _statement_profile()
    _statement_line()
    _email()
    _mandate()
    _arrival()
    _arrival_deed()
    _refund()
    _what_came_before()


def _name(text: str) -> sa.sql.elements.conv:
    """A constraint's name as it is, without the convention's prefix."""
    return sa.sql.elements.conv(text)


def _payment() -> None:
    with op.batch_alter_table("payment", copy_from=_payment_before()) as payment:
        payment.alter_column("site_id", existing_type=sa.String(length=32), nullable=True)
        payment.alter_column("plan_id", existing_type=sa.String(length=32), nullable=True)
        payment.add_column(
            sa.Column(
                "reference", sa.String(length=12), server_default=sa.text("''"), nullable=False
            )
        )
        payment.add_column(
            sa.Column("pay_at", sa.String(length=300), server_default=sa.text("''"), nullable=False)
        )
        payment.add_column(sa.Column("mandate_id", sa.String(length=32), nullable=True))
        payment.drop_constraint(_name("ck_payment_purpose_known"), type_="check")
        payment.drop_constraint(_name("ck_payment_token_has_no_device"), type_="check")
        payment.create_check_constraint(
            _name("ck_payment_purpose_known"), "purpose IN ('grant', 'token', 'account')"
        )
        payment.create_check_constraint(
            _name("ck_payment_grant_has_device"), "(purpose = 'grant') = (device_mac <> '')"
        )
        payment.create_check_constraint(
            _name("ck_payment_account_has_no_plan"),
            "(purpose = 'account') = (plan_id IS NULL AND site_id IS NULL)",
        )
    op.create_index(op.f("ix_payment_reference"), "payment", ["reference"], unique=False)
    op.create_index(op.f("ix_payment_settled_at"), "payment", ["settled_at"], unique=False)


def _payment_before() -> sa.Table:
    return sa.Table(
        "payment",
        sa.MetaData(),
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
        sa.Column("purpose", sa.String(length=8), server_default="grant", nullable=False),
        sa.CheckConstraint("purpose IN ('grant', 'token')", name=_name("ck_payment_purpose_known")),
        sa.CheckConstraint(
            "(purpose = 'token') = (device_mac = '')",
            name=_name("ck_payment_token_has_no_device"),
        ),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL)",
            name=_name("ck_payment_settled_has_time"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=_name("ck_payment_amount_positive")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=_name("fk_payment_plan_id_plan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=_name("fk_payment_site_id_site")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=_name("fk_payment_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("order_id", name=_name("pk_payment")),
        sa.UniqueConstraint("callback_token_hash", name=_name("uq_payment_callback_token_hash")),
        sa.UniqueConstraint("rail", "provider_id", name=_name("uq_payment_rail_provider_id")),
        sa.UniqueConstraint("rail", "receipt", name=_name("uq_payment_rail_receipt")),
        sa.Index(_name("ix_payment_created_at"), "created_at"),
        sa.Index(_name("ix_payment_msisdn_pushed_at"), "msisdn", "pushed_at"),
        sa.Index(_name("ix_payment_next_query_at"), "next_query_at"),
    )


def _sms() -> None:
    with op.batch_alter_table("sms", copy_from=_sms_before()) as sms:
        sms.alter_column("site_id", existing_type=sa.String(length=32), nullable=True)
        sms.add_column(sa.Column("event", sa.String(length=120), nullable=True))
        sms.add_column(
            sa.Column(
                "delivery", sa.String(length=16), server_default=sa.text("''"), nullable=False
            )
        )
        sms.add_column(sa.Column("told_at", MOMENT, nullable=True))
        sms.add_column(
            sa.Column("parts", sa.Integer(), server_default=sa.text("1"), nullable=False)
        )
        sms.add_column(sa.Column("cost_e4", sa.BigInteger(), nullable=True))
        sms.create_unique_constraint(_name("uq_sms_event"), ["event"])
    op.create_index(op.f("ix_sms_provider_id"), "sms", ["provider_id"], unique=False)


def _sms_before() -> sa.Table:
    return sa.Table(
        "sms",
        sa.MetaData(),
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
            "state IN ('waiting', 'sent', 'given_up')", name=_name("ck_sms_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (due_at IS NOT NULL)", name=_name("ck_sms_waiting_is_due")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (sealed IS NOT NULL)", name=_name("ck_sms_waiting_has_text")
        ),
        sa.CheckConstraint("tries >= 0", name=_name("ck_sms_tries_not_negative")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=_name("fk_sms_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=_name("pk_sms")),
        sa.Index(_name("ix_sms_due_at"), "due_at"),
        sa.Index(_name("ix_sms_about_created_at"), "about", "created_at"),
    )


def _difference() -> None:
    op.create_table(
        "difference",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("receipt", sa.String(length=64), nullable=False),
        sa.Column("told_minor", sa.BigInteger(), nullable=True),
        sa.Column("booked_minor", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("explanation", sa.String(length=300), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'explained', 'gone')", name=op.f("ck_difference_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_difference")),
        sa.UniqueConstraint(
            "rail",
            "place",
            "day",
            "kind",
            "receipt",
            name=op.f("uq_difference_rail_place_day_kind_receipt"),
        ),
    )
    op.create_index(op.f("ix_difference_state_day"), "difference", ["state", "day"], unique=False)


def _pace() -> None:
    op.create_table(
        "pace",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("level_milli", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pace")),
    )


def _place() -> None:
    op.create_table(
        "place",
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("registered_at", MOMENT, nullable=True),
        sa.Column("registered_as", sa.String(length=64), nullable=False),
        sa.Column("pulled_until", MOMENT, nullable=True),
        sa.Column("swept_at", MOMENT, nullable=True),
        sa.Column("balance_minor", sa.BigInteger(), nullable=True),
        sa.Column("balance_at", MOMENT, nullable=True),
        sa.Column("asked_at", MOMENT, nullable=True),
        sa.Column("ask_token_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("rail", "place", name=op.f("pk_place")),
        sa.UniqueConstraint("ask_token_hash", name=op.f("uq_place_ask_token_hash")),
    )


def _reconciliation() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("told_minor", sa.BigInteger(), nullable=False),
        sa.Column("booked_minor", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("rail", "place", "day", name=op.f("pk_reconciliation")),
    )


def _statement() -> None:
    op.create_table(
        "statement",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("form", sa.String(length=24), nullable=False),
        sa.Column("file_hash", sa.String(length=64), nullable=False),
        sa.Column("from_at", MOMENT, nullable=False),
        sa.Column("until_at", MOMENT, nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=True),
        sa.Column("closing_minor", sa.BigInteger(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("imported_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint(
            "rail", "place", "file_hash", name=op.f("uq_statement_rail_place_file_hash")
        ),
    )
    op.create_index(
        op.f("ix_statement_imported_at_id"), "statement", ["imported_at", "id"], unique=False
    )


def _statement_profile() -> None:
    op.create_table(
        "statement_profile",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_statement_profile")),
    )


def _statement_line() -> None:
    op.create_table(
        "statement_line",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("statement_id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("receipt", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("payer", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "kind IN ('in', 'out', 'charge', 'reversal')", name=op.f("ck_statement_line_kind_known")
        ),
        sa.CheckConstraint(
            "amount_minor > 0 OR kind = 'charge'", name=op.f("ck_statement_line_amount_positive")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["statement.id"],
            name=op.f("fk_statement_line_statement_id_statement"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_line")),
        sa.UniqueConstraint(
            "rail", "place", "fingerprint", name=op.f("uq_statement_line_rail_place_fingerprint")
        ),
    )
    op.create_index(op.f("ix_statement_line_due_at"), "statement_line", ["due_at"], unique=False)
    op.create_index(
        op.f("ix_statement_line_rail_place_at"),
        "statement_line",
        ["rail", "place", "at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_statement_line_statement_id"), "statement_line", ["statement_id"], unique=False
    )


def _email() -> None:
    op.create_table(
        "email",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=True),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=120), nullable=True),
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
            "(state = 'waiting') = (due_at IS NOT NULL)", name=op.f("ck_email_waiting_is_due")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (sealed IS NOT NULL)", name=op.f("ck_email_waiting_has_text")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'given_up')", name=op.f("ck_email_state_known")
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_email_tries_not_negative")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_email_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email")),
        sa.UniqueConstraint("event", name=op.f("uq_email_event")),
    )
    op.create_index(op.f("ix_email_created_at_id"), "email", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_email_due_at"), "email", ["due_at"], unique=False)


def _mandate() -> None:
    op.create_table(
        "mandate",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subscriber_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("callback_token_hash", sa.String(length=64), nullable=True),
        sa.Column("consent", sa.String(length=200), nullable=False),
        sa.Column("consented_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.String(length=200), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('card', 'order')", name=op.f("ck_mandate_kind_known")),
        sa.CheckConstraint(
            "state IN ('asked', 'active', 'refused', 'failing', 'cancelled')",
            name=op.f("ck_mandate_state_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_mandate_amount_positive")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_mandate_tries_not_negative")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_mandate_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mandate")),
        sa.UniqueConstraint("callback_token_hash", name=op.f("uq_mandate_callback_token_hash")),
    )
    op.create_index(op.f("ix_mandate_due_at"), "mandate", ["due_at"], unique=False)
    op.create_index(op.f("ix_mandate_subscriber_id"), "mandate", ["subscriber_id"], unique=False)


def _arrival() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("roads", sa.String(length=120), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("payer", sa.String(length=64), nullable=False),
        sa.Column("payer_name", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=True),
        sa.Column("received_id", sa.String(length=32), nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ask_token_hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state <> 'credited' OR order_id IS NOT NULL OR received_id IS NOT NULL",
            name=op.f("ck_arrival_credited_to_somebody"),
        ),
        sa.CheckConstraint(
            "state IN ('doubted', 'suspense', 'credited', 'returned')",
            name=op.f("ck_arrival_state_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_arrival_amount_positive")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["payment.order_id"], name=op.f("fk_arrival_order_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["received_id"], ["received.id"], name=op.f("fk_arrival_received_id_received")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
        sa.UniqueConstraint("ask_token_hash", name=op.f("uq_arrival_ask_token_hash")),
        sa.UniqueConstraint("rail", "receipt", name=op.f("uq_arrival_rail_receipt")),
        sa.UniqueConstraint("received_id", name=op.f("uq_arrival_received_id")),
    )
    op.create_index(op.f("ix_arrival_at_id"), "arrival", ["at", "id"], unique=False)
    op.create_index(op.f("ix_arrival_due_at"), "arrival", ["due_at"], unique=False)
    op.create_index(op.f("ix_arrival_receipt"), "arrival", ["receipt"], unique=False)
    op.create_index(op.f("ix_arrival_order_id"), "arrival", ["order_id"], unique=False)
    op.create_index(op.f("ix_arrival_state_at"), "arrival", ["state", "at"], unique=False)


def _arrival_deed() -> None:
    op.create_table(
        "arrival_deed",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("arrival_id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=24), nullable=False),
        sa.Column("detail", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_arrival_deed_arrival_id_arrival")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival_deed")),
    )
    op.create_index(
        op.f("ix_arrival_deed_arrival_id"), "arrival_deed", ["arrival_id"], unique=False
    )


def _refund() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("arrival_id", sa.String(length=32), nullable=False),
        sa.Column("rail", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("receipt", sa.String(length=64), nullable=True),
        sa.Column("callback_token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("next_query_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL)",
            name=op.f("ck_refund_settled_has_time"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_amount_positive")),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_refund_arrival_id_arrival")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("callback_token_hash", name=op.f("uq_refund_callback_token_hash")),
    )
    op.create_index(op.f("ix_refund_arrival_id"), "refund", ["arrival_id"], unique=False)
    op.create_index(op.f("ix_refund_created_at_id"), "refund", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_refund_next_query_at"), "refund", ["next_query_at"], unique=False)


def _what_came_before() -> None:
    """Money that is booked already has its row too, or a pull would bring it in once more."""
    op.execute("UPDATE payment SET reference = upper(substr(order_id, 1, 12))")
    op.execute(
        "INSERT INTO arrival (id, rail, receipt, place, amount_minor, currency, at, seen_at, roads,"
        " reference, payer, payer_name, note, state, order_id, received_id, due_at, tries,"
        " ask_token_hash)"
        " SELECT order_id, rail, upper(coalesce(receipt, provider_id, order_id)), shortcode,"
        " amount_minor, currency, settled_at, settled_at, 'callback', reference, msisdn, '', '',"
        " 'credited', order_id, NULL, NULL, 0, NULL FROM payment WHERE state = 'settled'"
    )
    op.execute(
        "INSERT INTO arrival (id, rail, receipt, place, amount_minor, currency, at, seen_at, roads,"
        " reference, payer, payer_name, note, state, order_id, received_id, due_at, tries,"
        " ask_token_hash)"
        " SELECT id, rail, upper(receipt), place, amount_minor, currency, at, at, 'staff', '', '',"
        " '', note, CASE WHEN reversed_at IS NULL THEN 'credited' ELSE 'returned' END, NULL, id,"
        " NULL, 0, NULL FROM received"
    )
