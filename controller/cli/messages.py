"""``lango sms``: text messages, what became of them, what they cost."""

from typing import Annotated

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Text messages: what became of them, what they cost.")


@taught(
    app,
    "list",
    "lango sms list",
    "lango sms list --limit 200 --json",
)
def list_messages(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List text messages, newest first. Their texts are not kept."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/messages", limit=limit)
    if json:
        desk.screen.json("messages", {"data": lines})
        return
    desk.screen.table(
        ("AT", "TO", "STATE", "PARTS", "COST", "PROBLEM"),
        [
            (
                words.moment(line["at"]),
                line["phone"],
                line["delivery"] or line["state"],
                str(line["parts"]),
                line["cost"] or words.NOTHING,
                line["problem"] or words.NOTHING,
            )
            for line in lines
        ],
    )


@taught(
    app,
    "cost",
    "lango sms cost",
    "lango sms cost --month 2026-11 --json",
)
def message_costs(
    ctx: typer.Context,
    month: Annotated[str, typer.Option(help="Of that month, like 2026-11; else of this one.")] = "",
    *,
    json: Json = False,
) -> None:
    """Say what the messages of a month cost, as far as carriers told."""
    desk = desk_of(ctx)
    told = desk.api.get("/api/v1/messages/costs", query={"month": month})
    if json:
        desk.screen.json("message-costs", told)
        return
    desk.screen.table(
        ("MONTH", "SENT", "PARTS", "DELIVERED", "FAILED", "COST", "UNPRICED"),
        [
            (
                told["month"],
                str(told["sent"]),
                str(told["parts"]),
                str(told["delivered"]),
                str(told["failed"]),
                f"KES {told['cost']}",
                str(told["unpriced"]),
            )
        ],
    )
