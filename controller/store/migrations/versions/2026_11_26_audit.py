"""The audit log: rows that are sealed into a chain, and never changed from then on.

Revision ID: 2026_11_26_audit
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_audit"
down_revision = "2026_11_26_bulk"
branch_labels = None
depends_on = None

TEXTS = (
    ("staff_id", 64),
    ("staff_name", 120),
    ("address", 64),
    ("route", 160),
    ("request_id", 64),
    ("code", 40),
    ("about_kind", 40),
    ("about_id", 120),
)
FIXED = ("id", "at", *(name for name, _ in TEXTS), "changes", "result")
SAYS = "the audit log is never changed"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in TEXTS),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint("(seq IS NULL) = (hash IS NULL)", name=op.f("ck_audit_sealed_whole")),
        sa.CheckConstraint("seq > 0", name=op.f("ck_audit_seq_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_seq")),
    )
    op.create_index("ix_audit_at_id", "audit", ["at", "id"])
    op.create_index("ix_audit_staff_id_at", "audit", ["staff_id", "at"])
    op.create_index("ix_audit_about_kind_about_id_at", "audit", ["about_kind", "about_id", "at"])
    unsealed = sa.text("seq IS NULL")
    op.create_index(
        "ix_audit_unsealed",
        "audit",
        ["at", "id"],
        postgresql_where=unsealed,
        sqlite_where=unsealed,
    )
    if op.get_bind().dialect.name == "sqlite":
        _final_on_sqlite()
    else:
        _final_on_postgres()


def _final_on_sqlite() -> None:
    other = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in FIXED)
    for name, when in (
        ("no_delete BEFORE DELETE ON audit", ""),
        ("no_update BEFORE UPDATE ON audit", f"WHEN OLD.seq IS NOT NULL OR {other}"),
        ("unsealed_first BEFORE INSERT ON audit", "WHEN NEW.seq IS NOT NULL"),
    ):
        op.execute(f"CREATE TRIGGER audit_{name} {when} BEGIN SELECT RAISE(ABORT, '{SAYS}'); END")


def _final_on_postgres() -> None:
    other = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in FIXED)
    op.execute(
        "CREATE FUNCTION audit_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP = 'INSERT' THEN IF NEW.seq IS NULL THEN RETURN NEW; END IF;"
        f" ELSIF TG_OP = 'UPDATE' THEN IF NOT (OLD.seq IS NOT NULL OR {other})"
        " THEN RETURN NEW; END IF; END IF;"
        f" RAISE EXCEPTION '{SAYS}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_final BEFORE INSERT OR UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION audit_is_final()"
    )
    op.execute(
        "CREATE TRIGGER audit_kept BEFORE TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_final()"
    )
