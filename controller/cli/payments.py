"""``lango payment``: attempts to collect."""

from typing import Annotated

import typer

from billing.payment import PaymentState
from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught
from controller.cli.screen import toned
from controller.noc.board import PAYMENT_MOODS

app = typer.Typer(no_args_is_help=True, help="Payments: made by customers, settled by M-PESA.")


@taught(
    app,
    "list",
    "lango payment list",
    "lango payment list --state unknown --json",
)
def list_payments(
    ctx: typer.Context,
    site: OfSite = None,
    state: Annotated[PaymentState | None, typer.Option(help="Only in this state.")] = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List payments, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "state": state.value if state else None}
    lines = desk.api.lines("/api/v1/payments", limit=limit, query=query)
    if json:
        desk.screen.json("payments", {"data": lines})
        return
    desk.screen.table(
        ("ORDER", "STATE", ">PRICE", "PHONE", "AT"),
        [
            (
                line["order_id"],
                toned(line["state"], PAYMENT_MOODS[PaymentState(line["state"])].tone),
                words.price(line["price"]),
                line["phone"],
                words.moment(line["created_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such payments.")


@taught(
    app,
    "show",
    "lango payment show 3f2c…",
    "lango payment show 3f2c… --json",
)
def show_payment(
    ctx: typer.Context,
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    *,
    json: Json = False,
) -> None:
    """Show one payment."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/payments/{order}")
    if json:
        desk.screen.json("payment", found)
    else:
        desk.screen.fields(words.fields(found))
