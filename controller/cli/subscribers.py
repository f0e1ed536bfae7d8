"""``lango subscriber``: who pays and is granted."""

from typing import Annotated, Any

import typer

from controller.cli import billing_words, words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Degraded
from controller.cli.screen import Screen, toned
from controller.usecases.subscribers import Segment

app = typer.Typer(no_args_is_help=True, help="Subscribers: who pays and is granted.")

Subscriber = Annotated[
    str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
]
Name = Annotated[str | None, typer.Option(help="Wanjiku Kamau")]
Email = Annotated[str | None, typer.Option(help="Where documents are sent.")]
Address = Annotated[str | None, typer.Option(help="On invoices.")]
KraPin = Annotated[str | None, typer.Option(help="On invoices: A012345678Z")]
OfSegment = Annotated[Segment | None, typer.Option("--segment", help="Whose prices hold.")]
Branch = Annotated[str | None, typer.Option(help="The branch's id.")]
Language = Annotated[str | None, typer.Option(help="en or sw.")]
ReferredBy = Annotated[str | None, typer.Option(help="The phone of who brought them.")]

SIGNS = {"right": "ok", "wrong": "!!", "unknown": "??"}
MARKS = {"right": "good", "wrong": "bad", "unknown": "quiet"}
HIDDEN = ("subscriptions", "documents", "to_pay")
WHY = {
    "debt": "an invoice is overdue",
    "unpaid": "the wallet does not hold the price",
    "staff": "staff stopped it; no money changes that: lango subscription resume {id}",
}


def digits_of(subscriber: str | None) -> str | None:
    """A phone, or an id, without the spaces and signs with which phones are typed."""
    return None if subscriber is None else "".join(c for c in subscriber if c not in " -+()./")


def path_of(subscriber: str) -> str:
    """Where a subscriber is in the API."""
    return f"/api/v1/subscribers/{digits_of(subscriber)}"


@taught(
    app,
    "list",
    "lango subscriber list --search wanjiku",
    "lango subscriber list --search 0712 --branch thika --json",
)
def list_subscribers(
    ctx: typer.Context,
    *,
    search: Annotated[str | None, typer.Option(help="A part of the name or phone.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only of this branch.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List subscribers, newest first, with what they hold and owe."""
    desk = desk_of(ctx)
    query = {"search": search, "branch_id": branch}
    lines = desk.api.lines("/api/v1/subscribers", limit=limit, query=query)
    if json:
        desk.screen.json("subscribers", {"data": lines})
        return
    desk.screen.table(
        ("PHONE", "NAME", "SEGMENT", "BRANCH", ">WALLET", ">OWES"),
        [
            (
                line["phone"],
                line["name"] or words.NOTHING,
                line["segment"],
                line["branch_id"],
                words.price(line["wallet"]),
                words.price(line["owed"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such subscribers.")


@taught(
    app,
    "show",
    "lango subscriber show 0712345678",
    "lango subscriber show 0712345678 --json",
)
def show_subscriber(ctx: typer.Context, subscriber: Subscriber, *, json: Json = False) -> None:
    """Show one subscriber: contact, money, subscriptions, and the last documents."""
    desk = desk_of(ctx)
    found = desk.api.get(path_of(subscriber))
    if json:
        desk.screen.json("subscriber", found)
        return
    plain = {name: found[name] for name in found if name not in HIDDEN}
    desk.screen.fields(words.fields(plain))
    if found["subscriptions"]:
        desk.screen.line("")
        desk.screen.table(
            ("SUBSCRIPTION", "PLAN", "STATE", "BILLED UNTIL"),
            [subscription_row(line) for line in found["subscriptions"]],
        )
    if found["documents"]:
        desk.screen.line("")
        desk.screen.table(
            ("DOCUMENT", "ISSUED", "DUE", ">TOTAL", ">OPEN"),
            [document_row(line) for line in found["documents"]],
        )
    for line in found["subscriptions"]:
        if line["hold"]:
            why = WHY[line["hold"]].format(id=line["id"])
            desk.screen.say(f"{line['plan_id']} is suspended: {why}.")
    if found["to_pay"]:
        desk.screen.say(to_go_on(found))


@taught(
    app,
    "why",
    "lango subscriber why 0712345678",
    "lango subscriber why 0712345678 --json",
)
def why_not_online(ctx: typer.Context, subscriber: Subscriber, *, json: Json = False) -> None:
    """Why is this customer not online? Names the first thing that is wrong, and what to do."""
    desk = desk_of(ctx)
    found = desk.api.get(f"{path_of(subscriber)}/why")
    if json:
        desk.screen.json("why", found)
        return
    for answer in found["answers"]:
        _answer(desk.screen, answer)
    if not found["online"]:
        raise Degraded(f"{found['phone']} is not online")
    desk.screen.say(f"{found['phone']} is online.")


def _answer(screen: Screen, answer: dict[str, Any]) -> None:
    """What to do first; then the chain, a line a link, with what each rests on."""
    wrong = next((one for one in answer["steps"] if one["step"] == answer["wrong"]), None)
    if wrong is not None:
        screen.line(f"!! {wrong['step'].upper()}: {wrong['says']}")
        screen.line(f"   {wrong['to_do']}")
    elif answer["online"]:
        screen.line(f"ok {answer['plan']}: online")
    screen.table(
        ("", "LINK", answer["plan"].upper() or "NOTHING BOUGHT"),
        [
            (toned(SIGNS[one["mark"]], MARKS[one["mark"]]), one["step"], _found(one))
            for one in answer["steps"]
        ],
    )
    screen.line("")


def _found(finding: dict[str, Any]) -> str:
    rests = [
        f"{one['name']} {one['value'] or words.moment_whole(one['at'])}"
        for one in finding["evidence"]
    ]
    return "\n".join([finding["says"], *(f"  {one}" for one in rests)])


def to_go_on(found: dict[str, Any]) -> str:
    """What brings back a subscriber's service, and the command that takes it."""
    amount = found["to_pay"]["amount"]
    return f"{words.price(found['to_pay'])} brings it back: lango receive {found['phone']} {amount}"


def subscription_row(line: dict[str, Any]) -> tuple[Any, ...]:
    """A subscription as one line of a table."""
    return (
        line["id"],
        line["plan_id"],
        toned(billing_words.state(line), billing_words.TONES[line["state"]]),
        words.moment(line["paid_until"]),
    )


def document_row(line: dict[str, Any]) -> tuple[str, ...]:
    """A document as one line of a table."""
    return (
        line["number"],
        words.moment(line["issued_at"]),
        words.moment(line["due_at"]),
        words.price(line["total"]),
        words.NOTHING if line["open"] is None else words.price(line["open"]),
    )


@taught(
    app,
    "add",
    'lango subscriber add 0712345678 --name "Wanjiku Kamau"',
    "lango subscriber add 0712345678 --name Duka --segment business --kra-pin P051234567X",
)
def add_subscriber(
    ctx: typer.Context,
    phone: Annotated[str, typer.Argument(metavar="PHONE", help="Also the account's number.")],
    *,
    name: Name = None,
    email: Email = None,
    address: Address = None,
    kra_pin: KraPin = None,
    segment: OfSegment = None,
    branch: Branch = None,
    language: Language = None,
    referred_by: ReferredBy = None,
    json: Json = False,
) -> None:
    """Make a subscriber."""
    body = {
        "phone": phone,
        "name": name,
        "email": email,
        "address": address,
        "kra_pin": kra_pin,
        "segment": segment,
        "branch_id": branch,
        "language": language,
        "referred_by": referred_by,
    }
    _show(ctx, desk_of(ctx).api.post("/api/v1/subscribers", body), json=json)


@taught(
    app,
    "change",
    'lango subscriber change 0712345678 --name "Wanjiku Kamau"',
    "lango subscriber change 0712345678 --branch thika --language sw --json",
)
def change_subscriber(
    ctx: typer.Context,
    subscriber: Subscriber,
    *,
    name: Name = None,
    email: Email = None,
    address: Address = None,
    kra_pin: KraPin = None,
    segment: OfSegment = None,
    branch: Branch = None,
    language: Language = None,
    referred_by: ReferredBy = None,
    json: Json = False,
) -> None:
    """Change what is known of a subscriber; what is not said stays."""
    body = {
        "name": name,
        "email": email,
        "address": address,
        "kra_pin": kra_pin,
        "segment": segment,
        "branch_id": branch,
        "language": language,
        "referred_by": referred_by,
    }
    _show(ctx, desk_of(ctx).api.post(path_of(subscriber), body), json=json)


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("subscriber", found)
    else:
        screen.fields(words.fields(found))
