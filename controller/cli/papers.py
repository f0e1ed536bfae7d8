"""``lango invoice pdf`` and ``lango statement SUBSCRIBER``: documents as people hold them."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught
from controller.cli.files import calendar_day, kind_of, must_be_new, written
from controller.cli.tables import report_table


class OrSubscriber(TyperGroup):
    """A group whose first word may also be a subscriber's: ``lango statement 0712345678``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read ``of`` in front of what is neither a command of this group nor a call for help."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["of", *args]
        return super().parse_args(ctx, args)


invoice = typer.Typer(no_args_is_help=True, help="Invoices, credit notes and receipts.")
statement = typer.Typer(
    cls=OrSubscriber,
    no_args_is_help=True,
    help="Statements: of accounts (lango statement 0712345678), and of banks and M-PESA.",
)

DAY = typed(calendar_day)
FORMS = ("json", "pdf", "csv", "xlsx", "html")

From = Annotated[
    date | None,
    typer.Option("--from", parser=DAY, metavar="DAY", help="The first day; else of this month."),
]
Until = Annotated[
    date | None,
    typer.Option("--until", parser=DAY, metavar="DAY", help="The day after the last one."),
]


@taught(
    invoice,
    "pdf",
    "lango invoice pdf INV-main-000042",
    "lango invoice pdf RCT-main-000007 --out receipt.pdf",
)
def invoice_pdf(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Its number, or its id.")],
    out: Annotated[
        Path | None, typer.Option(help="The new file; else the number with .pdf.")
    ] = None,
) -> None:
    """Write an invoice, credit note or receipt as PDF."""
    desk = desk_of(ctx)
    file = out or Path(f"{number}.pdf")
    must_be_new(file)
    written(file, desk.api.file(f"/api/v1/documents/{number}/pdf"))
    desk.screen.say(f"{number} is in {file}.")


@taught(
    statement,
    "of",
    "lango statement 0712345678 --from 2026-10-01 --until 2026-11-01",
    "lango statement 0712345678 --out statement.pdf",
)
def show_statement(
    ctx: typer.Context,
    subscriber: Annotated[
        str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
    ],
    since: From = None,
    until: Until = None,
    out: Annotated[
        Path | None, typer.Option(help="A new file: .pdf, .csv, .xlsx or .html.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """What moved on an account, with the balance before and after."""
    desk = desk_of(ctx)
    path, query = f"/api/v1/statements/{subscriber}", {"from": since, "until": until}
    if out is not None:
        must_be_new(out)
        written(out, desk.api.file(path, {**query, "format": kind_of(out, FORMS)}))
        desk.screen.say(f"The statement is in {out}.")
        return
    found = desk.api.get(path, query)
    if json:
        desk.screen.json("statement", found)
        return
    report_table(desk.screen, found)
