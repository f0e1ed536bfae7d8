"""``lango notice``: what staff should know."""

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Notices: what staff should know.")


@taught(
    app,
    "list",
    "lango notice list",
    "lango notice list --site estate-1 --json",
)
def list_notices(
    ctx: typer.Context, site: OfSite = None, *, limit: Limit = 50, json: Json = False
) -> None:
    """List notices, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/notices", limit=limit, query={"site_id": site})
    if json:
        desk.screen.json("notices", {"data": lines})
        return
    desk.screen.table(
        ("AT", "SITE", "CODE", "TEXT"),
        [
            (
                words.moment(line["at"]),
                line["site_id"] or words.NOTHING,
                line["code"],
                line["text"],
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nothing needs you.")
