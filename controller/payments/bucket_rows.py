"""The same buckets in the controller's database, for all processes that share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.payments.bucket import Level, PaceError, drawn
from controller.store import paces
from controller.store.database import DatabaseBusy

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Database


class BucketRows:
    """A `Bucket` over the table ``pace``: all processes together stay under ``per_s``."""

    def __init__(self, db: Database, per_s: int) -> None:
        self._db = db
        self._per_s = per_s

    async def take(self, name: str, now: datetime) -> float:
        """Take a turn. Raises `PaceError`, also when the database is too busy to give one."""
        try:
            async with self._db.begin() as tx:
                kept = await paces.locked(tx, name, now)
                before = None if kept is None else Level(kept.level_milli, kept.at)
                after, wait_s = drawn(before, now, per_s=self._per_s)
                await paces.save(tx, name, level_milli=after.milli, at=after.at)
        except DatabaseBusy as busy:
            raise PaceError("the database is too busy to give a turn") from busy
        return wait_s
