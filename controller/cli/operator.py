"""``lango operator``: who sells; ``lango tax``: at which rates."""

import base64
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.tax import Tax
from controller.cli import billing_words, units, words
from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import WrongUse

app = typer.Typer(no_args_is_help=True, help="The operator: who sells, on every document.")
tax = typer.Typer(no_args_is_help=True, help="Rates of taxes, each from its day on.")

DAY = typed(units.day)
SHARE = typed(units.share_bp)


@taught(app, "show", "lango operator show", "lango operator show --json")
def show_operator(ctx: typer.Context, *, json: Json = False) -> None:
    """Show who sells, and which taxes are charged."""
    desk = desk_of(ctx)
    _show(ctx, desk.api.get("/api/v1/operator"), json=json)


@taught(
    app,
    "set",
    'lango operator set --name "Kahawa Net" --kra-pin P051234567X --vat --excise',
    'lango operator set --pay-to "Paybill 600111, account: your phone" --colour "#0b6e4f"',
    'lango operator set --support-phone "0712 345 678" --languages sw,en',
)
def set_operator(
    ctx: typer.Context,
    *,
    name: Annotated[str | None, typer.Option(help="As it stands on invoices.")] = None,
    kra_pin: Annotated[str | None, typer.Option(help="P051234567X")] = None,
    vat: Annotated[
        bool | None, typer.Option("--vat/--no-vat", help="Registered for VAT: charge it.")
    ] = None,
    excise: Annotated[
        bool | None, typer.Option("--excise/--no-excise", help="Registered for excise: charge it.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help="Of documents: #0b6e4f")] = None,
    pay_to: Annotated[str | None, typer.Option(help="How customers pay; on invoices.")] = None,
    support_phone: Annotated[
        str | None, typer.Option(help='Whom customers call: 0712 345 678; "" for nobody.')
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="en, sw, en,sw or sw,en: the first is the default.")
    ] = None,
    json: Json = False,
) -> None:
    """Change what is known of the operator; what is not said stays."""
    body = {
        "name": name,
        "kra_pin": kra_pin,
        "vat_registered": vat,
        "excise_registered": excise,
        "colour": colour,
        "pay_to": pay_to,
        "support_phone": support_phone,
        "languages": languages,
    }
    _show(ctx, desk_of(ctx).api.post("/api/v1/operator", body), json=json)


@taught(app, "logo", "lango operator logo logo.png", "lango operator logo --remove")
def set_logo(
    ctx: typer.Context,
    picture: Annotated[
        Path | None, typer.Argument(metavar="PNG", help="A picture of at most 200 KB.")
    ] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away.")] = False,
    json: Json = False,
) -> None:
    """Put a picture on documents, or take it away."""
    if (picture is None) is not remove:
        raise WrongUse("say a PNG file, or --remove")
    logo = None if picture is None else base64.b64encode(_read(picture)).decode()
    _show(ctx, desk_of(ctx).api.post("/api/v1/operator/logo", {"logo": logo}), json=json)


def _read(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise WrongUse(f"cannot read {picture}", why=error.strerror or str(error)) from error


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("operator", found)
        return
    screen.fields(words.fields(found))
    charged = [name for name in ("vat", "excise") if found[f"{name}_registered"]]
    if not charged:
        screen.say("No taxes are charged: it is registered for none.")


@taught(tax, "list", "lango tax list", "lango tax list --json")
def list_rates(ctx: typer.Context, *, json: Json = False) -> None:
    """List the rates of taxes, and which hold today."""
    desk = desk_of(ctx)
    _list(ctx, desk.api.get("/api/v1/tax-rates")["data"], json=json)


@taught(
    tax,
    "add",
    "lango tax add excise 20% --from 2027-07-01",
    "lango tax add vat 16% --from 2027-07-01 --json",
)
def add_rate(
    ctx: typer.Context,
    name: Annotated[Tax, typer.Argument(metavar="TAX", help="vat or excise.")],
    rate: Annotated[int, typer.Argument(parser=SHARE, metavar="RATE", help="16%, 7.5%")],
    from_day: Annotated[
        datetime, typer.Option("--from", parser=DAY, metavar="DAY", help="From 2027-07-01 on.")
    ],
    *,
    json: Json = False,
) -> None:
    """Let another rate hold from a day on. The same again changes nothing."""
    body = {"tax": name, "from_day": from_day.date().isoformat(), "basis_points": rate}
    _list(ctx, desk_of(ctx).api.post("/api/v1/tax-rates", body)["data"], json=json)


def _list(ctx: typer.Context, lines: list[dict[str, Any]], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("tax-rates", {"data": lines})
        return
    screen.table(
        ("TAX", ">RATE", "FROM", ""),
        [
            (
                line["tax"],
                billing_words.percent(line["basis_points"]),
                billing_words.day(line["from_day"]),
                "today" if line["holds"] else "",
            )
            for line in lines
        ],
    )
