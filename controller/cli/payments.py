"""``lango payment``: attempts to collect; who paid and waits; what providers' codes mean."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from billing.msisdn import AIRTEL, MPESA
from billing.payment import PaymentState
from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Missing
from controller.cli.screen import toned
from controller.noc.board import PAYMENT_MOODS, WHY_MOODS, Why
from controller.payments import airtel_codes, codes
from controller.payments.codes import Meaning, Retry
from portal.captive import wallets
from portal.captive.text import Tongue

app = typer.Typer(no_args_is_help=True, help="Payments: made by customers, settled by providers.")


class Table(StrEnum):
    """A table of codes, by who says them and of what."""

    PUSH = "push"  # M-PESA, of a prompt
    INITIATOR = "initiator"  # M-PESA, of reversals, payments to phones, look-ups
    AIRTEL = "airtel"


TABLES: Mapping[Table, Mapping[str, Meaning]] = {
    Table.PUSH: codes.CODES,
    Table.INITIATOR: codes.INITIATOR_CODES,
    Table.AIRTEL: airtel_codes.CODES,
}
TO_DO = {
    Retry.NOTHING: "nothing, it is over",
    Retry.NEW_PUSH: "the payer may try again",
    Retry.WAIT: "try again in two minutes",
    Retry.KEEP_ASKING: "wait, it is still open",
    Retry.CONFIG: "trying again is useless until it is mended",
    Retry.UNKNOWN: "look in the statement",
}


@taught(
    app,
    "list",
    "lango payment list",
    "lango payment list --state unknown --json",
)
def list_payments(
    ctx: typer.Context,
    site: OfSite = None,
    state: Annotated[PaymentState | None, typer.Option(help="Only in this state.")] = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List payments, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "state": state.value if state else None}
    lines = desk.api.lines("/api/v1/payments", limit=limit, query=query)
    if json:
        desk.screen.json("payments", {"data": lines})
        return
    desk.screen.table(
        ("ORDER", "STATE", ">PRICE", "PHONE", "AT"),
        [
            (
                line["order_id"],
                toned(line["state"], PAYMENT_MOODS[PaymentState(line["state"])].tone),
                words.price(line["price"]),
                line["phone"],
                words.moment(line["created_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such payments.")


@taught(
    app,
    "show",
    "lango payment show 3f2c…",
    "lango payment show 3f2c… --json",
)
def show_payment(
    ctx: typer.Context,
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    *,
    json: Json = False,
) -> None:
    """Show one payment."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/payments/{order}")
    if json:
        desk.screen.json("payment", found)
    else:
        desk.screen.fields(words.fields(found))


@taught(
    app,
    "waiting",
    "lango payment waiting",
    "lango payment waiting --json",
)
def list_waiting(ctx: typer.Context, *, json: Json = False) -> None:
    """List who paid in the last day and is not connected. Normally nobody."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/payments/waiting")["data"]
    if json:
        desk.screen.json("payments-waiting", {"data": lines})
        return
    if not lines:
        desk.screen.say("Nobody: everybody who paid is connected.")
        return
    desk.screen.table(
        ("PHONE", "PLAN", "SITE", "PAID", "RECEIPT", "WHY"),
        [
            (
                line["phone"],
                line["plan_name"],
                line["site_id"],
                words.moment(line["paid_at"]),
                line["receipt"] or words.NOTHING,
                toned(line["waiting"], WHY_MOODS[Why(line["why"])].tone),
            )
            for line in lines
        ],
    )


@taught(
    app,
    "codes",
    "lango payment codes 1032",
    "lango payment codes --table airtel --json",
)
def list_codes(
    ctx: typer.Context,
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="Only this one.")] = None,
    *,
    table: Annotated[Table, typer.Option(help="Whose codes, and of what.")] = Table.PUSH,
    json: Json = False,
) -> None:
    """Say what a provider's codes mean, what the customer is told, and what to do."""
    wanted = None if code is None else codes.normal_code(code)
    lines = [
        _code(name, says, wallets.name(AIRTEL if table is Table.AIRTEL else MPESA))
        for name, says in TABLES[table].items()
        if code is None or name in {code, wanted}
    ]
    if not lines:
        raise Missing(
            f"there is no code {code} in the table {table.value}",
            why="what a code that is not known says is that nothing is decided",
            next_step="lango payment codes --table " + "|".join(one.value for one in Table),
        )
    screen = desk_of(ctx).screen
    if json:
        screen.json("payment-codes", {"table": table.value, "data": lines})
        return
    screen.table(
        ("CODE", "MEANING", "THE CUSTOMER IS TOLD", "WHAT TO DO", "SOURCE"),
        [tuple(line.values()) for line in lines],
    )


def _code(name: str, says: Meaning, wallet: str) -> dict[str, Any]:
    told = words.NOTHING
    if says.reason is not None:
        told = wallets.why_not(says.reason, wallet, Tongue("en"))
    return {
        "code": name,
        "meaning": says.text,
        "customer": told,
        "to_do": TO_DO[says.retry],
        "source": says.source,
    }
