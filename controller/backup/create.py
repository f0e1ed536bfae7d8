"""A backup from beginning to end: dump, gather, encrypt, and forget what is too old.

What is readable lies in one folder of the state directory while it is made; whatever an earlier
process left there is removed first.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from controller.backup import archive, calendar, keys
from controller.backup.manifest import ROOMS, Manifest
from controller.store import dumps
from controller.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from controller.config import Settings

SCRATCH = ".backup-scratch"
LOCK = "backup.lock"
COMMAND_MAX_S = 3_600
FOLDER = "backups"


class BackupFailed(Exception):  # noqa: N818 - a sentence
    """No backup was made; it says why."""


class BackupUnderWay(BackupFailed):
    """Another process makes or tries one on this machine."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there."""

    path: Path
    size_bytes: int
    manifest: Manifest


def folder_of(settings: Settings) -> Path:
    """Where backups are kept on this machine."""
    return settings.backup.folder or settings.state_dir / FOLDER


def create(settings: Settings, now: datetime) -> Made:
    """Make a backup, hand it to the command that takes it elsewhere, and forget old ones.

    Raises `BackupFailed`.
    """
    recipient = keys.recipient_of(settings.state_dir, settings.backup.recipient)
    if not recipient:
        raise BackupFailed("there is no recovery key yet: `lango backup key` makes it")
    target = folder_of(settings) / calendar.name_of(now)
    try:
        with alone(settings.state_dir) as scratch:
            to = [keys.read_recipient(recipient)]
            to.append(keys.trial_identity(settings.state_dir).to_public())
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _forget_drafts(target.parent)
            manifest = gather(settings, scratch, now)
            size = archive.pack(target, scratch, manifest, to, scratch=scratch)
        hand_over(settings.backup.command, target)
        forget(target.parent)
    except (dumps.DumpFailed, keys.KeyWrong, OSError, subprocess.SubprocessError) as error:
        raise BackupFailed(_sentence(error)) from error
    return Made(target, size, manifest)


def gather(settings: Settings, scratch: Path, now: datetime) -> Manifest:
    """Put all members into a folder; what they are. Raises `dumps.DumpFailed`, ``OSError``."""
    found = dumps.dump(settings.database_url, scratch / "database")
    names = ["database"]
    for name, room in ROOMS.items():
        if (settings.state_dir / room).exists():
            shutil.copyfile(settings.state_dir / room, scratch / name)
            names.append(name)
    (scratch / "settings.toml").write_text(toml_of(settings), encoding="utf-8")
    names.append("settings.toml")
    return Manifest(
        made_at=now,
        version=version(),
        kind=found.kind,
        schema=found.schema,
        audit_head=found.audit_head,
        books=found.books,
        members=tuple(archive.member_of(name, scratch / name) for name in names),
    )


@contextmanager
def alone(state_dir: Path) -> Iterator[Path]:
    """An empty private folder, for one process at a time. Raises `BackupUnderWay`, ``OSError``."""
    handle = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    scratch = state_dir / SCRATCH
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupUnderWay("another backup or restore is under way here") from error
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.close(handle)


def hand_over(command: tuple[str, ...], path: Path) -> None:
    """Run the command that takes a backup elsewhere, with its path as last word.

    Raises ``subprocess.SubprocessError``, ``OSError``.
    """
    if command:
        subprocess.run(
            [*command, str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_MAX_S,
            check=True,
        )


def forget(folder: Path) -> list[str]:
    """Remove backups that the calendar does not keep; their names. Raises ``OSError``."""
    names = [one.name for one in folder.iterdir() if calendar.made_at(one.name) is not None]
    gone = sorted(set(names) - calendar.kept(names))
    for name in gone:
        (folder / name).unlink()
    return gone


def toml_of(settings: Settings) -> str:
    """What is set on this machine, secrets too, as a configuration file that can be read again.

    What was chosen on screen is in the database: as a file it could not be chosen anew.
    """
    told = _plain(settings.model_dump(mode="python", exclude_defaults=True))
    for key in settings.chosen:
        section, _, name = key.partition(".")
        told.get(section, {}).pop(name, None)
    told = {key: one for key, one in told.items() if one != {}}
    lines = [f"{key} = {_value(one)}" for key, one in told.items() if not isinstance(one, dict)]
    for key, one in told.items():
        if isinstance(one, dict):
            lines += ["", f"[{key}]", *(f"{name} = {_value(part)}" for name, part in one.items())]
    return "\n".join(["# The settings of the controller that this was backed up from.", *lines, ""])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list | tuple | frozenset | set):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int) else str(value)


def _value(value: Any) -> str:
    """A value of TOML; its strings are JSON's, and so are its lists."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _forget_drafts(folder: Path) -> None:
    for draft in folder.glob(f"lango-*{calendar.SUFFIX}{archive.PART_SUFFIX}"):
        draft.unlink(missing_ok=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the backup is here, but backup.command ended with {error.returncode}"
    if isinstance(error, subprocess.SubprocessError):
        return "the backup is here, but backup.command did not end"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
