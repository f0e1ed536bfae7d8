"""Restoring: a plan that is shown first, and doing it so that being killed at any step is no loss.

SQLite: the database is made ready beside the old one (checked, migrated, noted in its own audit
log) and then takes its place by one rename; the old one stays under another name. PostgreSQL: one
transaction empties the database and loads the new one. Between the first step and the last a mark
in the state directory keeps the controller from starting; the same restore again mends it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller import acting
from controller.backup import archive, create
from controller.backup.manifest import ROOMS, NotABackup, differences
from controller.keep import write_private
from controller.store import audit, backups, dumps, staff
from controller.store.database import Database
from controller.store.migrations import known, upgrade
from controller.usecases.audit import HEADS_FILE, RESTORED, keep_head, last_kept, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from controller.acting import Actor
    from controller.backup.manifest import Manifest
    from controller.config import Settings

MARK = "restore-under-way"
RUNNING_LOCK = "controller.lock"
SETTINGS_FILE = "restored-settings.toml"
SEALED_AT_ONCE = 1_000_000

NEW, SAME, REPLACED, KEPT = "new", "same", "replaced", "kept"


class CannotRestore(Exception):  # noqa: N818 - a sentence
    """Nothing was changed; it says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore will do. ``there`` has how many rows the database that is replaced holds.

    ``head_here`` is the last head in this machine's ``audit-heads``, "" where there is none;
    ``knows_head``: the backup's own stands among them.
    """

    manifest: Manifest
    database: str
    there: int | None
    files: Mapping[str, str]
    head_here: str
    knows_head: bool

    @property
    def replaces(self) -> bool:
        """Whether anything that is there is lost to view."""
        return self.there is not None or REPLACED in self.files.values()


@contextmanager
def planned(settings: Settings, source: Path, identity: Any) -> Iterator[tuple[Plan, Path]]:
    """The plan of a restore, and the folder with the members, while nobody else works here.

    Raises `CannotRestore`.
    """
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _nobody_runs(settings), create.alone(settings.state_dir) as scratch:
            manifest = archive.unpack(source, identity, scratch)
            yield _plan(settings, manifest, scratch), scratch
    except NotABackup as error:
        raise CannotRestore(f"{source.name} is not usable: {error}") from error
    except create.BackupUnderWay as error:
        raise CannotRestore(str(error)) from error
    except (OSError, dumps.DumpFailed) as error:
        raise CannotRestore(str(error)) from error
    except backups.BROKEN as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise CannotRestore(f"the database: {cause}") from error


def restore(settings: Settings, plan: Plan, scratch: Path, *, who: Actor) -> None:
    """Do what was planned. Raises what `planned` turns into `CannotRestore`."""
    fresh = scratch / "database"
    if plan.manifest.kind == dumps.SQLITE:
        _made_ready(fresh, plan, who)
    write_private(settings.state_dir / MARK, b"")
    _put_files(settings.state_dir, plan, scratch, who.at)
    if plan.manifest.kind == dumps.SQLITE:
        _switch(dumps.sqlite_path(settings.database_url), fresh, who.at)
    else:
        dumps.load(settings.database_url, fresh, scratch=scratch)
        _checked(settings.database_url, plan)
        upgrade(settings.database_url)
        asyncio.run(_noted(settings.database_url, plan, who))
    _tell_heads(settings.state_dir, plan, who.at)
    (settings.state_dir / MARK).unlink()


@contextmanager
def controller_runs(state_dir: Path) -> Iterator[None]:
    """Held by each controller for as long as it runs. Raises ``OSError`` during a restore."""
    with _locked(state_dir, fcntl.LOCK_SH):
        yield


def is_cut_short(state_dir: Path) -> bool:
    """Whether a restore was begun here and did not come to its end."""
    return (state_dir / MARK).exists()


def _plan(settings: Settings, manifest: Manifest, scratch: Path) -> Plan:
    url = settings.database_url
    if dumps.kind_of(url) != manifest.kind:
        raise CannotRestore(
            f"the backup is of {manifest.kind}, and database.url names {dumps.kind_of(url)}"
        )
    if manifest.schema not in known():
        raise CannotRestore(
            f"a newer version of Lango made the backup ({manifest.version}): restore it with that"
        )
    files = {
        member.name: _fate(settings.state_dir, member.name, scratch)
        for member in manifest.members
        if member.name in ROOMS
    }
    here = last_kept(settings.state_dir)
    return Plan(
        manifest,
        _shown(url),
        _rows_there(url),
        files,
        head_here=here,
        knows_head=bool(here) and _is_kept(settings.state_dir, manifest.audit_head),
    )


def _is_kept(state_dir: Path, head: str) -> bool:
    """Whether a head stands in ``audit-heads``, also one that a restore gave up."""
    told = (state_dir / HEADS_FILE).read_text(encoding="utf-8", errors="replace")
    return any(line.split()[-1:] == [head] for line in told.splitlines())


def _fate(state_dir: Path, name: str, scratch: Path) -> str:
    there = state_dir / ROOMS[name]
    if not there.exists():
        return NEW
    if there.read_bytes() == (scratch / name).read_bytes():
        return SAME
    return KEPT if name == HEADS_FILE else REPLACED  # the heads that are here know more


def _rows_there(url: str) -> int | None:
    """How many rows the database has that the restore takes the place of; None: it is empty."""
    if dumps.kind_of(url) == dumps.SQLITE:
        path = dumps.sqlite_path(url)
        if not path.exists() or not path.stat().st_size:
            return None
    elif backups.others_of(url):
        raise CannotRestore("others are connected to the database: stop every controller first")
    with backups.looking(url) as connection:
        if backups.is_empty(connection):
            return None
        if not backups.schema_of(connection):
            raise CannotRestore("the database holds tables that are not Lango's")
        return sum(backups.books_of(connection).rows.values())


def _shown(url: str) -> str:
    if dumps.kind_of(url) == dumps.SQLITE:
        return str(dumps.sqlite_path(url))
    return url.rpartition("@")[2]


def _made_ready(fresh: Path, plan: Plan, who: Actor) -> None:
    """Check and migrate a SQLite database before it takes the place of another."""
    url = f"sqlite+aiosqlite:///{fresh}"
    _checked(url, plan)
    upgrade(url)
    asyncio.run(_noted(url, plan, who))
    with closing(sqlite3.connect(fresh)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with fresh.open("rb") as written:
        os.fsync(written.fileno())


def _checked(url: str, plan: Plan) -> None:
    found = differences(plan.manifest.books, dumps.dumped(url).books)
    if found:
        raise dumps.DumpFailed(f"what was restored is not what was backed up: {found[0]}")


async def _noted(url: str, plan: Plan, who: Actor) -> None:
    """End what opened the controller at that moment, and let its own audit log say so, sealed.

    Sessions that were ended since, and API tokens that were revoked, come back with the database.
    """
    db = Database(url)
    told = {"made_at": plan.manifest.made_at.isoformat(), "head": plan.manifest.audit_head}
    try:
        with acting.acting(replace(who, about=None)):
            async with db.begin() as tx:
                await staff.end_all(tx, who.at)
                audit.note(tx, "backup_restored", ("backup", told["made_at"]), after=told)
        async with db.begin() as tx:
            await audit.seal(tx, limit=SEALED_AT_ONCE)
    finally:
        await db.close()


def _put_files(state_dir: Path, plan: Plan, scratch: Path, now: datetime) -> None:
    for name, fate in plan.files.items():
        target = state_dir / ROOMS[name]
        if fate == REPLACED:
            shutil.copy2(target, _aside(target, now))
        if fate in {NEW, REPLACED}:
            write_private(target, (scratch / name).read_bytes())
    settings = scratch / "settings.toml"
    if settings.exists():
        write_private(state_dir / SETTINGS_FILE, settings.read_bytes())


def _switch(path: Path, fresh: Path, now: datetime) -> None:
    """Let a new SQLite file take a database's place; the old one stays beside it, whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("PRAGMA journal_mode=DELETE")
        for left in ("-wal", "-shm"):  # of another file they would be the end of the new one
            path.with_name(path.name + left).unlink(missing_ok=True)
        aside = _aside(path, now)
        aside.unlink(missing_ok=True)
        os.link(path, aside)
    near = path.with_name(path.name + ".restored")
    shutil.copyfile(fresh, near)
    near.chmod(0o600)
    with near.open("rb") as written:
        os.fsync(written.fileno())
    near.replace(path)


def _aside(path: Path, now: datetime) -> Path:
    return path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}")


def _tell_heads(state_dir: Path, plan: Plan, now: datetime) -> None:
    head = read_head(plan.manifest.audit_head)
    if last_kept(state_dir) != str(head):
        keep_head(state_dir, head, now, word=RESTORED)


@contextmanager
def _nobody_runs(settings: Settings) -> Iterator[None]:
    try:
        with _locked(settings.state_dir, fcntl.LOCK_EX):
            yield
    except BlockingIOError as error:
        raise CannotRestore("a controller runs on this state directory: stop it first") from error


@contextmanager
def _locked(state_dir: Path, how: int) -> Iterator[None]:
    handle = os.open(state_dir / RUNNING_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
