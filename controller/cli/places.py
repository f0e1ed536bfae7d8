"""``lango payment places``: where money lands, as its provider tells and as our books do."""

import typer

from controller.cli import words
from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught

app = typer.Typer()

REGISTERED = {True: "yes", False: "no", None: words.NOTHING}


@taught(app, "places", "lango payment places", "lango payment places --json")
def list_places(ctx: typer.Context, *, json: Json = False) -> None:
    """List the places where money lands: what each holds, as told and as booked."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/places")["data"]
    if json:
        desk.screen.json("places", {"data": lines})
        return
    desk.screen.table(
        ("PLACE", ">TOLD", "TOLD AT", ">BOOKED", "PULLED", "REGISTERED"),
        [
            (
                f"{line['rail']} {line['place']}",
                words.NOTHING if line["told"] is None else words.price(line["told"]),
                words.moment(line["told_at"]),
                words.price(line["booked"]),
                words.moment(line["pulled_until"]),
                REGISTERED[line["registered"]],
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No places: no account with a provider is configured.")
