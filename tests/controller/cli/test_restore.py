"""``lango backup restore``: what its plan says before it asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller import acting
from controller.backup import keys
from controller.backup.create import create
from controller.usecases.audit import HEADS_FILE, seal_due
from tests.controller.backup.test_restore import ANN, settings_of
from tests.controller.cli.lango import Ran, lango_here
from tests.support.office import NOON, Office, a_plan

if TYPE_CHECKING:
    from pathlib import Path


async def restored(office: Office, source: Path, key: Path) -> Ran:
    folder = office.deps.settings.state_dir
    config = folder / "controller.toml"
    config.write_text(f'state_dir = "{folder}"\n')
    words = ("--key-file", str(key), "--replace", "--yes", "--config", str(config))
    return await lango_here("backup", "restore", str(source), *words)


async def a_backup(office: Office, key: Path) -> Path:
    """A backup of an office whose audit log has one row."""
    with acting.acting(ANN):
        await office.keep(a_plan())
    await seal_due(office.deps)
    settings = settings_of(office)
    await asyncio.to_thread(key.write_text, keys.make_recovery_key(settings.state_dir))
    return (await asyncio.to_thread(create, settings, NOON)).path


async def test_the_plan_says_whose_sessions_end_and_which_accounts_come_back(
    office: Office, tmp_path: Path
) -> None:
    source = await a_backup(office, tmp_path / "key")
    await office.deps.db.close()
    ran = await restored(office, source, tmp_path / "key")

    assert ran.code == 0, ran.err
    assert "Every session of staff and every API token of it ends." in ran.err
    assert "lango staff disable" in ran.err


async def test_the_plan_shows_the_head_of_the_backup_beside_the_heads_that_are_here(
    office: Office, tmp_path: Path
) -> None:
    source, folder = await a_backup(office, tmp_path / "key"), office.deps.settings.state_dir
    with acting.acting(ANN):
        await office.keep(a_plan("hours-9"))
    await seal_due(office.deps)
    await office.deps.db.close()
    first, last = [line.split()[-1] for line in (folder / HEADS_FILE).read_text().splitlines()]
    known = await restored(office, source, tmp_path / "key")
    (folder / HEADS_FILE).write_text(f"{NOON.isoformat()} 7:{'a' * 64}\n")
    strange = await restored(office, source, tmp_path / "key")
    (folder / HEADS_FILE).unlink()
    alone = await restored(office, source, tmp_path / "key")

    assert f"Audit log: {first} in the backup, {last} in audit-heads here, which knows" in known.err
    assert f"7:{'a' * 64} in audit-heads here, which does NOT know" in strange.err
    assert f"Audit log: {first} in the backup; no audit-heads is here" in alone.err
