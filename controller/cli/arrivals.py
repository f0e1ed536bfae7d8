"""``lango arrival``: money that came in by any rail; what fits nobody is placed by staff."""

import re
from typing import Annotated, Any

import typer

from controller.cli import billing_words, units, words
from controller.cli.desk import Desk, Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import Missing
from controller.cli.screen import toned
from controller.noc.board import ARRIVAL_MOODS

app = typer.Typer(no_args_is_help=True, help="Money that came in, and whose it became.")

ID = re.compile(r"[0-9a-f]{32}")
HIDDEN = ("order", "deeds", "refunds", "for_staff")
SPEAKS = {
    "account": "the account number",
    "invoice": "an open invoice's number",
    "reference": "a reference of ours",
    "looks_alike": "looks alike",
    "one_off": "one slip off",
    "two_off": "two slips off",
    "amount": "owes just that",
    "names": "the name",
    "name": "a word of the name",
    "payer": "the payer's number",
    "payer_masked": "what is seen of the payer's number",
}
REFUNDS = {
    "created": ("is written down, and leaves in a moment", "busy"),
    "sent": ("has been sent; whether it was taken is not known yet", "busy"),
    "pending": ("is on its way", "busy"),
    "unknown": ("may have gone: nobody says; see the statement", "busy"),
    "refused": ("was refused; the money is where it was before", "bad"),
    "expired": ("was never sent", "quiet"),
    "settled": ("is given back", "good"),
}
"""What a refund's state means, and its tone."""

Money = Annotated[str, typer.Argument(metavar="MONEY", help="Its id, or its receipt: SGH7K2Q0XD")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


@taught(
    app,
    "list",
    "lango arrival list --search SGH7K2Q0XD",
    "lango arrival list --state suspense --rail mpesa --json",
)
def list_arrivals(
    ctx: typer.Context,
    *,
    search: Annotated[
        str | None, typer.Option(help="A receipt, or a part of the reference or payer's name.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="doubted, suspense, credited or returned.")
    ] = None,
    rail: Annotated[str | None, typer.Option(help="mpesa, airtel, card, bank, cash …")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List money that came in, newest first."""
    desk = desk_of(ctx)
    query = {"q": search, "state": state, "rail": rail}
    lines = desk.api.lines("/api/v1/arrivals", limit=limit, query=query)
    if json:
        desk.screen.json("arrivals", {"data": lines})
        return
    desk.screen.table(
        ("MONEY", "AT", "STATE", "RECEIPT", ">AMOUNT"),
        [
            (
                line["id"],
                words.moment(line["at"]),
                _state(line),
                line["receipt"],
                words.price(line["amount"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such money.")


@taught(
    app,
    "unmatched",
    "lango arrival unmatched",
    "lango arrival unmatched --json",
)
def list_unmatched(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List money that waits for you, the oldest first: it fits nobody, or is not confirmed."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/arrivals/unmatched", limit=limit)
    if json:
        desk.screen.json("arrivals-unmatched", {"data": lines})
        return
    desk.screen.table(
        ("MONEY", "AT", "RECEIPT", "TYPED", ">AMOUNT"),
        [
            (
                line["id"],
                words.day(line["at"]),
                line["receipt"],
                line["reference"] or words.NOTHING,
                words.price(line["amount"]),
            )
            for line in lines
        ],
    )
    if lines:
        desk.screen.say("Who it may be: lango arrival show MONEY.")
    else:
        desk.screen.say("None: all money that came in is somebody's.")


@taught(
    app,
    "show",
    "lango arrival show SGH7K2Q0XD",
    "lango arrival show 3f2c… --json",
)
def show_arrival(ctx: typer.Context, money: Money, *, json: Json = False) -> None:
    """Show money: how it was seen, what it paid, what was done with it, and who it may be."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/arrivals/{_id_of(desk, money)}")
    _show(desk, found, json=json)
    if found["for_staff"] and not json:
        _say_suggestions(desk, found)


@taught(
    app,
    "assign",
    'lango arrival assign SGH7K2Q0XD 0712345678 --reason "typed the house number"',
    'lango arrival assign 3f2c… 0712345678 --reason "called, knew the amount" --json',
)
def assign(
    ctx: typer.Context,
    money: Money,
    subscriber: Annotated[
        str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
    ],
    *,
    reason: Reason,
    json: Json = False,
) -> None:
    """Give money to a subscriber: it pays what is open. Again changes nothing."""
    desk = desk_of(ctx)
    path = f"/api/v1/arrivals/{_id_of(desk, money)}/assign"
    done = desk.api.post(path, {"subscriber": subscriber, "reason": reason})
    if json:
        desk.screen.json("arrival", done)
        return
    desk.screen.line(done["id"])
    desk.screen.say(f"{words.price(done['amount'])} is {billing_words.who(done)}'s now.")


@taught(
    app,
    "refund",
    'lango arrival refund SGH7K2Q0XD --reason "paid twice"',
    'lango arrival refund SGH7K2Q0XD --amount 200 --reason "half the month" --json',
)
def refund(
    ctx: typer.Context,
    money: Money,
    *,
    reason: Reason,
    amount: Annotated[
        int | None, typer.Option(parser=typed(units.minor), help="A part, in KES; else all.")
    ] = None,
    json: Json = False,
) -> None:
    """Give money back to who paid it; access that it paid for ends at once."""
    desk = desk_of(ctx)
    path = f"/api/v1/arrivals/{_id_of(desk, money)}/refund"
    body = {"reason": reason, "amount": None if amount is None else units.kes(amount)}
    done = desk.api.post(path, body)
    if json:
        desk.screen.json("refund", done)
        return
    desk.screen.line(done["id"])
    desk.screen.say(f"{words.price(done['amount'])} of {done['of_receipt']} {refund_words(done)}.")


def refund_words(line: dict[str, Any]) -> str:
    """What a refund's state means."""
    return REFUNDS[line["state"]][0]


def refund_row(line: dict[str, Any]) -> tuple[Any, ...]:
    """A refund as one line of a table."""
    return (
        line["id"],
        words.moment(line["created_at"]),
        toned(line["state"], REFUNDS[line["state"]][1]),
        line["of_receipt"],
        words.price(line["amount"]),
    )


REFUND_HEADINGS = ("REFUND", "AT", "STATE", "OF", ">AMOUNT")


def _id_of(desk: Desk, money: str) -> str:
    """The id of money that is named by its id or its receipt. Raises `Fault`."""
    if ID.fullmatch(money):
        return money
    lines = desk.api.lines("/api/v1/arrivals", limit=50, query={"q": money})
    named = [line for line in lines if line["receipt"] == money.strip().upper()]
    if len(named) == 1:
        return str(named[0]["id"])
    what = f"no money with the receipt {money}" if not named else f"more than one {money}"
    raise Missing(f"there is {what}", next_step=f"lango arrival list --search {money}")


def _show(desk: Desk, found: dict[str, Any], *, json: bool) -> None:
    screen = desk.screen
    if json:
        screen.json("arrival", found)
        return
    plain = {name: found[name] for name in found if name not in HIDDEN}
    screen.fields(words.fields({**plain, "at": words.moment_whole(found["at"])}))
    if found["order"]:
        order = found["order"]
        bought = order["plan_name"] or "money for an account"
        screen.say(f"It paid order {order['order_id']}: {bought}.")
    if found["deeds"]:
        screen.line("")
        screen.table(
            ("DONE", "AT", "BY", "WHY"),
            [
                (one["what"], words.moment(one["at"]), one["who"], one["detail"])
                for one in found["deeds"]
            ],
        )
    if found["refunds"]:
        screen.line("")
        screen.table(REFUND_HEADINGS, [refund_row(line) for line in found["refunds"]])


def _say_suggestions(desk: Desk, found: dict[str, Any]) -> None:
    lines = desk.api.get(f"/api/v1/arrivals/{found['id']}/suggestions")["data"]
    if lines:
        desk.screen.line("")
        desk.screen.table(
            ("MAY BE", "NAME", "FOR IT SPEAKS", ">POINTS", ">OWES"),
            [
                (
                    line["phone"],
                    line["name"] or words.NOTHING,
                    ", ".join(SPEAKS[one] for one in line["reasons"]),
                    str(line["points"]),
                    _owes(line),
                )
                for line in lines
            ],
        )
        whose = lines[0]["phone"]
    else:
        desk.screen.say("Nobody comes near what was typed.")
        whose = "PHONE"
    desk.screen.say(f"Give it: lango arrival assign {found['id']} {whose} --reason …")
    desk.screen.say(f"Or back: lango arrival refund {found['id']} --reason …")


def _owes(line: dict[str, Any]) -> str:
    opened = [words.money(one["open"]) for one in line["owed"]]
    if not opened:
        return words.NOTHING
    total = opened[0]
    for one in opened[1:]:
        total += one
    return str(total)


def _state(line: dict[str, Any]) -> Any:
    mood = ARRIVAL_MOODS[line["state"]]
    return toned(mood.word if line["for_staff"] else line["state"], mood.tone)
