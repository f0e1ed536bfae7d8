"""The people who run the business: accounts, factors, sessions, API tokens.

Revision ID: 2026_11_26_staff
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_staff"
down_revision = "2026_11_26_alerts"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _staff()
    _try()
    _api_token()
    _device()
    _invite()
    _passkey()
    _recovery()
    _session()
    _step()


def _staff() -> None:
    op.create_table(
        "staff",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("login", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("branches", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("signed_in_at", MOMENT, nullable=True),
        sa.CheckConstraint("branches <> ''", name=op.f("ck_staff_some_branch")),
        sa.CheckConstraint(
            "role <> 'owner' OR branches IS NULL", name=op.f("ck_staff_owner_of_everything")
        ),
        sa.CheckConstraint(
            "role IN ('owner', 'admin', 'billing', 'support', 'technician', 'cashier',"
            " 'read_only')",
            name=op.f("ck_staff_role_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("login", name=op.f("uq_staff_login")),
    )


def _try() -> None:
    op.create_table(
        "staff_try",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_staff_try_failures_not_negative")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_staff_try")),
    )
    op.create_index(op.f("ix_staff_try_last_at"), "staff_try", ["last_at"], unique=False)


def _api_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("branches", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("branches <> ''", name=op.f("ck_api_token_some_branch")),
        sa.CheckConstraint(
            "role IN ('owner', 'admin', 'billing', 'support', 'technician', 'cashier',"
            " 'read_only')",
            name=op.f("ck_api_token_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_api_token_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
    )
    op.create_index(
        "ix_api_token_in_use",
        "api_token",
        ["staff_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index(op.f("ix_api_token_token_hash"), "api_token", ["token_hash"], unique=True)


def _device() -> None:
    op.create_table(
        "staff_device",
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('browser', 'network')", name=op.f("ck_staff_device_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_device_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", "mark", name=op.f("pk_staff_device")),
    )


def _invite() -> None:
    op.create_table(
        "staff_invite",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_invite_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_staff_invite")),
    )
    op.create_index(op.f("ix_staff_invite_staff_id"), "staff_invite", ["staff_id"], unique=False)


def _passkey() -> None:
    op.create_table(
        "staff_passkey",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_passkey_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_passkey")),
    )
    op.create_index(op.f("ix_staff_passkey_staff_id"), "staff_passkey", ["staff_id"], unique=False)


def _recovery() -> None:
    op.create_table(
        "staff_recovery",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_recovery_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_staff_recovery")),
    )
    op.create_index(
        op.f("ix_staff_recovery_staff_id"), "staff_recovery", ["staff_id"], unique=False
    )


def _session() -> None:
    op.create_table(
        "staff_session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("factor", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_session_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
    )
    op.create_index(
        op.f("ix_staff_session_staff_id_ended_at"),
        "staff_session",
        ["staff_id", "ended_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_staff_session_token_hash"), "staff_session", ["token_hash"], unique=True
    )


def _step() -> None:
    op.create_table(
        "staff_step",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(kind = 'passkey') = (staff_id IS NULL)", name=op.f("ck_staff_step_passkey_says_who")
        ),
        sa.CheckConstraint(
            "kind IN ('second', 'passkey', 'add')", name=op.f("ck_staff_step_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_step_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_staff_step")),
    )
    op.create_index(op.f("ix_staff_step_expires_at"), "staff_step", ["expires_at"], unique=False)
