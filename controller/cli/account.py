"""``lango account``: money for accounts, asked for on a phone."""

from pathlib import Path
from typing import Annotated, Any

import typer

from billing.payment import Reason
from controller.cli import units, words
from controller.cli.desk import Desk, Json, desk_of
from controller.cli.examples import taught
from controller.cli.files import written
from controller.cli.money import Amount, Subscriber
from portal.captive import wallets
from portal.captive.text import Tongue

app = typer.Typer(no_args_is_help=True, help="Money for accounts, asked for on a phone.")


@taught(
    app,
    "pay",
    "lango account pay 0712345678 1,500",
    "lango account pay 0712345678 1,500 --payer 0722000001 --json",
)
def pay(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    *,
    payer: Annotated[str | None, typer.Option(help="Whose phone pays, if a friend's.")] = None,
    rail: Annotated[str, typer.Option(help="mpesa, airtel, card; else the first.")] = "",
    json: Json = False,
) -> None:
    """Ask a phone to pay into an account; what comes in pays what is open."""
    desk = desk_of(ctx)
    body = {
        "subscriber": subscriber,
        "amount": units.kes(amount),
        "payer": payer,
        "rail": rail,
    }
    asked = desk.api.post("/api/v1/account-payments", body)
    if json:
        desk.screen.json("account-payment", asked)
        return
    desk.screen.line(asked["order_id"])
    _say(desk, asked)


@taught(
    app,
    "qr",
    "lango account qr 0712345678 1,500 pay.png",
)
def qr(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the picture.")],
) -> None:
    """Write a picture (PNG) that the M-PESA app reads: PayBill, account and amount filled in."""
    desk = desk_of(ctx)
    if amount % 100:
        raise typer.BadParameter("want whole shillings", param_hint="AMOUNT")
    wanted = {"subscriber": subscriber, "shillings": amount // 100}
    written(path, desk.api.file("/api/v1/account-payments/qr", wanted))
    desk.screen.line(str(path))


@taught(
    app,
    "show",
    "lango account show 3f2c…",
    "lango account show 3f2c… --json",
)
def show(
    ctx: typer.Context,
    order: Annotated[str, typer.Argument(metavar="ORDER", help="What `pay` printed.")],
    *,
    json: Json = False,
) -> None:
    """Show whether it was paid."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/account-payments/{order}")
    if json:
        desk.screen.json("account-payment", found)
        return
    desk.screen.fields(words.fields(found))
    _say(desk, found)


def _say(desk: Desk, asked: dict[str, Any]) -> None:
    amount, payer = words.price(asked["amount"]), asked["payer"]
    match asked["stage"]:
        case "paid":
            said = f"{payer} paid {amount}"
        case "refused" | "expired":
            said = f"Not paid. The payer is told: {_why(asked)}".removesuffix(".")
        case "checking":
            said = f"Still checking whether {payer} paid {amount}. Do not ask again"
        case _ if asked["pay_url"]:
            said = f"{payer} pays {amount} at {asked['pay_url']}"
        case _:
            said = f"{payer} is asked for {amount}. Paid? lango account show {asked['order_id']}"
    desk.screen.say(f"{said}.")


def _why(asked: dict[str, Any]) -> str:
    if not asked["reason"]:
        return "It was not sent."
    return wallets.why_not(Reason(asked["reason"]), wallets.name(asked["rail"]), Tongue("en"))
