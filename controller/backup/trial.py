"""A restore into a scratch database that is thrown away: whether a backup is really one."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.backup import archive, create
from controller.backup.manifest import NotABackup, differences
from controller.store import backups, dumps
from controller.store.migrations import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controller.backup.manifest import Manifest
    from controller.config import Settings


def try_restore(settings: Settings, path: Path, identity: Any) -> tuple[Manifest | None, list[str]]:
    """Restore a backup beside the database that is in use; in what it is not what it says.

    No sentence: every row and every balance came back, and this version's migrations ran on it.
    Raises `create.BackupUnderWay`.
    """
    with create.alone(settings.state_dir) as scratch:
        try:
            manifest = archive.unpack(path, identity, scratch)
        except (NotABackup, OSError) as error:
            return None, [str(error)]
        try:
            with _restored(settings, scratch, manifest) as url:
                found = differences(manifest.books, dumps.dumped(url).books)
                if not found:
                    upgrade(url)
        except (dumps.DumpFailed, OSError, *backups.BROKEN) as error:
            cause = str(getattr(error, "orig", None) or error)
            return manifest, [cause.splitlines()[0]]
    return manifest, found


@contextmanager
def _restored(settings: Settings, scratch: Path, manifest: Manifest) -> Iterator[str]:
    """The URL of a scratch database that holds what was backed up."""
    if manifest.kind == dumps.SQLITE:
        yield f"sqlite+aiosqlite:///{scratch / 'database'}"
        return
    if dumps.kind_of(settings.database_url) != manifest.kind:
        raise dumps.DumpFailed("it is of a PostgreSQL database, and the settings name none")
    backups.drop_scratches(settings.database_url)
    name = f"lango_trial_{secrets.token_hex(8)}"
    with backups.scratch_database(settings.database_url, name) as url:
        dumps.load(url, scratch / "database", scratch=scratch)
        yield url
