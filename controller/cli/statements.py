"""``lango statement import``, ``list`` and ``profile``: files of M-PESA and of banks."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli import billing_words, words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught
from controller.cli.faults import WrongUse

app = typer.Typer()

IMPORT_MAX_S = 300.0
"""A month of a large operator is many lines, and each is booked."""


@taught(
    app,
    "import",
    "lango statement import org-portal.csv",
    "lango statement import kcb-october.csv --rail bank --place 1234567890 --profile kcb",
)
def import_statement(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="MT940, camt.053, M-PESA's CSV, a bank's CSV.")
    ],
    *,
    rail: Annotated[str, typer.Option(help="If the file does not tell: mpesa, bank …")] = "",
    place: Annotated[str, typer.Option(help="The shortcode or account, if it does not tell.")] = "",
    profile: Annotated[str, typer.Option(help="How this bank writes its CSV.")] = "",
    json: Json = False,
) -> None:
    """Read a statement file and book what it tells; the same file again books nothing."""
    desk = desk_of(ctx)
    body = {
        "name": file.name,
        "file": base64.b64encode(_read(file)).decode(),
        "rail": rail,
        "place": place,
        "profile": profile,
    }
    done = desk.api.post("/api/v1/statements", body, timeout_s=IMPORT_MAX_S)
    if json:
        desk.screen.json("statement-file", done)
        return
    desk.screen.line(done["id"])
    where = f"{done['rail']} {done['place']}, {_days(done)}"
    if not done["is_new"]:
        desk.screen.say(f"{where}: this file was read before, nothing is booked again.")
        return
    more = "; the rest is booked in a moment" if done["left"] else ""
    desk.screen.say(f"{where}: {done['lines']} lines, {done['new_lines']} of them new{more}.")


@taught(app, "list", "lango statement list", "lango statement list --limit 200 --json")
def list_statements(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List statement files that were read, the newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/statements", limit=limit)
    if json:
        desk.screen.json("statement-files", {"data": lines})
        return
    desk.screen.table(
        ("STATEMENT", "OF", "DAYS", ">LINES", ">CLOSING"),
        [
            (
                line["id"],
                f"{line['rail']} {line['place']}",
                _days(line),
                str(line["lines"]),
                words.NOTHING if line["closing"] is None else words.price(line["closing"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No statements yet: lango statement import FILE.")


@taught(
    app,
    "profile",
    "lango statement profile",
    "lango statement profile kcb",
    'lango statement profile kcb --column "when=Transaction Date" --column text=Narrative'
    ' --column "paid_in=Money In" --column "paid_out=Money Out" --date %d/%m/%Y',
)
def profile(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="kcb; without it all of them.")] = "",
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(help="MEANING=TITLE: when, text, receipt, paid_in, paid_out, amount …"),
    ] = None,
    dates: Annotated[
        list[str] | None, typer.Option("--date", help="A form of its dates: %d/%m/%Y")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between columns.")] = ",",
    comma: Annotated[bool, typer.Option("--comma", help="Cents stand after a comma.")] = False,
    json: Json = False,
) -> None:
    """Show how a bank writes its CSV; with --column and --date save it."""
    desk = desk_of(ctx)
    if not name:
        if column or dates:
            raise WrongUse("say a NAME for this profile")
        lines = desk.api.get("/api/v1/statement-profiles")["data"]
        if json:
            desk.screen.json("statement-profiles", {"data": lines})
        else:
            desk.screen.table(("PROFILE", "COLUMNS"), [(p["name"], _columns(p)) for p in lines])
        return
    path = f"/api/v1/statement-profiles/{name}"
    if column or dates:
        body = {
            "columns": _titles(column or []),
            "dates": dates or [],
            "delimiter": delimiter,
            "comma": comma,
        }
        found = desk.api.put(path, body)
    else:
        found = desk.api.get(path)
    if json:
        desk.screen.json("statement-profile", found)
    else:
        desk.screen.fields(words.fields({**found, "columns": _columns(found)}))


def _titles(told: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in told:
        meaning, sign, title = one.partition("=")
        if not sign:
            raise WrongUse(f"--column {one}: want MEANING=TITLE, like when=Date")
        found.setdefault(meaning, []).append(title)
    return found


def _columns(found: dict[str, Any]) -> str:
    return ", ".join(
        f"{meaning}={title}" for meaning, titles in found["columns"].items() for title in titles
    )


def _days(line: dict[str, Any]) -> str:
    first, last = (billing_words.day(line[name]) for name in ("first_day", "last_day"))
    return first if first == last else f"{first} to {last}"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUse(f"cannot read {file}", why=error.strerror or str(error)) from error
