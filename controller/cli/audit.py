"""``lango audit``: what staff did, and whether the log of it is as it was written."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Config, Json, Limit, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Degraded, Fault, WrongUse

if TYPE_CHECKING:
    from controller.config import Settings
    from controller.usecases.audit import Heads, Verified

app = typer.Typer(no_args_is_help=True, help="The audit log: what staff did.")

Who = Annotated[str, typer.Option("--who", help="Only of this member of staff, by id or name.")]
About = Annotated[
    str, typer.Option("--about", help="Only about such objects: site, or site:estate-1.")
]
What = Annotated[str, typer.Option("--what", help="Only where the route or code has this in it.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Only from this time on, UTC.")]


@taught(
    app,
    "list",
    "lango audit list --since 2026-11-01",
    "lango audit list --who Jane --about subscriber --json",
)
def list_audit(
    ctx: typer.Context,
    who: Who = "",
    about: About = "",
    what: What = "",
    since: Since = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List what staff did, newest first."""
    desk = desk_of(ctx)
    query: dict[str, Any] = {"who": who or None, "about": about or None, "what": what or None}
    query["since"] = f"{since.isoformat()}Z" if since else None
    lines = desk.api.lines("/api/v1/audit", limit=limit, query=query)
    if json:
        desk.screen.json("audit", {"data": lines})
        return
    desk.screen.table(
        ("AT", "WHO", "FROM", "WHAT", "ABOUT", "CHANGED"),
        [
            (
                words.moment(line["at"]),
                line["staff_name"],
                line["address"],
                line["code"] or line["route"],
                " ".join(filter(None, (line["about_kind"], line["about_id"]))) or words.NOTHING,
                _changed(line["changes"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nobody did anything.")


def _changed(changes: list[dict[str, Any]]) -> str:
    """Which columns of which tables, in few words."""
    told = []
    for one in changes:
        if "table" in one:
            names = [*(one["after"] or one["before"] or {}), *one.get("hidden", ())]
            told.append(f"{one['table']}: {', '.join(names[:4])}{'…' if len(names) > 4 else ''}")  # noqa: PLR2004
    return "; ".join(dict.fromkeys(told[:3])) or words.NOTHING


@taught(
    app,
    "head",
    "lango audit head",
    "lango audit head --config /etc/lango/controller.toml",
)
def show_head(config_file: Config = None) -> None:
    """Print the end of the chain, as SEQ:HASH. Keep it where nobody of this machine can edit it."""
    from controller.store.audit import head
    from controller.store.database import Database

    settings = _settings(config_file)

    async def looked() -> str:
        db = Database(settings.database_url)
        try:
            async with db.read() as tx:
                return str(await head(tx))
        finally:
            await db.close()

    typer.echo(_of_database(looked()))


@taught(
    app,
    "verify",
    "lango audit verify",
    "lango audit verify --head 1204:5f3a… --heads /mnt/elsewhere/audit-heads",
)
def verify_chain(
    ctx: typer.Context,
    config_file: Config = None,
    head: Annotated[
        list[str] | None, typer.Option("--head", help="A head that you kept, as SEQ:HASH.")
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option("--heads", help="A file of heads; without it, that of the state directory."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Walk the chain; name the first row that was changed, removed, inserted or cut off.

    Exit code 7 when something is wrong.
    """
    from controller.store.database import Database
    from controller.usecases.audit import verify

    settings = _settings(config_file)
    kept = _kept_heads(settings, heads, head or [])

    async def walked() -> "Verified":
        db = Database(settings.database_url)
        try:
            return await verify(db, kept)
        finally:
            await db.close()

    found: Verified = _of_database(walked())
    if json:
        desk_of(ctx).screen.json("audit_verified", _as_json(found))
    _say(ctx, found)


def _kept_heads(settings: "Settings", heads: Path | None, more: list[str]) -> "Heads":
    from controller.usecases.audit import HEADS_FILE, Heads, HeadsUnreadable, read_head, read_heads

    path = heads or settings.state_dir / HEADS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if heads or path.exists() else []
        found = read_heads(lines)
    except (OSError, UnicodeDecodeError, HeadsUnreadable) as error:
        raise WrongUse(f"{path} is not a file of heads", why=str(error)) from error
    try:
        told = tuple(read_head(text) for text in more)
    except ValueError as error:
        raise WrongUse("--head: want SEQ:HASH, as `lango audit head` prints it") from error
    return Heads((*found.held, *told), found.given_up)


def _say(ctx: typer.Context, found: "Verified") -> None:
    screen = desk_of(ctx).screen
    if found.given_up:
        screen.say(f"{found.given_up} heads were given up when an older backup was restored.")
    if found.fault is None:
        screen.say(
            f"All {found.head.seq} rows are as they were sealed; {found.heads} heads agree. "
            f"The end is {found.head}"
        )
        return
    fault = found.fault
    row = f" (id {fault.row_id}, {fault.staff_name}, {fault.at})" if fault.row_id else ""
    raise Degraded(
        f"the audit log is not as it was sealed: row {fault.seq} {_WHAT[fault.what]}{row}",
        why=f"up to row {found.head.seq} everything holds" if found.head.seq else "",
        next_step="compare with your newest backup before that row, and ask who could write there",
    )


_WHAT = {
    "changed": "was changed",
    "removed": "was removed",
    "inserted": "was inserted",
    "cut_off": "and what followed were cut off",
    "rewritten": "or one before it was changed, and the chain made anew from there",
}


def _as_json(found: "Verified") -> dict[str, Any]:
    fault = found.fault
    return {
        "head": str(found.head),
        "rows": found.head.seq,
        "heads": found.heads,
        "heads_given_up": found.given_up,
        "fault": None
        if fault is None
        else {"what": fault.what, "seq": fault.seq, "row_id": fault.row_id},
    }


def _settings(config_file: Path | None) -> "Settings":
    from controller.cli.here import settings_from

    return settings_from(config_file)


def _of_database(work: Any) -> Any:
    from controller.noc.views import UNREADABLE

    try:
        return asyncio.run(work)
    except UNREADABLE as error:
        raise Fault(
            "the database cannot be read",
            why=str(error).splitlines()[0],
            next_step="lango doctor",
        ) from error
