"""``lango backup``: make backups, look at them, restore one. On the controller's own machine."""

import asyncio
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Config, Desk, Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Degraded, Fault, InTheWay, WrongUse

if TYPE_CHECKING:
    from controller.backup.manifest import Manifest
    from controller.backup.restore import Plan
    from controller.config import Settings

app = typer.Typer(no_args_is_help=True, help="Backups of the controller on this machine.")

KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="A file with the recovery key; without it, it is asked for."),
]
Source = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@taught(
    app,
    "key",
    "lango backup key > recovery-key.txt",
    "lango backup key --replace --config /etc/lango/controller.toml",
)
def make_key(
    ctx: typer.Context,
    config_file: Config = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="A new one, for the backups from now on.")
    ] = False,
) -> None:
    """Make the recovery key and print it, this once. Keep it far from this machine.

    Only its public half stays here: without what is printed no backup can be restored elsewhere.
    """
    from controller.backup.keys import KeyThere, make_recovery_key

    settings = _settings(config_file)
    try:
        secret = make_recovery_key(settings.state_dir, instead=replace)
    except KeyThere as error:
        raise InTheWay(str(error), next_step="lango backup key --replace, if it is lost") from error
    except OSError as error:
        raise Fault("the key could not be kept", why=str(error)) from error
    desk = desk_of(ctx)
    desk.screen.line(secret)
    desk.screen.say("This is the recovery key. It is not kept here and will not be shown again.")


@taught(
    app,
    "create",
    "lango backup create",
    "lango backup create --config /etc/lango/controller.toml --json",
)
def create_backup(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """Make a backup now; the controller may be running."""
    from controller.backup.create import BackupFailed
    from controller.main import wall_clock
    from controller.store.database import Database
    from controller.usecases.backups import backup_now

    settings = _settings(config_file)

    async def made() -> Any:
        db = Database(settings.database_url)
        try:
            return await backup_now(db, settings, wall_clock(), wall_clock)
        finally:
            await db.close()

    with _database_faults():
        try:
            done = asyncio.run(made())
        except BackupFailed as error:
            raise Fault("no backup was made", why=str(error)) from error
    desk = desk_of(ctx)
    if json:
        told = {"path": str(done.path), "size_bytes": done.size_bytes}
        desk.screen.json("backup", {**told, **_as_json(done.manifest)})
        return
    desk.screen.say(f"{done.path}: {done.size_bytes:,} bytes.")


@taught(
    app,
    "list",
    "lango backup list",
    "lango backup list --json",
)
def list_backups(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """List the backups that are kept here, newest first."""
    from controller.backup import calendar
    from controller.backup.create import folder_of

    folder = folder_of(_settings(config_file))
    found = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    lines = [
        {"name": one.name, "made_at": at.isoformat(), "size_bytes": one.stat().st_size}
        for one in found
        if (at := calendar.made_at(one.name)) is not None
    ]
    desk = desk_of(ctx)
    if json:
        desk.screen.json("backups", {"folder": str(folder), "data": lines})
        return
    desk.screen.table(
        ("NAME", "MADE", ">BYTES"),
        [
            (str(one["name"]), words.moment(str(one["made_at"])), f"{one['size_bytes']:,}")
            for one in lines
        ],
    )
    desk.screen.say(f"{len(lines)} backups in {folder}.")


@taught(
    app,
    "verify",
    "lango backup verify /var/lib/lango/backups/lango-20261126T230000Z.lango",
    "lango backup verify backup.lango --key-file recovery-key.txt",
)
def verify_backup(
    ctx: typer.Context,
    source: Source,
    config_file: Config = None,
    key_file: KeyFile = None,
    *,
    json: Json = False,
) -> None:
    """Restore a backup into a scratch database and compare it; nothing else is touched.

    Without a key file with this machine's own key, which opens only backups made here.
    """
    from controller.backup.create import BackupUnderWay
    from controller.backup.keys import KeyWrong, trial_identity
    from controller.backup.trial import try_restore

    settings = _settings(config_file)
    try:
        identity = _identity(key_file) if key_file else trial_identity(settings.state_dir)
        manifest, problems = try_restore(settings, source, identity)
    except (KeyWrong, BackupUnderWay, OSError) as error:
        raise Fault("the backup was not tried", why=str(error)) from error
    desk = desk_of(ctx)
    if json:
        told = {} if manifest is None else _as_json(manifest)
        desk.screen.json("backup_verified", {**told, "problems": problems})
    if problems:
        raise Degraded(f"{source.name} cannot be restored", why=problems[0])
    assert manifest is not None
    if not json:
        rows = sum(manifest.books.rows.values())
        desk.screen.say(f"{source.name} is good: {rows:,} rows and every balance came back.")


@taught(
    app,
    "restore",
    "lango backup restore lango-20261126T230000Z.lango",
    "lango backup restore backup.lango --key-file recovery-key.txt --replace --yes",
)
def restore_backup(
    ctx: typer.Context,
    source: Source,
    config_file: Config = None,
    key_file: KeyFile = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where a database or other keys are.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let this machine be the controller that was backed up. Shows its plan, and asks once.

    Refuses while a controller runs here. Whatever it replaces stays beside it under another name
    (PostgreSQL: make a backup of the old database first).
    """
    from controller.acting import HERE, Actor
    from controller.backup.restore import CannotRestore, planned, restore
    from controller.main import wall_clock

    settings, identity = _settings(config_file), _identity(key_file)
    who = Actor(
        staff_id="here",
        name=getpass.getuser(),
        address=HERE,
        route="lango backup restore",
        request_id="",
        at=wall_clock(),
    )
    try:
        with planned(settings, source, identity) as (plan, scratch):
            _show(desk_of(ctx), plan)
            if plan.replaces and not replace:
                raise InTheWay(
                    "there is a database here, or keys of another controller",
                    next_step="pass --replace to put the backup in their place",
                )
            if not yes:
                typer.confirm("Restore?", abort=True, err=True)
            restore(settings, plan, scratch, who=who)
    except CannotRestore as error:
        raise Fault("nothing was restored", why=str(error)) from error
    desk_of(ctx).screen.say(
        "Restored. Start the controller: sites and statements bring the books up to date."
    )


def _show(desk: Desk, plan: "Plan") -> None:
    """The plan, as talk: its data is the database afterwards."""
    manifest = plan.manifest
    rows = sum(manifest.books.rows.values())
    desk.screen.say(
        f"Backup of {words.moment(manifest.made_at.isoformat())} by Lango {manifest.version}, "
        f"schema {manifest.schema}: {rows:,} rows."
    )
    instead = "which is empty" if plan.there is None else f"in place of {plan.there:,} rows"
    desk.screen.say(f"Database: {plan.database}, {instead}; then migrated to this version.")
    for name, fate in plan.files.items():
        desk.screen.say(f"{name}: {fate}")
    desk.screen.say(_heads(plan))
    desk.screen.say(
        "Staff: their accounts, passwords and roles become those of that moment. "
        "Every session of staff and every API token of it ends."
    )
    desk.screen.say(
        "Whoever was disabled since can sign in again: look through `lango staff list` at once, "
        "and use `lango staff disable`."
    )


def _heads(plan: "Plan") -> str:
    """The audit log's end in the backup beside what is kept here: encryption proves no sender."""
    theirs, here = plan.manifest.audit_head, plan.head_here
    if not here:
        return (
            f"Audit log: {theirs} in the backup; no audit-heads is here. That the file can be "
            "decrypted does not prove who made it: hold this against a head that you kept."
        )
    known = (
        "which knows the backup's."
        if plan.knows_head
        else "which does NOT know the backup's: be sure who made the file before you go on."
    )
    return f"Audit log: {theirs} in the backup, {here} in audit-heads here, {known}"


def _as_json(manifest: "Manifest") -> dict[str, Any]:
    return {
        "made_at": manifest.made_at.isoformat(),
        "version": manifest.version,
        "kind": manifest.kind,
        "schema_at": manifest.schema,
        "audit_head": manifest.audit_head,
        "rows": manifest.books.rows,
        "posted_minor": manifest.books.posted_minor,
    }


def _identity(key_file: Path | None) -> Any:
    """The recovery key: of a file, or typed where nobody sees it; never among the words."""
    from controller.backup.keys import KeyWrong, read_identity

    try:
        text = (
            key_file.read_text(encoding="ascii", errors="replace")
            if key_file
            else typer.prompt("Recovery key", hide_input=True, err=True)
        )
        return read_identity(text)
    except (OSError, KeyWrong) as error:
        raise WrongUse("the recovery key cannot be read", why=str(error)) from error


def _settings(config_file: Path | None) -> "Settings":
    from controller.cli.here import settings_from

    return settings_from(config_file)


@contextmanager
def _database_faults() -> Iterator[None]:
    from controller.noc.views import UNREADABLE

    try:
        yield
    except UNREADABLE as error:
        raise Fault(
            "the database cannot be read",
            why=str(error).splitlines()[0],
            next_step="lango doctor",
        ) from error
