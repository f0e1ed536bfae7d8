"""``lango price``: what a plan costs whom, where and when."""

from datetime import datetime
from typing import Annotated, Any

import typer

from controller.cli import billing_words, units, words
from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught
from controller.cli.screen import toned
from controller.usecases.subscribers import Segment

app = typer.Typer(no_args_is_help=True, help="Prices: what a plan costs whom, where and when.")

DAY = typed(units.day)
AMOUNT = typed(units.minor)
TONES = {"holds": "good", "to_come": "busy", "over": "quiet"}

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]


@taught(app, "list", "lango price list home20", "lango price list home20 --json")
def list_prices(ctx: typer.Context, plan: PlanId, *, json: Json = False) -> None:
    """List a plan's prices, and what it costs today for whom."""
    desk = desk_of(ctx)
    own = desk.api.get(f"/api/v1/plans/{plan}")["price"]
    lines = desk.api.get(f"/api/v1/plans/{plan}/prices")["data"]
    holding = desk.api.get(f"/api/v1/plans/{plan}/prices/holding")["data"]
    if json:
        desk.screen.json("prices", {"price": own, "data": lines, "holding": holding})
        return
    _table(ctx, lines)
    desk.screen.line("")
    others = [line for line in holding if line["amount"] != own]
    desk.screen.table(
        ("TODAY FOR", "AT BRANCH", ">PRICE"),
        [
            *((line["segment"], line["branch_id"], words.price(line["amount"])) for line in others),
            ("everybody else" if others else "everybody", billing_words.EVERY, words.price(own)),
        ],
    )


@taught(
    app,
    "add",
    "lango price add home20 4,500 --segment business",
    "lango price add home20 2,500 --branch thika --from 2027-01-01 --until 2027-04-01",
)
def add_price(
    ctx: typer.Context,
    plan: PlanId,
    amount: Annotated[int, typer.Argument(parser=AMOUNT, metavar="AMOUNT", help="In KES: 2,500")],
    *,
    segment: Annotated[Segment | None, typer.Option(help="Only for these.")] = None,
    branch: Annotated[str, typer.Option(help="Only at this branch.")] = "",
    from_day: Annotated[
        datetime | None,
        typer.Option("--from", parser=DAY, metavar="DAY", help="2027-01-31; else from today."),
    ] = None,
    until_day: Annotated[
        datetime | None,
        typer.Option("--until", parser=DAY, metavar="DAY", help="It ends when this day begins."),
    ] = None,
    json: Json = False,
) -> None:
    """Let a plan cost another amount. The same again changes nothing."""
    body = {
        "amount": units.kes(amount),
        "segment": segment or "",
        "branch_id": branch,
        "from_day": from_day.date().isoformat() if from_day else None,
        "until_day": until_day.date().isoformat() if until_day else None,
    }
    _after(ctx, desk_of(ctx).api.post(f"/api/v1/plans/{plan}/prices", body), json=json)


@taught(
    app,
    "end",
    "lango price end home20 3f2c… --until 2027-04-01",
    "lango price end home20 3f2c… --json",
)
def end_price(
    ctx: typer.Context,
    plan: PlanId,
    price: Annotated[str, typer.Argument(metavar="PRICE", help="The price's id.")],
    *,
    until_day: Annotated[
        datetime | None,
        typer.Option("--until", parser=DAY, metavar="DAY", help="When this day begins; else now."),
    ] = None,
    json: Json = False,
) -> None:
    """Let a price end; one that never held then is removed."""
    body = {"until_day": until_day.date().isoformat() if until_day else None}
    left = desk_of(ctx).api.post(f"/api/v1/plans/{plan}/prices/{price}/end", body)
    _after(ctx, left, json=json)


def _after(ctx: typer.Context, page: dict[str, Any], *, json: bool) -> None:
    if json:
        desk_of(ctx).screen.json("prices", {"data": page["data"]})
    else:
        _table(ctx, page["data"])


def _table(ctx: typer.Context, lines: list[dict[str, Any]]) -> None:
    screen = desk_of(ctx).screen
    screen.table(
        ("PRICE", "FOR", ">AMOUNT", "FROM", "UNTIL"),
        [
            (
                line["id"],
                _for(line),
                words.price(line["amount"]),
                toned(line["from_day"], TONES[line["state"]]),
                line["until_day"] or words.NOTHING,
            )
            for line in lines
        ],
    )


def _for(line: dict[str, Any]) -> str:
    """Whom a price is for, as narrow as an id beside it leaves room for."""
    return " ".join(part for part in (line["segment"], line["branch_id"]) if part) or "every"
