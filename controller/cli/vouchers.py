"""``lango voucher``: prepaid codes."""

from datetime import datetime
from typing import Annotated

import typer

from controller.cli import units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Vouchers: prepaid codes, made in batches.")

DAY = typed(units.day)


@taught(
    app,
    "list",
    "lango voucher list",
    "lango voucher list --json",
)
def list_batches(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the batches, newest first. Codes are never shown again."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/vouchers", limit=limit)
    if json:
        desk.screen.json("voucher-batches", {"data": lines})
        return
    desk.screen.table(
        ("BATCH", "PLAN", "MADE", "EXPIRES", ">COUNT", ">USED"),
        [
            (
                line["batch"],
                line["plan_id"],
                words.moment(line["created_at"]),
                words.moment_far(line["expires_at"]),
                str(line["count"]),
                str(line["redeemed"]),
            )
            for line in lines
        ],
    )


@taught(
    app,
    "create",
    "lango voucher create --plan h2 --count 24",
    "lango voucher create --plan h2 --count 100 > codes.txt",
)
def create_vouchers(
    ctx: typer.Context,
    plan: Annotated[str, typer.Option(help="The plan's id.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")],
    expires: Annotated[
        datetime | None,
        typer.Option(parser=DAY, metavar="DAY", help="Good until 2027-01-31 begins, in Nairobi."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Make a batch of codes and print them, one a line. They are shown this once."""
    desk = desk_of(ctx)
    until = expires.isoformat() if expires else None
    made = desk.api.post("/api/v1/vouchers", {"plan_id": plan, "count": count, "expires_at": until})
    if json:
        desk.screen.json("vouchers", made)
        return
    for code in made["codes"]:
        desk.screen.line(code)
    desk.screen.say(f"Batch {made['batch']}: {len(made['codes'])} codes, shown this once.")
