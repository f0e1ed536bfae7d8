"""``lango token``: 20 digits that a site accepts with its link down."""

from typing import Annotated

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Tokens: 20 digits that a site accepts with its link down."
)

Phone = Annotated[str | None, typer.Option(help="Send it there by SMS: 0712 345 678")]


@taught(
    app,
    "list",
    "lango token list",
    "lango token list --site estate-1 --json",
)
def list_tokens(
    ctx: typer.Context, site: OfSite = None, *, limit: Limit = 50, json: Json = False
) -> None:
    """List the tokens, newest first. Their digits are never shown again."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/tokens", limit=limit, query={"site_id": site})
    if json:
        desk.screen.json("tokens", {"data": lines})
        return
    desk.screen.table(
        ("TOKEN", "PLAN", "ISSUED", "SMS", "REDEEMED"),
        [
            (
                line["id"],
                line["plan_id"],
                words.moment(line["issued_at"]),
                line["sms"] or words.NOTHING,
                words.moment(line["redeemed_at"]) if line["redeemed_at"] else words.NOTHING,
            )
            for line in lines
        ],
    )


@taught(
    app,
    "issue",
    "lango token issue estate-1 h2",
    "lango token issue estate-1 h2 --phone 0712345678 --json",
)
def issue_token(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(metavar="SITE", help="Where it is good.")],
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="What it allows.")],
    phone: Phone = None,
    *,
    json: Json = False,
) -> None:
    """Issue a token without payment. Its digits are shown this once."""
    desk = desk_of(ctx)
    body = {"site_id": site, "plan_id": plan, "phone": phone}
    made = desk.api.post("/api/v1/tokens", body)
    if json:
        desk.screen.json("token", made)
        return
    desk.screen.line(made["token"])
    desk.screen.say(f"Issued, shown this once. To send it by SMS: lango token resend {made['id']}")


@taught(
    app,
    "resend",
    "lango token resend 3f2c…",
    "lango token resend 3f2c… --phone 0712345678 --json",
)
def resend_token(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id.")],
    phone: Phone = None,
    *,
    json: Json = False,
) -> None:
    """Send a token again by SMS, to the phone that it was sold to or to another."""
    desk = desk_of(ctx)
    sent = desk.api.post(f"/api/v1/tokens/{token}/resend", {"phone": phone})
    if json:
        desk.screen.json("token", sent)
    else:
        desk.screen.say("The SMS is on its way.")


@taught(
    app,
    "rotate",
    "lango token rotate estate-1",
    "lango token rotate estate-1 --json",
)
def rotate_key(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(metavar="SITE", help="Whose key.")],
    *,
    json: Json = False,
) -> None:
    """Give a site a new token key. Tokens that are out stay good."""
    desk = desk_of(ctx)
    made = desk.api.post(f"/api/v1/sites/{site}/token-keys")
    if json:
        desk.screen.json("token-key", made)
    else:
        desk.screen.say(f"New tokens are made with key version {made['version']}.")
