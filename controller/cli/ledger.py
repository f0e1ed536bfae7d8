"""``lango ledger``: where the money is."""

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="The ledger: balances and transactions.")


@taught(
    app,
    "balances",
    "lango ledger balances",
    "lango ledger balances --json",
)
def list_balances(ctx: typer.Context, *, json: Json = False) -> None:
    """What every account holds; debits are positive, and all of it sums to zero."""
    desk = desk_of(ctx)
    found = desk.api.get("/api/v1/ledger/balances")
    if json:
        desk.screen.json("balances", found)
        return
    desk.screen.table(
        ("ACCOUNT", ">BALANCE"),
        [(line["account"], words.price(line["balance"])) for line in found["data"]],
    )


@taught(
    app,
    "transactions",
    "lango ledger transactions",
    "lango ledger transactions --limit 5 --json",
)
def list_transactions(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List transactions with their postings, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/ledger/transactions", limit=limit)
    if json:
        desk.screen.json("transactions", {"data": lines})
        return
    desk.screen.table(
        ("AT", ">AMOUNT", "FROM", "TO"),
        [
            (words.moment(line["at"]), words.price(p["amount"]), p["source"], p["target"])
            for line in lines
            for p in line["postings"]
        ],
    )
