"""``lango report``: what was earned, what is owed, which taxes are due, who sold vouchers."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught
from controller.cli.files import kind_of, must_be_new, written
from controller.cli.papers import From, Until
from controller.cli.tables import report_table
from controller.reports.earned import By
from controller.reports.table import Basis, Name

app = typer.Typer()

FORMS = ("json", "csv", "xlsx")
REPORT_MAX_S = 60.0

TOO_WIDE = {
    Name.OUTSTANDING: ("branch", "not_due", "1-30", "31-60", "61-90", "over_90"),
    Name.AGEING: ("invoices",),
}
"""Columns for which a terminal has no room; files and JSON have them."""


@taught(
    app,
    "report",
    "lango report revenue --from 2026-10-01 --until 2026-11-01 --by branch --by plan",
    "lango report tax --basis cash --out taxes.xlsx",
    "lango report outstanding --json",
)
def show_report(
    ctx: typer.Context,
    name: Annotated[Name, typer.Argument(metavar="REPORT", help="Which report.")],
    *,
    since: From = None,
    until: Until = None,
    basis: Annotated[
        Basis, typer.Option(help="Income counts when it is invoiced, or when it is paid.")
    ] = Basis.ACCRUAL,
    branch: Annotated[str, typer.Option(help="Only of this branch.")] = "",
    by: Annotated[
        list[By] | None, typer.Option(help="What tells revenue apart; else days. Repeat it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A new file: .csv or .xlsx.")] = None,
    json: Json = False,
) -> None:
    """Report on a span of days: the last one is the day before --until."""
    desk = desk_of(ctx)
    query = {
        "from": since,
        "until": until,
        "basis": basis.value,
        "branch": branch,
        "by": [one.value for one in by or [By.DAY]],
    }
    path = f"/api/v1/reports/{name.value}"
    if out is not None:
        must_be_new(out)
        query["format"] = kind_of(out, FORMS)
        written(out, desk.api.file(path, query, timeout_s=REPORT_MAX_S))
        desk.screen.say(f"The report is in {out}.")
        return
    found = desk.api.get(path, query)
    if json:
        desk.screen.json(f"report-{name.value}", found)
        return
    report_table(desk.screen, found, without=TOO_WIDE.get(name, ()))
