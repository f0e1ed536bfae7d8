"""People are found in one look, spoken of in notes, and devices can be blocked.

Revision ID: 2026_11_26_search
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

from controller.usecases.meant import words

if TYPE_CHECKING:
    from sqlalchemy import Connection

revision = "2026_11_26_search"
down_revision = "2026_11_26_staff"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHUNK = 2_000


def upgrade() -> None:
    _indexes()
    _words()
    op.create_table(
        "subscriber_note",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("subscriber_id", sa.String(32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("staff_id", sa.String(64), nullable=False),
        sa.Column("staff_name", sa.String(120), nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber_note")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscriber_note_subscriber_id_subscriber"),
        ),
    )
    op.create_index(
        "ix_subscriber_note_subscriber_id_at", "subscriber_note", ["subscriber_id", "at"]
    )
    op.create_table(
        "blocked_device",
        sa.Column("mac", sa.String(17), nullable=False),
        sa.Column("site_id", sa.String(32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("staff_name", sa.String(120), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("mac", "site_id", name=op.f("pk_blocked_device")),
        sa.CheckConstraint("mac <> ''", name=op.f("ck_blocked_device_has_a_mac")),
    )
    op.create_index("ix_blocked_device_site_id", "blocked_device", ["site_id"])


def _indexes() -> None:
    bought = sa.text("substr(cause_id, 1, 4) <> 'sub:'")
    _partial("ix_grant_bought", "grant", ["subscriber_id", "created_at"], bought)
    _partial("ix_session_live", "session", ["opened_at", "id"], sa.text("closed_at IS NULL"))
    op.create_index("ix_session_tail", "session", [sa.text("substr(mac, 13)")])
    op.create_index("ix_subscriber_tail", "subscriber", [sa.text("substr(msisdn, 9)")])
    op.create_index("ix_subscriber_created_at_id", "subscriber", ["created_at", "id"])
    op.create_index("ix_sms_msisdn_created_at", "sms", ["msisdn", "created_at"])
    waits = sa.text("state IN ('suspense', 'doubted')")
    _partial("ix_arrival_waits", "arrival", ["at"], waits)
    op.drop_index("ix_arrival_receipt", "arrival")
    op.create_index(
        "ix_arrival_receipt",
        "arrival",
        ["receipt"],
        postgresql_ops={"receipt": "text_pattern_ops"},
    )


def _partial(name: str, table: str, columns: list[str], condition: sa.TextClause) -> None:
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)


def _words() -> None:
    word = sa.String(40).with_variant(sa.String(40, collation="C"), "postgresql")
    table = op.create_table(
        "subscriber_word",
        sa.Column("word", word, nullable=False),
        sa.Column("subscriber_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("word", "subscriber_id", name=op.f("pk_subscriber_word")),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    rows = _named(connection)
    for start in range(0, len(rows), CHUNK):
        connection.execute(sa.insert(table), rows[start : start + CHUNK])


def _named(connection: Connection) -> list[dict[str, str]]:
    named = connection.execute(sa.text("SELECT id, name FROM subscriber WHERE name <> ''"))
    return [{"word": word, "subscriber_id": one} for one, name in named for word in words(name)]
