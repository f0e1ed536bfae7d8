"""``lango voucher sell``: a seller takes codes of a batch, and pays for them."""

import secrets
from typing import Annotated

import typer

from billing.errors import InvalidField
from controller.cli import words
from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught

app = typer.Typer()

_PARTS_MAX = 2


def basis_points(text: str) -> int:
    """Hundredths of a per cent of ``10%`` or ``7.5``. Raises `InvalidField`."""
    whole, _, part = text.strip().removesuffix("%").strip().partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 3):  # noqa: PLR2004 - 100 %
        raise InvalidField("commission", f"{text!r} is not like 10% or 7.5%")
    if part and not (part.isascii() and part.isdigit() and len(part) <= _PARTS_MAX):
        raise InvalidField("commission", f"{text!r} is not like 10% or 7.5%")
    return int(whole) * 100 + int((part + "00")[:2])


@taught(
    app,
    "sell",
    "lango voucher sell 20261126-1a2b3c4d --count 24 --to 'Mama Njeri'",
    "lango voucher sell 20261126-1a2b3c4d --count 100 --to Kioski --commission 10%",
)
def sell_vouchers(
    ctx: typer.Context,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's name.")],
    *,
    count: Annotated[int, typer.Option(min=1, help="How many the seller takes.")],
    to: Annotated[str, typer.Option(metavar="SELLER", help="Who takes them, and pays.")],
    commission: Annotated[
        int | None, typer.Option(parser=typed(basis_points), metavar="PART", help="What he keeps.")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch that sells.")] = "main",
    rail: Annotated[str, typer.Option(help="How he pays.")] = "cash",
    sale: Annotated[
        str, typer.Option(metavar="ID", help="The same id again sells nothing more.")
    ] = "",
    json: Json = False,
) -> None:
    """Note that a seller took vouchers and paid for them. Taxes are due from now on."""
    desk = desk_of(ctx)
    body = {
        "id": sale or secrets.token_hex(16),
        "batch": batch,
        "count": count,
        "seller": to,
        "branch": branch,
        **({"commission_bp": commission} if commission else {}),
        "rail": rail,
    }
    made = desk.api.post("/api/v1/vouchers/sales", body)
    if json:
        desk.screen.json("voucher-sale", made)
    else:
        desk.screen.fields(words.fields(made))
