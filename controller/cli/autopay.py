"""``lango autopay``: cards that are charged for what is owed, and standing orders."""

from datetime import date
from typing import Annotated, Any

import typer

from controller.api.mandate_shapes import Often
from controller.cli import billing_words, units, words
from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught
from controller.cli.files import calendar_day
from controller.cli.money import AMOUNT, Amount, Reason, Subscriber
from controller.cli.screen import toned
from controller.cli.subscribers import path_of

app = typer.Typer(no_args_is_help=True, help="Auto-pay: cards and standing orders.")

DAY = typed(calendar_day)
TONES = {"active": "good", "asked": "busy", "failing": "bad", "refused": "bad"}

Consent = Annotated[str, typer.Option(help="What was agreed to and how; it is kept.")]


@taught(
    app,
    "card",
    'lango autopay card 0712345678 100 --consent "asked for it by phone"',
    'lango autopay card 0712345678 2,999 --most 3,500 --consent "signed the form"',
)
def agree_card(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    *,
    consent: Consent,
    most: Annotated[
        int | None,
        typer.Option(parser=AMOUNT, metavar="AMOUNT", help="The most at once; else what is owed."),
    ] = None,
    json: Json = False,
) -> None:
    """Begin with a payment by card; from then on the card pays each morning what is owed."""
    desk = desk_of(ctx)
    body = {
        "amount": units.kes(amount),
        "most": None if most is None else units.kes(most),
        "consent": consent,
    }
    made = desk.api.post(f"{path_of(subscriber)}/mandates/card", body, timeout_s=60)
    if json:
        desk.screen.json("autopay-card", made)
        return
    if made["pay_at"]:
        desk.screen.line(made["pay_at"])
    why = f", {made['reason']}" if made["reason"] else ""
    where = "made at that page" if made["pay_at"] else f"{made['stage']}{why}"
    desk.screen.say(f"Consent {made['id']}: the first payment is {where}.")


@taught(
    app,
    "order",
    "lango autopay order 0712345678 2,999 --frequency monthly --from 2027-01-05"
    ' --until 2027-12-31 --consent "asked for it by phone"',
    "lango autopay order 0712345678 100 --frequency weekly --from 2027-01-05"
    ' --until 2027-03-31 --consent "signed the form" --json',
)
def agree_order(
    ctx: typer.Context,
    subscriber: Subscriber,
    amount: Amount,
    *,
    first: Annotated[
        date, typer.Option("--from", parser=DAY, metavar="DAY", help="The first day.")
    ],
    last: Annotated[date, typer.Option("--until", parser=DAY, metavar="DAY", help="The last day.")],
    consent: Consent,
    frequency: Annotated[Often, typer.Option(help="How often it pays.")] = Often.MONTHLY,
    json: Json = False,
) -> None:
    """Ask the subscriber's phone for a standing order with M-PESA."""
    desk = desk_of(ctx)
    body = {
        "amount": units.kes(amount),
        "frequency": frequency,
        "starts_on": first.isoformat(),
        "ends_on": last.isoformat(),
        "consent": consent,
    }
    made = desk.api.post(f"{path_of(subscriber)}/mandates/order", body, timeout_s=60)
    if json:
        desk.screen.json("autopay-order", made)
        return
    desk.screen.line(made["id"])
    asked = made["state"] == "asked"
    became = "the phone asks for the PIN now" if asked else f"{made['state']}, {made['end_reason']}"
    desk.screen.say(f"{words.price(made['amount'])} {made['frequency']}: {became}.")


@taught(
    app,
    "list",
    "lango autopay list 0712345678",
    "lango autopay list 0712345678 --json",
)
def list_mandates(ctx: typer.Context, subscriber: Subscriber, *, json: Json = False) -> None:
    """List what a subscriber agreed to, the newest first."""
    desk = desk_of(ctx)
    lines = desk.api.get(f"{path_of(subscriber)}/mandates")["data"]
    if json:
        desk.screen.json("autopay", {"data": lines})
        return
    desk.screen.table(
        ("CONSENT", "STATE", ">AMOUNT", "WHAT"),
        [
            (
                line["id"],
                toned(line["state"], TONES.get(line["state"], "quiet")),
                words.NOTHING if line["amount"] is None else words.price(line["amount"]),
                _what(line),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No auto-pay.")


@taught(
    app,
    "cancel",
    'lango autopay cancel 3f2c… --reason "moves away"',
    'lango autopay cancel 3f2c… --reason "lost the card" --json',
)
def cancel(
    ctx: typer.Context,
    consent: Annotated[str, typer.Argument(metavar="CONSENT", help="Its id.")],
    *,
    reason: Reason,
    json: Json = False,
) -> None:
    """End a consent: nothing is collected by it any more."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/mandates/{consent}/cancel", {"reason": reason})
    if json:
        desk.screen.json("autopay-consent", done)
        return
    desk.screen.fields(words.fields(done))
    if done["kind"] == "order":
        desk.screen.say("Its payer also ends it in the M-PESA menu, or it goes on paying.")


def _what(line: dict[str, Any]) -> str:
    if line["kind"] == "card":
        label = line["label"] or "card"
        return f"{label}, next {words.moment(line['next_at'])}" if line["next_at"] else label
    until = f" until {billing_words.day(line['ends_on'])}" if line["ends_on"] else ""
    return f"{line['frequency']}{until}"
