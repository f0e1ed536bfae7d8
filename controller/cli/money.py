"""``lango receive``: money at the counter; ``lango received`` and ``lango wallet``: what it did."""

from typing import Annotated, Any

import typer

from controller.cli import billing_words, units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.screen import toned
from controller.cli.subscribers import digits_of, path_of
from controller.cli.subscriptions import OfSubscriber

app = typer.Typer()
received = typer.Typer(no_args_is_help=True, help="Money that came in for accounts.")
wallet = typer.Typer(no_args_is_help=True, help="Wallets: money that is paid and not spent.")

AMOUNT = typed(units.minor)

Amount = Annotated[int, typer.Argument(parser=AMOUNT, metavar="AMOUNT", help="In KES: 1,500")]
Subscriber = Annotated[
    str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
]
ReceivedId = Annotated[str, typer.Argument(metavar="RECEIVED", help="The id of the money.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


@taught(
    app,
    "receive",
    "lango receive 0712345678 1,500",
    "lango receive 0712345678 1,500 --rail bank --receipt FT26330X1Q",
)
def receive(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    *,
    rail: Annotated[str, typer.Option(help="cash, mpesa, bank, cheque, withheld-vat …")] = "cash",
    receipt: Annotated[str, typer.Option(help="Its number there; cash needs none.")] = "",
    place: Annotated[str, typer.Option(help="Where it landed; else the branch.")] = "",
    note: Annotated[str, typer.Option(help="Kept with it.")] = "",
    json: Json = False,
) -> None:
    """Take money for an account: it pays what is open, and what waits for money goes on."""
    desk = desk_of(ctx)
    body = {
        "subscriber": subscriber,
        "amount": units.kes(amount),
        "rail": rail,
        "receipt": receipt,
        "place": place,
        "note": note,
    }
    made = desk.api.post("/api/v1/received", body)
    if json:
        desk.screen.json("received", made)
        return
    desk.screen.line(made["id"])
    if made["taken_before"]:
        taken = f"Receipt {made['receipt']} was taken on {words.moment_far(made['at'])}"
        desk.screen.say(f"{taken}: nothing is booked again.")
    now = desk.api.get(path_of(made["phone"]))
    left = f"wallet {words.price(now['wallet'])}, owes {words.price(now['owed'])}"
    desk.screen.say(f"{words.price(made['amount'])} from {_who(made)}. Now: {left}.")


@taught(
    received,
    "list",
    "lango received list",
    "lango received list --subscriber 0712345678 --json",
)
def list_received(
    ctx: typer.Context,
    subscriber: OfSubscriber = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List money that came in for accounts, newest first."""
    desk = desk_of(ctx)
    query = {"subscriber": digits_of(subscriber)}
    lines = desk.api.lines("/api/v1/received", limit=limit, query=query)
    if json:
        desk.screen.json("received-list", {"data": lines})
        return
    desk.screen.table(
        ("RECEIVED", "AT", "PHONE", "RAIL", ">AMOUNT"),
        [
            (
                line["id"],
                words.moment(line["at"]),
                line["phone"],
                toned("reversed", "bad") if line["reversed_at"] else line["rail"],
                words.price(line["amount"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such money.")


@taught(received, "show", "lango received show 3f2c…", "lango received show 3f2c… --json")
def show_received(ctx: typer.Context, money: ReceivedId, *, json: Json = False) -> None:
    """Show money that came in."""
    _show(ctx, desk_of(ctx).api.get(f"/api/v1/received/{money}"), json=json)


@taught(
    received,
    "reverse",
    'lango received reverse 3f2c… --reason "sent to the wrong number"',
    'lango received reverse 3f2c… --reason "cheque bounced" --json',
)
def reverse(ctx: typer.Context, money: ReceivedId, *, reason: Reason, json: Json = False) -> None:
    """Book that money went back: what it paid is open again."""
    done = desk_of(ctx).api.post(f"/api/v1/received/{money}/reverse", {"reason": reason})
    _show(ctx, done, json=json)


@taught(
    wallet,
    "adjust",
    'lango wallet adjust 0712345678 200 --reason "sorry for Monday"',
    'lango wallet adjust 0712345678 --reason "typed twice" -- -200',
)
def adjust(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    *,
    reason: Reason,
    json: Json = False,
) -> None:
    """Put money into a wallet, or take it out (a negative amount), with a reason."""
    body = {"amount": units.kes(amount), "reason": reason}
    done = desk_of(ctx).api.post(f"{path_of(subscriber)}/adjust", body)
    _say_wallet(ctx, subscriber, done, json=json)


@taught(
    wallet,
    "transfer",
    "lango wallet transfer 0712345678 0722000001 100",
    "lango wallet transfer 0712345678 0722000001 100 --note Birthday --json",
)
def transfer(
    ctx: typer.Context,
    subscriber: Subscriber,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Who gets it.")],
    amount: Amount,
    *,
    note: Annotated[str, typer.Option(help="Kept with it.")] = "",
    json: Json = False,
) -> None:
    """Move money from one wallet to another's."""
    body = {"target": target, "amount": units.kes(amount), "note": note}
    done = desk_of(ctx).api.post(f"{path_of(subscriber)}/transfer", body)
    _say_wallet(ctx, subscriber, done, json=json)


def _say_wallet(ctx: typer.Context, subscriber: str, done: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("wallet", done)
    else:
        screen.say(f"The wallet of {subscriber} holds {words.price(done['wallet'])} now.")


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("received", found)
        return
    screen.fields(words.fields({**found, "at": words.moment_whole(found["at"])}))


def _who(line: dict[str, Any]) -> str:
    return billing_words.who(line)
