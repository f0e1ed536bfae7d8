"""Room that is kept free for forgetting: SQLite must write before it can delete.

A journal that filled its disk by itself could never take the ack that would empty it. So a file
stands beside it that holds nothing: it is given up when the disk is full and an ack has come, and
made again as soon as there is room.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESERVE_BYTES = 4 * 1024 * 1024
"""What it takes to forget a whole outbox, and to carry the log of that over."""


class Reserve:
    """The file, there or given up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._here = False
        self.keep()

    def keep(self) -> None:
        """See that it is there, if there is room for it."""
        if self._here:
            return
        try:
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, RESERVE_BYTES)
            finally:
                os.close(file)
            self._here = True
        except OSError:
            with suppress(OSError):
                self._path.unlink()

    def give_up(self) -> bool:
        """Give its room to whoever needs it; False when there was none to give."""
        there, self._here = self._here, False
        with suppress(OSError):
            self._path.unlink()
        return there
