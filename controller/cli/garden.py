"""``lango garden``: what everybody may reach before payment."""

from typing import Annotated

import typer

from controller.cli.desk import Json, OfSite, desk_of
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Garden: names and networks that are reached before payment."
)

Entry = Annotated[
    str, typer.Argument(metavar="ENTRY", help="A host name, with all below it, or a network.")
]
AtSite = Annotated[str | None, typer.Option("--site", help="Only there; else at every site.")]


@taught(app, "list", "lango garden list", "lango garden list --site estate-1 --json")
def list_garden(ctx: typer.Context, site: OfSite = None, *, json: Json = False) -> None:
    """List the garden: all of it, or what is reached at one site."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/garden", {"site_id": site})["data"]
    if json:
        desk.screen.json("garden", {"data": lines})
        return
    desk.screen.table(
        ("ENTRY", "KIND", "SITE"),
        [(line["entry"], line["kind"], line["site_id"] or "all") for line in lines],
    )
    if not lines:
        desk.screen.say("The garden is empty. Add to it: lango garden add bank.example")


@taught(
    app,
    "add",
    "lango garden add bank.example",
    "lango garden add 192.0.2.0/24 --site estate-1 --json",
)
def add_entry(ctx: typer.Context, entry: Entry, site: AtSite = None, *, json: Json = False) -> None:
    """Let everybody reach it, unpaid and uncounted."""
    desk = desk_of(ctx)
    made = desk.api.post("/api/v1/garden", {"entry": entry, "site_id": site})
    if json:
        desk.screen.json("garden-entry", made)
        return
    desk.screen.line(made["entry"])
    desk.screen.say(f"Everybody may reach it at {made['site_id'] or 'every site'}.")


@taught(
    app,
    "remove",
    "lango garden remove bank.example",
    "lango garden remove 192.0.2.0/24 --site estate-1",
)
def remove_entry(
    ctx: typer.Context, entry: Entry, site: AtSite = None, *, json: Json = False
) -> None:
    """Let it be reached by those who paid alone."""
    desk = desk_of(ctx)
    gone = desk.api.post("/api/v1/garden/remove", {"entry": entry, "site_id": site})
    if json:
        desk.screen.json("garden-entry", gone)
    else:
        desk.screen.say(f"{gone['entry']} is in the garden of {site or 'all sites'} no more.")
