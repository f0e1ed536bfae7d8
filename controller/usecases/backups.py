"""Backups make themselves, and once a week one is restored for trial; staff are told what fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from controller.backup import calendar, create, keys, trial
from controller.store import backups, notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from controller.backup.create import Made
    from controller.config import Settings
    from controller.deps import Deps
    from controller.store.database import Database, Tx

CUT_SHORT_AFTER = timedelta(hours=6)
log = structlog.get_logger("backups")


async def backup_due(deps: Deps) -> int:
    """Make a backup when one is due; how many were made. Raises `DatabaseBusy`."""
    settings, now = deps.settings, deps.now()
    if not keys.recipient_of(settings.state_dir, settings.backup.recipient):
        return 0
    async with deps.db.read() as tx:
        if not await _is_due(tx, settings, now):
            return 0
    async with deps.db.begin() as tx:
        await backups.one_at_a_time(tx)
        await backups.give_up(tx, now - CUT_SHORT_AFTER, now)
        if not await _is_due(tx, settings, now):
            return 0
        if not await backups.begin(tx, calendar.name_of(now), now):
            return 0
    try:
        await _made(deps.db, settings, now, deps.now)
    except create.BackupFailed as error:
        log.warning("backup_failed", problem=str(error))
        return 0
    return 1


async def backup_now(
    db: Database, settings: Settings, now: datetime, clock: Callable[[], datetime]
) -> Made:
    """Make a backup because somebody wants one. Raises `create.BackupFailed`, `DatabaseBusy`."""
    async with db.begin() as tx:
        if not await backups.begin(tx, calendar.name_of(now), now):
            raise create.BackupUnderWay("another backup was begun in this very second")
    return await _made(db, settings, now, clock)


async def trial_due(deps: Deps) -> int:
    """Restore the newest backup into a scratch database, once a week; how many were tried."""
    async with deps.db.read() as tx:
        newest, last = await backups.last_success(tx), await backups.last_trial(tx)
    now = deps.now()
    if newest is None or (
        last is not None and last.tried_at is not None and now - last.tried_at < calendar.TRY_EVERY
    ):
        return 0
    path = create.folder_of(deps.settings) / newest.name
    try:
        problems = await asyncio.to_thread(_tried, deps.settings, path)
    except create.BackupUnderWay:
        return 0
    async with deps.db.begin() as tx:
        await backups.tried(tx, newest.name, deps.now(), "; ".join(problems))
        if problems:
            text = f"the backup {newest.name} could not be restored for trial: {problems[0]}"
            await notices.add(tx, now=deps.now(), code="backup_trial_failed", text=text)
    deps.signals.wake("live")
    return 1


async def _is_due(tx: Tx, settings: Settings, now: datetime) -> bool:
    done, other = await backups.last_success(tx), await backups.last_failure(tx)
    if other is not None and other.ended_at is None:
        return now - other.began_at > CUT_SHORT_AFTER
    return calendar.is_due(
        now,
        at=settings.backup.at,
        done_at=None if done is None else done.began_at,
        failed_at=None if other is None else other.ended_at,
    )


async def _made(
    db: Database, settings: Settings, now: datetime, clock: Callable[[], datetime]
) -> Made:
    """Make the backup that was noted as begun, and note what became of it."""
    name, text = calendar.name_of(now), "no backup was made: "
    try:
        made = await asyncio.to_thread(create.create, settings, now)
    except create.BackupFailed as error:
        async with db.begin() as tx:
            await backups.end(tx, name, clock(), size_bytes=None, problem=str(error))
            await notices.add(tx, now=clock(), code="backup_failed", text=f"{text}{error}")
        raise
    async with db.begin() as tx:
        await backups.end(tx, name, clock(), size_bytes=made.size_bytes, problem="")
    return made


def _tried(settings: Settings, path: Path) -> list[str]:
    try:
        identity = keys.trial_identity(settings.state_dir)
    except (keys.KeyWrong, OSError) as error:
        return [str(error)]
    return trial.try_restore(settings, path, identity)[1]
