"""``lango billing``: what falls due by itself, before and after."""

from datetime import datetime
from typing import Annotated, Any

import typer

from controller.cli import billing_words, units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Billing: what falls due by itself, before and after it is done."
)

DAY = typed(units.day)
RUN_MAX_S = 1_800.0

LISTS = {
    "billed": "will be billed",
    "renewed": "will be renewed",
    "lapsing": "will lapse",
    "resumed": "will be resumed",
    "reminded": "will be reminded",
    "charged_late": "late fee",
    "suspended": "will be suspended",
    "recovered": "to recovery",
}


@taught(
    app,
    "preview",
    "lango billing preview",
    "lango billing preview --until 2026-12-01 --names",
)
def preview(
    ctx: typer.Context,
    *,
    until: Annotated[
        datetime | None,
        typer.Option(parser=DAY, metavar="DAY", help="Until this day begins; else for a day."),
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="Who, not only how many.")] = False,
    json: Json = False,
) -> None:
    """Say what will be billed, renewed, suspended …, if nothing happens before. Changes nothing."""
    desk = desk_of(ctx)
    query = {"upto": until.isoformat() if until else None}
    found = desk.api.get("/api/v1/billing-runs/preview", query)
    if json:
        desk.screen.json("billing-preview", found)
        return
    invoices = billing_words.count(found["invoices"], "invoice comes", "invoices come")
    paid = f"wallets pay {words.price(found['paid'])} at once"
    desk.screen.line(f"Until {words.moment_far(found['upto'])}:")
    desk.screen.line(f"  {invoices} to {words.price(found['amount'])}; {paid}")
    for sentence in found["sentences"]:
        desk.screen.line(f"  {sentence}")
    whom = _named(found) if names else []
    if whom:
        desk.screen.line("")
        desk.screen.table(("PHONE", "NAME", "WHAT"), whom)


def _named(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (one["phone"], one["name"] or words.NOTHING, what)
        for kind, what in LISTS.items()
        for one in found[kind]["named"]
    ]


@taught(app, "now", "lango billing now", "lango billing now --json")
def run_now(ctx: typer.Context, *, json: Json = False) -> None:
    """Do all that is due. It is done by itself too, within half a minute."""
    desk = desk_of(ctx)
    done = desk.api.post("/api/v1/billing-runs/now", timeout_s=RUN_MAX_S)
    if json:
        desk.screen.json("billing-done", done)
        return
    billed = billing_words.count(done["billed"], "subscription", "subscriptions")
    dunned = billing_words.count(done["dunned"], "step", "steps")
    desk.screen.say(f"{billed} billed, {dunned} of dunning taken.")


@taught(app, "list", "lango billing list", "lango billing list --limit 5 --json")
def list_runs(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the rounds of due work that found something to do, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/billing-runs", limit=limit)
    if json:
        desk.screen.json("billing-runs", {"data": lines})
        return
    desk.screen.table(
        ("BEGAN", "DID"),
        [
            (
                words.moment_far(line["began_at"]),
                ", ".join(f"{what} {count:,}" for what, count in line["done"].items()),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nothing has fallen due yet.")
