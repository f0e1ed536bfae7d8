"""Files of the site's network in the state directory: replaced in one step, one writer at once.

Root's commands and the agent, which has a user of its own, write the same files: they belong to
whoever owns the state directory.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "network"
LOCK = "lock"


def folder(state_dir: Path) -> Path:
    """The folder of the network's files, made when it is missing. Raises `OSError`."""
    made = state_dir / FOLDER
    if not made.is_dir():
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.mkdir(mode=0o700, exist_ok=True)
        give(made)
    return made


@contextmanager
def locked(state_dir: Path) -> Iterator[Path]:
    """The folder, for one process at a time; a process that dies lets go. Raises `OSError`."""
    made = folder(state_dir)
    path = made / LOCK
    held = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        give(path)
        fcntl.flock(held, fcntl.LOCK_EX)
        yield made
    finally:
        os.close(held)


def write(path: Path, text: str) -> None:
    """Replace a file so that a power cut leaves the old or the new. Raises `OSError`."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        give(fresh)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    settle(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there, for good. Raises `OSError`."""
    path.unlink(missing_ok=True)
    settle(path.parent)


def settle(directory: Path) -> None:
    """Wait until the disk knows which files the directory has. Raises `OSError`."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def give(path: Path) -> None:
    """Let a file of root's belong to the owner of the folder that it is in. Raises `OSError`."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
