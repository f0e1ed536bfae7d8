"""``lango voucher``: prepaid codes."""

from datetime import datetime
from typing import Annotated

import typer

from controller.cli import units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Vouchers: prepaid codes, made in batches.")

DAY = typed(units.day)

MAKE_MAX_S = 120.0
"""Each code is hashed slowly for the sites: ten thousand of them take a while."""


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
    "lango voucher create --plan h2 --count 100 --site estate-1 > codes.txt",
)
def create_vouchers(
    ctx: typer.Context,
    plan: Annotated[str, typer.Option(help="The plan's id.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")],
    expires: Annotated[
        datetime | None,
        typer.Option(parser=DAY, metavar="DAY", help="Good until 2027-01-31 begins, in Nairobi."),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="Good there with the link down; else at every site. Repeat it."),
    ] = None,
    *,
    online_only: Annotated[
        bool, typer.Option("--online-only", help="Good nowhere while the link is down.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a batch of codes and print them, one a line. They are shown this once."""
    desk = desk_of(ctx)
    body = {
        "plan_id": plan,
        "count": count,
        "expires_at": expires.isoformat() if expires else None,
        "sites": site or None,
        "online_only": online_only,
    }
    made = desk.api.post("/api/v1/vouchers", body, timeout_s=MAKE_MAX_S)
    if json:
        desk.screen.json("vouchers", made)
        return
    for code in made["codes"]:
        desk.screen.line(code)
    desk.screen.say(f"Batch {made['batch']}: {len(made['codes'])} codes, shown this once.")


@taught(
    app,
    "doubles",
    "lango voucher doubles",
    "lango voucher doubles --json",
)
def list_doubles(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the codes that were redeemed twice while a link was down, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/vouchers/doubles", limit=limit)
    if json:
        desk.screen.json("double-redemptions", {"data": lines})
        return
    desk.screen.table(
        ("GRANT", "SITE", "PLAN", ">LOST", "FOUND"),
        [
            (
                line["grant_id"],
                line["site_id"],
                line["plan_id"],
                words.price(line["lost"]),
                words.moment(line["found_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No code was redeemed twice.")
