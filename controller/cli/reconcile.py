"""``lango reconcile``: days against their statements; ``lango difference``: what does not fit."""

from datetime import date
from typing import Annotated, Any

import typer

from controller.api.statement_shapes import DifferenceState
from controller.cli import billing_words, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.files import calendar_day
from controller.cli.screen import toned

app = typer.Typer(no_args_is_help=True, help="Reconciliation: each day against its statement.")
difference = typer.Typer(
    no_args_is_help=True, help="What statements and our books do not agree in."
)

DAY = typed(calendar_day)
TONES = {"open": "bad", "explained": "good", "gone": "quiet"}

OfRail = Annotated[str | None, typer.Option("--rail", help="Only of this rail: mpesa, bank …")]
OfPlace = Annotated[str | None, typer.Option("--place", help="Only of this shortcode or account.")]


@taught(
    app,
    "run",
    "lango reconcile run mpesa 600111 2026-11-22",
    "lango reconcile run bank 1234567890 2026-11-22 --json",
)
def run(
    ctx: typer.Context,
    rail: Annotated[str, typer.Argument(metavar="RAIL", help="mpesa, airtel, card, bank …")],
    place: Annotated[str, typer.Argument(metavar="PLACE", help="The shortcode or account.")],
    day: Annotated[date, typer.Argument(parser=DAY, metavar="DAY", help="2026-11-22")],
    *,
    json: Json = False,
) -> None:
    """Compare a day now, and list what differs."""
    desk = desk_of(ctx)
    body = {"rail": rail, "place": place, "day": day.isoformat()}
    done = desk.api.post("/api/v1/reconciliations", body, timeout_s=60)
    if json:
        desk.screen.json("reconciliation", done)
        return
    _differences(ctx, done["differences"])
    sums = f"told {words.price(done['told'])}, booked {words.price(done['booked'])}"
    desk.screen.say(f"{sums}, {len(done['differences'])} differences.")


@taught(
    app,
    "list",
    "lango reconcile list",
    "lango reconcile list --rail mpesa --place 600111 --json",
)
def list_days(
    ctx: typer.Context,
    rail: OfRail = None,
    place: OfPlace = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List what days came to, the newest first."""
    desk = desk_of(ctx)
    query = {"rail": rail, "place": place}
    lines = desk.api.lines("/api/v1/reconciliations", limit=limit, query=query)
    if json:
        desk.screen.json("reconciliations", {"data": lines})
        return
    desk.screen.table(
        ("DAY", "OF", ">TOLD", ">BOOKED", ">DIFFERENCES"),
        [
            (
                billing_words.day(line["day"]),
                f"{line['rail']} {line['place']}",
                words.price(line["told"]),
                words.price(line["booked"]),
                str(line["differences"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No day was compared yet: that wants a statement.")


@taught(
    difference,
    "list",
    "lango difference list --state open",
    "lango difference list --rail mpesa --day 2026-11-22 --json",
)
def list_differences(
    ctx: typer.Context,
    state: Annotated[DifferenceState | None, typer.Option(help="Only in this state.")] = None,
    rail: OfRail = None,
    place: OfPlace = None,
    day: Annotated[
        date | None, typer.Option(parser=DAY, metavar="DAY", help="Only of this day.")
    ] = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List what statements and our books do not agree in, the newest day first."""
    desk = desk_of(ctx)
    query = {"state": state, "rail": rail, "place": place, "day": day}
    lines = desk.api.lines("/api/v1/differences", limit=limit, query=query)
    if json:
        desk.screen.json("differences", {"data": lines})
        return
    _differences(ctx, lines)
    if not lines:
        desk.screen.say("No such differences.")


@taught(
    difference,
    "explain",
    'lango difference explain 3f2c… "paid in cash at the branch, the receipt is misspelt"',
    'lango difference explain 3f2c… "fee of October" --json',
)
def explain(
    ctx: typer.Context,
    named: Annotated[str, typer.Argument(metavar="DIFFERENCE", help="Its id.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Why it is none to worry about.")],
    *,
    json: Json = False,
) -> None:
    """Keep why a difference is none to worry about."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/differences/{named}/explain", {"text": text})
    if json:
        desk.screen.json("difference", done)
    else:
        desk.screen.fields(words.fields(done))


def _differences(ctx: typer.Context, lines: list[dict[str, Any]]) -> None:
    desk_of(ctx).screen.table(
        ("DIFFERENCE", "STATE", "WHAT", ">TOLD", ">BOOKED"),
        [
            (
                line["id"],
                toned(line["state"], TONES[line["state"]]),
                _what(line),
                *(_side(line[side]) for side in ("told", "booked")),
            )
            for line in lines
        ],
    )


def _what(line: dict[str, Any]) -> str:
    kind = line["kind"].replace("_", " ").replace(":", " ")
    return f"{billing_words.day(line['day'])} {line['receipt']} {kind}"


def _side(shape: dict[str, str] | None) -> str:
    return words.NOTHING if shape is None else words.price(shape)
