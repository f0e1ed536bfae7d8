"""``lango maintenance``: time given to work, and what customers are told of it."""

from datetime import timedelta
from secrets import token_hex
from typing import Annotated, Any

import typer

from controller.cli import units, words
from controller.cli.desk import Json, Limit, OfSite, desk_of, typed
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Maintenance: alerts are held, and customers told beforehand."
)

OfBranch = Annotated[str | None, typer.Option("--branch", help="Only of this branch.")]


@taught(app, "list", "lango maintenance list", "lango maintenance list --json")
def list_windows(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List maintenance windows, the last to begin first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/maintenance", limit=limit)
    if json:
        desk.screen.json("maintenance", {"data": lines})
        return
    desk.screen.table(
        ("WINDOW", "WHERE", "FROM", "UNTIL", "TEXT"),
        [
            (
                line["id"],
                where(line),
                words.moment(line["from_at"]),
                words.moment(line["ended_at"] or line["until_at"]),
                line["text_en"],
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No work is planned: lango maintenance plan --help")


def where(line: dict[str, Any]) -> str:
    """The area of a line."""
    return str(line["site_id"] or line["branch_id"] or "everywhere")


@taught(
    app,
    "plan",
    'lango maintenance plan --site estate-1 --from "2027-01-31 22:00" --for 2h --text "New mast."',
    'lango maintenance plan --branch thika --from "2027-01-31 22:00" --for 1h --text x --dry-run',
)
def plan_window(
    ctx: typer.Context,
    *,
    begins: Annotated[str, typer.Option("--from", help="When, like 2027-01-31 22:00.")],
    lasts: Annotated[
        int, typer.Option("--for", parser=typed(units.duration_s), help="How long, like 2h.")
    ],
    text: Annotated[str, typer.Option(help="What customers read, in English.")],
    text_sw: Annotated[str, typer.Option(help="What customers read, in Swahili.")] = "",
    site: OfSite = None,
    branch: OfBranch = None,
    tell: Annotated[
        int | None,
        typer.Option(parser=typed(units.duration_s), help="Tell customers so long before."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only how many SMS, at what cost.")
    ] = False,
    json: Json = False,
) -> None:
    """Plan work on a site (and those behind it), a branch, or everything."""
    from_at = typed(units.moment)(begins)
    body = {
        "site_id": site,
        "branch_id": branch,
        "from_at": from_at.isoformat(),
        "until_at": (from_at + timedelta(seconds=lasts)).isoformat(),
        "text_en": text,
        "text_sw": text_sw,
        "tell_before_s": tell,
        "id": token_hex(16),
    }
    desk = desk_of(ctx)
    if dry_run:
        tell_preview(ctx, desk.api.post("/api/v1/maintenance/preview", body), json=json)
        return
    made = desk.api.post("/api/v1/maintenance", body)
    if json:
        desk.screen.json("maintenance", made)
        return
    desk.screen.line(made["id"])
    desk.screen.say(f"Planned. End it early with: lango maintenance end {made['id']}")


def tell_preview(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    """How many messages a telling would be."""
    screen = desk_of(ctx).screen
    if json:
        screen.json("telling", found)
        return
    cost = "unknown" if found["cost"] is None else f"KES {found['cost']}"
    screen.fields(
        [
            ("messages", str(found["messages"])),
            ("parts", str(found["parts"])),
            ("cost", cost),
            ("english", found["text_en"]),
            ("swahili", found["text_sw"]),
        ]
    )


@taught(app, "end", "lango maintenance end 3f2c…", "lango maintenance end 3f2c… --json")
def end_window(
    ctx: typer.Context,
    window: Annotated[str, typer.Argument(metavar="WINDOW", help="The window's id.")],
    *,
    json: Json = False,
) -> None:
    """End a window now, or call it off before it begins."""
    desk = desk_of(ctx)
    found = desk.api.post(f"/api/v1/maintenance/{window}/end")
    if json:
        desk.screen.json("maintenance", found)
    else:
        desk.screen.say("The window is over.")
