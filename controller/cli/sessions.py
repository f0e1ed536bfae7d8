"""``lango session``: who is online."""

from typing import Annotated

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Sessions: one device's use of one grant.")


@taught(
    app,
    "list",
    "lango session list",
    "lango session list --site estate-1 --json",
)
def list_sessions(
    ctx: typer.Context,
    site: OfSite = None,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Those that ended too.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the open sessions, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "open": not closed}
    lines = desk.api.lines("/api/v1/sessions", limit=limit, query=query)
    if json:
        desk.screen.json("sessions", {"data": lines})
        return
    desk.screen.table(
        ("DEVICE", "SITE", "PLAN", ">DOWN", ">UP", "OPENED", "ENDED"),
        [
            (
                line["mac"],
                line["site_id"],
                line["plan_id"] or words.NOTHING,
                words.volume(line["down_bytes"]),
                words.volume(line["up_bytes"]),
                words.moment(line["opened_at"]),
                line["closed_reason"] or words.NOTHING,
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nobody is online." if not closed else "No session yet.")
