"""``lango refund``: money that goes back."""

from typing import Annotated

import typer

from billing.payment import PaymentState
from controller.cli import words
from controller.cli.arrivals import REFUND_HEADINGS, refund_row, refund_words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Money that goes back: lango arrival refund.")


@taught(
    app,
    "list",
    "lango refund list",
    "lango refund list --state pending --json",
)
def list_refunds(
    ctx: typer.Context,
    *,
    state: Annotated[PaymentState | None, typer.Option(help="Only in this state.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List money that goes back, newest first; ``settled`` is given back."""
    desk = desk_of(ctx)
    query = {"state": state.value if state else None}
    lines = desk.api.lines("/api/v1/refunds", limit=limit, query=query)
    if json:
        desk.screen.json("refunds", {"data": lines})
        return
    desk.screen.table(REFUND_HEADINGS, [refund_row(line) for line in lines])
    if not lines:
        desk.screen.say("No such refunds.")


@taught(
    app,
    "show",
    "lango refund show 3f2c…",
    "lango refund show 3f2c… --json",
)
def show_refund(
    ctx: typer.Context,
    refund: Annotated[str, typer.Argument(metavar="REFUND", help="The id of the refund.")],
    *,
    json: Json = False,
) -> None:
    """Show one refund."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/refunds/{refund}")
    if json:
        desk.screen.json("refund", found)
        return
    desk.screen.fields(words.fields(found))
    desk.screen.say(f"{words.price(found['amount'])} {refund_words(found)}.")
