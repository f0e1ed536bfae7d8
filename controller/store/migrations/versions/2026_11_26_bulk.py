"""What is written by the thousand is not looked up row by row: fewer keys and smaller indexes.

Revision ID: 2026_11_26_bulk
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_bulk"
down_revision = "2026_11_26_payments"
branch_labels = None
depends_on = None

UNCHECKED = {
    "allocation": (
        "document_id_document",
        "subscriber_id_subscriber",
        "transaction_id_ledger_transaction",
    ),
    "billed_period": ("document_id_document", "subscription_id_subscription"),
    "debt": ("document_id_document", "subscriber_id_subscriber"),
    "document": ("branch_id_branch", "subscriber_id_subscriber"),
    "document_line": ("document_id_document",),
    "grant": ("plan_id_plan", "site_id_site", "subscriber_id_subscriber"),
    "grant_site": ("grant_id_grant", "site_id_site"),
    "posting": ("transaction_id_ledger_transaction",),
    "site_item": ("site_id_site",),
}
STAYS = ("branch", "grant", "ledger_transaction", "plan", "site", "subscriber", "subscription")


def upgrade() -> None:
    for table, keys in UNCHECKED.items():
        for key in keys:
            _unchecked(table, key)
    for table in STAYS:
        _never_deleted(table)
    op.drop_index("ix_grant_ended_at_valid_until", "grant")
    _index("ix_grant_running", "grant", ["id"], "ended_at IS NULL")
    op.drop_index("ix_document_subscriber_id_issued_at", "document")
    op.drop_index("ix_document_refers_to", "document")
    _index("ix_document_refers_to", "document", ["refers_to"], "refers_to IS NOT NULL")
    op.drop_index("ix_subscription_bill_at", "subscription")
    op.create_index(
        "ix_subscription_bill_at_subscriber_id", "subscription", ["bill_at", "subscriber_id"]
    )
    op.drop_index("ix_subscription_resume_at", "subscription")
    _index("ix_subscription_resume_at", "subscription", ["resume_at"], "resume_at IS NOT NULL")


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def _unchecked(table: str, key: str) -> None:
    """Drop a foreign key.

    SQLite cannot, other than by copying the table; taking the constraint out of the table's text
    is the way that its documentation gives ("Making Other Kinds Of Table Schema Changes").
    """
    name = f"fk_{table}_{key}"
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(name, table, type_="foreignkey")
        return
    connection = op.get_bind()
    of_table = {"table": table}
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    was = connection.execute(query, of_table).scalar_one()
    constraint = rf',\s*CONSTRAINT "?{name}"? FOREIGN KEY\s*\([^)]*\) REFERENCES [^)]*\)'
    sql, count = re.subn(constraint, "", was)
    assert count == 1, f"{name} is not where it was"
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = :table"),
        {"sql": sql, **of_table},
    )
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))


def _never_deleted(table: str) -> None:
    """Rows that others name stay: the database itself refuses to delete them."""
    says = f"a {table.replace('_', ' ')} is never deleted"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f'CREATE TRIGGER {table}_stays BEFORE DELETE ON "{table}"'
            f" BEGIN SELECT RAISE(ABORT, '{says}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{says}'; END $$"
    )
    op.execute(
        f'CREATE TRIGGER {table}_stays BEFORE DELETE ON "{table}"'
        f" FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
    )
