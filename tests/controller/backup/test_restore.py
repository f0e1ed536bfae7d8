"""A backup makes another machine this controller, whatever happens on the way."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import tomllib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from controller import acting
from controller.acting import Actor
from controller.backup import calendar, keys
from controller.backup.archive import pack, unpack
from controller.backup.create import SCRATCH, BackupFailed, alone, create, folder_of
from controller.backup.restore import (
    MARK,
    CannotRestore,
    controller_runs,
    is_cut_short,
    planned,
    restore,
)
from controller.backup.trial import try_restore
from controller.config import Settings, load_settings
from controller.config_sections import BackupSettings, DatabaseSettings
from controller.rights import Role
from controller.store import backups
from controller.store.audit_rows import AuditRow
from controller.store.backup_rows import BackupRow
from controller.store.database import Database
from controller.store.rows import PlanRow
from controller.store.site_rows import NoticeRow
from controller.store.staff_rows import ApiTokenRow, StaffSessionRow
from controller.usecases.audit import HEADS_FILE, read_heads, seal_due, verify
from controller.usecases.backups import backup_due, trial_due
from tests.support.database import sqlite_url
from tests.support.office import NOON, Office, a_day, a_plan, caller
from tests.support.staff import a_token, an_owner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Cluster

KILLS = 8

ANN = Actor("here", "ann", acting.HERE, "lango backup restore", "", NOON + timedelta(days=2))


def settings_of(office: Office, **backup: Any) -> Settings:
    return office.deps.settings.model_copy(
        update={
            "database": DatabaseSettings(url=office.deps.db.url),
            "backup": BackupSettings(**backup),
        }
    )


async def with_key(office: Office) -> tuple[Settings, Any]:
    """An office that has had a day, and its recovery key."""
    await office.keep(*a_day())
    with acting.acting(replace(ANN, at=NOON)):
        await office.keep(a_plan("hours-3"))
    await seal_due(office.deps)
    settings = settings_of(office)
    return settings, keys.read_identity(keys.make_recovery_key(settings.state_dir))


def elsewhere(folder: Path, url: str) -> Settings:
    """The settings of a machine that has nothing yet."""
    return Settings(state_dir=folder / "elsewhere", database=DatabaseSettings(url=url))


def an_empty(office: Office, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of an empty database of the same kind."""
    if office.deps.db.is_sqlite:
        return sqlite_url(folder / "elsewhere.db")
    cluster: Cluster = request.getfixturevalue("postgres")
    name = f"elsewhere_{os.getpid()}_{abs(hash(folder)) % 10**9}"
    cluster.run(f"CREATE DATABASE {name}")
    request.addfinalizer(lambda: cluster.run(f"DROP DATABASE {name} WITH (FORCE)"))
    return cluster.url(name)


def restored(settings: Settings, source: Path, identity: Any) -> None:
    with planned(settings, source, identity) as (plan, scratch):
        restore(settings, plan, scratch, who=ANN)


async def plans_of(url: str) -> list[str]:
    db = Database(url)
    async with db.read() as tx:
        found = list(await tx.scalars(select(PlanRow.id).order_by(PlanRow.id)))
    await db.close()
    return found


async def test_a_new_machine_becomes_the_old_one(
    office: Office, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    there = elsewhere(tmp_path, an_empty(office, request, tmp_path))

    await asyncio.to_thread(restored, there, made.path, identity)

    assert await plans_of(there.database_url) == ["hours-2", "hours-3"]
    for name in ("keys.json", "ca.key", "ca.pem", HEADS_FILE):
        ours, theirs = settings.state_dir / name, there.state_dir / name
        assert theirs.read_bytes()[: ours.stat().st_size] == ours.read_bytes()
        assert theirs.stat().st_mode & 0o777 == 0o600
    assert not is_cut_short(there.state_dir)


async def test_the_restored_log_holds_and_says_that_it_was_restored(
    office: Office, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    there = elsewhere(tmp_path, an_empty(office, request, tmp_path))
    await asyncio.to_thread(restored, there, made.path, identity)

    db = Database(there.database_url)
    heads = read_heads((there.state_dir / HEADS_FILE).read_text().splitlines())
    found = await verify(db, heads)
    async with db.read() as tx:
        row = (await tx.scalars(select(AuditRow).where(AuditRow.code == "backup_restored"))).one()
    await db.close()

    assert (found.fault, found.head.seq) == (None, 2)
    assert (row.staff_name, row.address) == ("ann", "this machine")


async def test_nobody_is_signed_in_and_no_program_let_in_by_what_came_back(
    office: Office, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await an_owner(office)
    secret = await a_token(office, Role.ADMIN)
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    there = elsewhere(tmp_path, an_empty(office, request, tmp_path))
    await asyncio.to_thread(restored, there, made.path, identity)

    db = Database(there.database_url)
    async with db.read() as tx:
        ended = list(await tx.scalars(select(StaffSessionRow.ended_at)))
        revoked = list(await tx.scalars(select(ApiTokenRow.revoked_at)))
    async with caller(replace(office, deps=replace(office.deps, db=db)), secret) as client:
        answer = await client.get("/api/v1/sites")
    await db.close()

    assert (ended, revoked, answer.status_code) == ([ANN.at], [ANN.at], 401)


async def test_what_came_after_an_older_backup_is_given_up_and_said_so(office: Office) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    with acting.acting(ANN):
        await office.keep(a_plan("hours-9"))
    await seal_due(office.deps)
    await office.deps.db.close()

    await asyncio.to_thread(restored, settings, made.path, identity)

    heads = read_heads((settings.state_dir / HEADS_FILE).read_text().splitlines())
    found = await verify(office.deps.db, heads)
    assert await plans_of(settings.database_url) == ["hours-2", "hours-3"]
    assert (found.fault, found.given_up) == (None, 1)


async def test_the_database_that_is_replaced_stays_under_another_name(
    office: Office, tmp_path: Path
) -> None:
    settings, identity = await with_key(office)
    if not office.deps.db.is_sqlite:
        return
    made = await asyncio.to_thread(create, settings, NOON)
    await office.keep(a_plan("hours-9"))
    await office.deps.db.close()
    await asyncio.to_thread(restored, settings, made.path, identity)

    aside = tmp_path / "lango.db.before-20261125T090000Z"

    assert "hours-9" in await plans_of(sqlite_url(aside))


async def test_the_plan_says_what_is_there(office: Office) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    await office.deps.db.close()
    (settings.state_dir / "keys.json").write_text('{"other": 1}')

    def looked() -> Any:
        with planned(settings, made.path, identity) as (plan, _scratch):
            return plan

    plan = await asyncio.to_thread(looked)

    assert plan.replaces
    assert (plan.there or 0) > 10
    assert plan.files == {
        "keys.json": "replaced",
        "ca.key": "same",
        "ca.pem": "same",
        HEADS_FILE: "same",
    }


async def test_a_running_controller_is_not_pulled_from_under_its_feet(office: Office) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)

    with (
        controller_runs(settings.state_dir),
        pytest.raises(CannotRestore, match="a controller runs"),
    ):
        restored(settings, made.path, identity)


@pytest.mark.postgres
async def test_a_controller_on_another_machine_is_seen_in_the_database(
    postgres_db: Database, tmp_path: Path
) -> None:
    from tests.support.office import an_office

    office = an_office(tmp_path, postgres_db)
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)

    async with postgres_db.read() as tx:
        await tx.execute(text("SELECT 1"))
        with pytest.raises(CannotRestore, match="others are connected"):
            await asyncio.to_thread(restored, settings, made.path, identity)


async def test_the_wrong_key_changes_nothing(office: Office) -> None:
    settings, _ = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    await office.deps.db.close()
    other = keys.read_identity(keys.make_recovery_key(settings.state_dir, instead=True))

    with pytest.raises(CannotRestore, match="the key is another one"):
        await asyncio.to_thread(restored, settings, made.path, other)
    assert await plans_of(settings.database_url) == ["hours-2", "hours-3"]
    assert not (settings.state_dir / SCRATCH).exists()


async def test_a_backup_of_the_other_kind_of_database_is_refused(
    office: Office, tmp_path: Path
) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    other = "postgresql+psycopg://x@127.0.0.1:9/x"
    url = other if office.deps.db.is_sqlite else sqlite_url(tmp_path / "x.db")

    with pytest.raises(CannotRestore, match=r"and database\.url names"):
        await asyncio.to_thread(restored, elsewhere(tmp_path, url), made.path, identity)


async def test_the_settings_come_back_as_a_file_that_can_be_read(
    office: Office, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    there = elsewhere(tmp_path, an_empty(office, request, tmp_path))
    await asyncio.to_thread(restored, there, made.path, identity)
    path = there.state_dir / "restored-settings.toml"

    assert tomllib.loads(path.read_text())["mpesa"]["passkey"] == "passkey"
    assert load_settings(path).mpesa == settings.mpesa


async def test_without_a_recovery_key_nothing_is_made(office: Office) -> None:
    assert await backup_due(office.deps) == 0
    with pytest.raises(BackupFailed, match="lango backup key"):
        create(settings_of(office), NOON)


async def test_each_night_one_is_made_and_each_week_one_is_tried(office: Office) -> None:
    settings, _ = await with_key(office)
    deps = replace(office.deps, settings=settings)
    made, tried = [], []
    for _ in range(9):
        for _ in range(3):
            made.append(await backup_due(deps))
            tried.append(await trial_due(deps))
            office.clock.forward(hours=8)

    assert made == [1, 0, 1] + [0, 0, 1] * 8
    assert [n for n, one in enumerate(tried) if one] == [0, 21]
    async with deps.db.read() as tx:
        last, trial = await backups.last_success(tx), await backups.last_trial(tx)
        troubles = list(await tx.scalars(select(NoticeRow.text)))
    assert last is not None
    assert trial is not None
    assert (last.state, trial.trial_problem) == ("done", "")
    assert [one for one in troubles if "backup" in one] == []
    assert len(list(folder_of(settings).iterdir())) == calendar.DAILY


async def test_staff_are_told_of_a_backup_that_failed_and_it_is_tried_again(
    office: Office, tmp_path: Path
) -> None:
    settings, _ = await with_key(office)
    (tmp_path / "a-file").touch()
    bad = settings.model_copy(update={"backup": BackupSettings(folder=tmp_path / "a-file" / "x")})
    deps = replace(office.deps, settings=bad)

    assert [await backup_due(deps), await backup_due(deps)] == [0, 0]
    async with deps.db.read() as tx:
        (row,) = await tx.scalars(select(BackupRow))
        notices = list(await tx.scalars(select(NoticeRow.code)))
    assert row.state == "failed"
    assert "a-file" in row.problem
    assert "backup_failed" in notices
    office.clock.forward(minutes=31)
    assert await backup_due(replace(deps, settings=settings)) == 1


async def test_a_damaged_backup_is_found_by_the_trial_and_told(office: Office) -> None:
    settings, _ = await with_key(office)
    deps = replace(office.deps, settings=settings)
    await backup_due(deps)
    (path,) = folder_of(settings).iterdir()
    path.write_bytes(path.read_bytes()[:-10])

    assert await trial_due(deps) == 1
    async with deps.db.read() as tx:
        trial = await backups.last_trial(tx)
        notices = list(await tx.scalars(select(NoticeRow.code)))
    assert trial is not None
    assert "cut off" in trial.trial_problem
    assert "backup_trial_failed" in notices


async def test_the_command_gets_the_backup_and_its_failure_is_told(
    office: Office, tmp_path: Path
) -> None:
    settings, _ = await with_key(office)
    away = tmp_path / ("a long way off " * 8)
    away.mkdir()
    cp = ("/bin/cp", "-t", str(away))
    made = create(settings.model_copy(update={"backup": BackupSettings(command=cp)}), NOON)

    assert (away / made.path.name).exists()
    with pytest.raises(BackupFailed, match="ended with 1"):
        create(
            settings.model_copy(update={"backup": BackupSettings(command=("/bin/false",))}), NOON
        )


async def test_a_lost_row_is_found_by_the_trial(office: Office) -> None:
    settings, identity = await with_key(office)
    made = await asyncio.to_thread(create, settings, NOON)
    with alone(settings.state_dir) as scratch:
        manifest = unpack(made.path, identity, scratch)
        rows = {**manifest.books.rows, "notice": 8, "gone": 1}
        wrong = replace(manifest, books=replace(manifest.books, rows=rows, ledger="0" * 64))
        pack(made.path, scratch, wrong, [identity.to_public()], scratch=scratch)

    problems = try_restore(settings, made.path, identity)[1]

    assert problems == [
        "gone: 0 rows, the backup had 1",
        "notice: 1 rows, the backup had 8",
        "the balances of the ledger are not those of the backup",
    ]


def _dies_at(settings: Settings, source: Path, identity_text: str, step: int) -> None:
    """Restore, and be killed before the so-many-th deed with a file of the state directory."""
    import sys

    count = 0

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal count
        changes = event in {"os.rename", "os.remove", "os.link", "open"}
        if changes and str(args[0]).startswith(str(settings.state_dir)):
            count += 1
            if count == step:
                os._exit(9)

    identity = keys.read_identity(identity_text)
    with planned(settings, source, identity) as (plan, scratch):
        sys.addaudithook(watch)
        restore(settings, plan, scratch, who=ANN)
    (settings.state_dir / "deeds").write_text(str(count))
    os._exit(0)


@pytest.mark.timeout(400)
async def test_killed_at_any_step_the_old_database_or_the_new_one_is_there(
    sqlite_template: Path, tmp_path: Path
) -> None:
    from tests.support.office import an_office

    shutil.copy(sqlite_template, tmp_path / "lango.db")
    office = an_office(tmp_path, Database(sqlite_url(tmp_path / "lango.db")))
    await office.keep(*a_day())
    settings = settings_of(office)
    secret = keys.make_recovery_key(settings.state_dir)
    made = await asyncio.to_thread(create, settings, NOON)
    await office.keep(a_plan("hours-9"))
    await office.deps.db.close()
    before = tmp_path / "before.db"
    shutil.copy(tmp_path / "lango.db", before)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    outcomes = set[tuple[int | None, bool, bool]]()
    heads, steps = settings.state_dir / HEADS_FILE, [0]
    for step in steps:
        for left in ("lango.db-wal", "lango.db-shm"):
            (tmp_path / left).unlink(missing_ok=True)
        shutil.copy(before, tmp_path / "lango.db")
        (settings.state_dir / MARK).unlink(missing_ok=True)
        heads.unlink(missing_ok=True)
        process = context.Process(target=_dies_at, args=(settings, made.path, secret, step))
        process.start()
        await asyncio.to_thread(process.join)
        found = await plans_of(settings.database_url)
        assert found in (["hours-2"], ["hours-2", "hours-9"])
        cut = is_cut_short(settings.state_dir)
        if not cut and "hours-9" not in found:
            assert "restored" in heads.read_text(), "a half-done restore is never taken for done"
        outcomes.add((process.exitcode, "hours-9" in found, cut))
        if not step:
            total = int((settings.state_dir / "deeds").read_text())
            steps += range(3, total, max(1, total // KILLS))

    assert (0, False, False) in outcomes, "in the end it was restored"
    assert (9, True, False) in outcomes, "it was killed before it changed anything"
    assert (9, True, True) in outcomes or (9, False, True) in outcomes, "and in the midst"
