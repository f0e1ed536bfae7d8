"""Alembic migrations, from the first table on: the only way in which the tables come to be.

Each file in ``versions/`` is dated and has one concern. What they make is compared with ``rows.py``
on both databases by ``tests/test_migrations.py``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOCK_TIMEOUT_S = 5
"""PostgreSQL: a migration that cannot have its lock gives up instead of stopping all others."""

ADVISORY_KEY = 0x4C414E47
"""PostgreSQL: only one process migrates at a time; the others wait here."""


def upgrade(db_url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``. Repeating changes nothing; blocks while it works.

    Takes the same URL as `Database`. Raises ``sqlalchemy.exc.DBAPIError``.
    """
    engine = _engine(db_url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_KEY})"))
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
            command.upgrade(config, revision)
    finally:
        engine.dispose()


@cache
def head() -> str:
    """The newest migration that this program knows."""
    found = ScriptDirectory(str(Path(__file__).parent)).get_current_head()
    assert found is not None, "there are migrations"
    return found


@cache
def known() -> frozenset[str]:
    """Every migration that this program knows, by its revision."""
    scripts = ScriptDirectory(str(Path(__file__).parent))
    return frozenset(script.revision for script in scripts.walk_revisions())


def _engine(db_url: str) -> Engine:
    engine = create_engine(db_url.replace("+aiosqlite", ""))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _connected(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA busy_timeout=60000")

        @event.listens_for(engine, "begin")
        def _begun(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
