"""A backup that an older version made is restored and migrated; a newer one is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from controller.backup import keys
from controller.backup.create import create
from controller.backup.restore import CannotRestore, is_cut_short, planned, restore
from controller.config import Settings
from controller.config_sections import DatabaseSettings
from controller.edge.authority import open_authority
from controller.store.database import Database
from controller.store.migrations import head, upgrade
from controller.store.site_rows import SiteRow
from controller.vault import open_vault
from tests.controller.backup.test_restore import ANN
from tests.support.database import sqlite_url
from tests.support.office import NOON

if TYPE_CHECKING:
    from pathlib import Path

OLDER = "2026_11_26_backup"
"""The first revision whose version of Lango made backups."""


def a_machine(folder: Path) -> Settings:
    folder.mkdir()
    url = sqlite_url(folder / "lango.db")
    return Settings(state_dir=folder, database=DatabaseSettings(url=url))


def an_old_backup(settings: Settings, revision: str) -> tuple[Path, Any]:
    """Made where the database is of an older revision, and the key that opens it."""
    path = settings.state_dir / "lango.db"
    upgrade(settings.database_url, revision)
    with closing(sqlite3.connect(path)) as connection:
        columns = {row[1]: row for row in connection.execute("PRAGMA table_info(site)")}
        wanted = {name for name, row in columns.items() if row[3] and row[4] is None}
        values = {name: VALUES.get(name, 0) for name in wanted}
        marks = ", ".join("?" * len(values))
        names = ", ".join(values)
        connection.execute(
            f"INSERT INTO site ({names}) VALUES ({marks})",  # noqa: S608 - names of our own table
            list(values.values()),
        )
        connection.commit()
    open_vault(settings.state_dir)
    open_authority(settings.state_dir, NOON)
    identity = keys.read_identity(keys.make_recovery_key(settings.state_dir))
    return create(settings, NOON).path, identity


VALUES: dict[str, object] = {
    "id": "estate-1",
    "name": "Estate 1",
    "operator_name": "Lango",
    "help_phone": "0700 000 000",
    "language": "en",
    "created_at": "2026-11-01 09:00:00.000000",
    "digest": bytes(32),
    "branch_id": "main",
    "agent_version": "",
}


def test_a_backup_of_an_older_schema_is_restored_and_migrated(tmp_path: Path) -> None:
    path, identity = an_old_backup(a_machine(tmp_path / "old"), OLDER)
    there = a_machine(tmp_path / "new")

    with planned(there, path, identity) as (plan, scratch):
        restore(there, plan, scratch, who=ANN)
    schema, site = asyncio.run(seen(there.database_url))

    assert plan.manifest.schema == OLDER
    assert (schema, site) == (head(), "Estate 1")
    assert not is_cut_short(there.state_dir)


def test_a_backup_of_a_newer_schema_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    old = a_machine(tmp_path / "old")
    _, identity = an_old_backup(old, "head")
    with closing(sqlite3.connect(old.state_dir / "lango.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")
        connection.commit()
    newer = create(old, NOON + timedelta(days=1)).path
    there = a_machine(tmp_path / "new")
    upgrade(there.database_url)

    with (
        pytest.raises(CannotRestore, match="newer version of Lango"),
        planned(there, newer, identity) as (plan, scratch),
    ):
        restore(there, plan, scratch, who=ANN)

    assert asyncio.run(seen(there.database_url)) == (head(), None)
    assert not is_cut_short(there.state_dir)


async def seen(url: str) -> tuple[str, str | None]:
    """The revision of a database, and the name of its site."""
    db = Database(url)
    async with db.read() as tx:
        schema = await tx.scalar(text("SELECT version_num FROM alembic_version"))
        site = await tx.scalar(select(SiteRow.name))
    await db.close()
    return str(schema), site
