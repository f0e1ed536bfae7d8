"""``lango voucher``: prepaid codes."""

import csv
from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.voucher import VoucherCode
from billing.voucher import shown as shown_code
from controller.cli import units, words
from controller.cli.desk import Desk, Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.files import must_be_new, written
from controller.reports.table import harmless

app = typer.Typer(no_args_is_help=True, help="Vouchers: prepaid codes, made in batches.")

DAY = typed(units.day)

MAKE_MAX_S = 120.0
"""Each code is hashed slowly for the sites: ten thousand of them take a while."""


@taught(
    app,
    "list",
    "lango voucher list",
    "lango voucher list --json",
)
def list_batches(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the batches, newest first. Codes are never shown again."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/vouchers", limit=limit)
    if json:
        desk.screen.json("voucher-batches", {"data": lines})
        return
    desk.screen.table(
        ("BATCH", "PLAN", "MADE", "EXPIRES", ">COUNT", ">USED"),
        [
            (
                line["batch"],
                line["plan_id"],
                words.moment(line["created_at"]),
                words.moment_far(line["expires_at"]),
                str(line["count"]),
                str(line["redeemed"]),
            )
            for line in lines
        ],
    )


@taught(
    app,
    "create",
    "lango voucher create --plan h2 --count 24",
    "lango voucher create --plan h2 --count 24 --sheet slips.pdf --csv codes.csv",
    "lango voucher create --plan h2 --count 100 --site estate-1 > codes.txt",
)
def create_vouchers(
    ctx: typer.Context,
    plan: Annotated[str, typer.Option(help="The plan's id.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")],
    expires: Annotated[
        datetime | None,
        typer.Option(parser=DAY, metavar="DAY", help="Good until 2027-01-31 begins, in Nairobi."),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="Good there with the link down; else at every site. Repeat it."),
    ] = None,
    *,
    online_only: Annotated[
        bool, typer.Option("--online-only", help="Good nowhere while the link is down.")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Write slips to cut to this new PDF file.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the codes to this new CSV file.")
    ] = None,
    branch: Annotated[str, typer.Option(help="Whose help phone the slips show.")] = "main",
    json: Json = False,
) -> None:
    """Make a batch of codes and print them, one a line. They are shown this once."""
    desk = desk_of(ctx)
    for file in (sheet, csv_file):
        must_be_new(file)
    body = {
        "plan_id": plan,
        "count": count,
        "expires_at": expires.isoformat() if expires else None,
        "sites": site or None,
        "online_only": online_only,
    }
    made = desk.api.post("/api/v1/vouchers", body, timeout_s=MAKE_MAX_S)
    # The codes are nowhere else: they are printed first, should anything below go wrong.
    if json:
        desk.screen.json("vouchers", made)
    else:
        for code in made["codes"]:
            desk.screen.line(code)
    _on_paper(desk, {**body, **made}, sheet=sheet, csv_file=csv_file, branch=branch)
    desk.screen.say(f"Batch {made['batch']}: {len(made['codes'])} codes, shown this once.")


def _on_paper(
    desk: Desk, made: Mapping[str, Any], *, sheet: Path | None, csv_file: Path | None, branch: str
) -> None:
    """Write what was asked for beside the codes themselves."""
    if csv_file is not None:
        plan = desk.api.get(f"/api/v1/plans/{made['plan_id']}")
        written(csv_file, csv_of(made, plan))
        desk.screen.say(f"Codes are in {csv_file}.")
    if sheet is not None:
        body = {"batch": made["batch"], "codes": made["codes"], "branch": branch}
        slips = desk.api.file("/api/v1/vouchers/sheet", body=body, timeout_s=MAKE_MAX_S)
        written(sheet, slips)
        desk.screen.say(f"Slips are in {sheet}.")


def csv_of(made: Mapping[str, Any], plan: Mapping[str, Any]) -> bytes:
    """The codes of a batch, each with what it opens."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("code", "plan", "price", "currency", "expires_at", "batch"))
    price = plan["price"]
    about = (harmless(plan["name"]), price["amount"], price["currency"], made["expires_at"] or "")
    writer.writerows(
        (shown_code(VoucherCode(code)), *about, made["batch"]) for code in made["codes"]
    )
    return out.getvalue().encode("utf-8-sig")


@taught(
    app,
    "doubles",
    "lango voucher doubles",
    "lango voucher doubles --json",
)
def list_doubles(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the codes that were redeemed twice while a link was down, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/vouchers/doubles", limit=limit)
    if json:
        desk.screen.json("double-redemptions", {"data": lines})
        return
    desk.screen.table(
        ("GRANT", "SITE", "PLAN", ">LOST", "FOUND"),
        [
            (
                line["grant_id"],
                line["site_id"],
                line["plan_id"],
                words.price(line["lost"]),
                words.moment(line["found_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No code was redeemed twice.")
