"""``lango promotion``: discounts, coupons, rewards."""

from datetime import datetime
from typing import Annotated, Any

import typer

from controller.cli import billing_words, units, words
from controller.cli.desk import Json, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import WrongUse
from controller.cli.screen import toned
from controller.cli.subscribers import path_of

app = typer.Typer(no_args_is_help=True, help="Promotions: discounts, coupons, rewards.")

DAY = typed(units.day)
AMOUNT = typed(units.minor)
SHARE = typed(units.share_bp)

PromotionId = Annotated[str, typer.Argument(metavar="PROMOTION", help="The promotion's id.")]


@taught(app, "list", "lango promotion list", "lango promotion list --json")
def list_promotions(ctx: typer.Context, *, json: Json = False) -> None:
    """List promotions, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/promotions")["data"]
    if json:
        desk.screen.json("promotions", {"data": lines})
        return
    desk.screen.table(
        ("PROMOTION", "KIND", "NAME", "TERMS", "UNTIL"),
        [
            (
                line["id"],
                line["kind"],
                line["name"],
                billing_words.terms(line["terms"]),
                toned("withdrawn", "quiet")
                if line["withdrawn_at"]
                else words.moment_far(line["ends_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No promotions yet. Add one: lango promotion add ID --name NAME --off 20%")


@taught(
    app,
    "add",
    'lango promotion add karibu --name "Karibu" --off 20% --periods 3 --plan home20',
    'lango promotion add krismasi --name "Krismasi" --code XMAS26 --off-amount 500 --uses 100',
    'lango promotion add friends --name "Bring a friend" --referrer 200 --referred 100',
    'lango promotion add loyal --name "Loyal" --every 12 --reward 500',
)
def add_promotion(
    ctx: typer.Context,
    promotion: PromotionId,
    *,
    name: Annotated[str, typer.Option(help="As it stands on invoices.")],
    off: Annotated[
        int | None, typer.Option(parser=SHARE, metavar="SHARE", help="A share off: 20%")
    ] = None,
    off_amount: Annotated[
        int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="An amount off, in KES.")
    ] = None,
    periods: Annotated[
        int | None, typer.Option(help="Off so many periods; else as long as it lasts.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Only who knows this code: a coupon, named by it.")
    ] = None,
    uses: Annotated[int | None, typer.Option(help="Only so many subscribers.")] = None,
    referrer: Annotated[
        int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="For who brought somebody.")
    ] = None,
    referred: Annotated[
        int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="For who was brought.")
    ] = None,
    every: Annotated[int | None, typer.Option(help="For every so many paid invoices.")] = None,
    reward: Annotated[
        int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="Into the wallet then.")
    ] = None,
    back: Annotated[
        int | None, typer.Option(parser=SHARE, metavar="SHARE", help="Of each payment: 2%")
    ] = None,
    plan: Annotated[list[str] | None, typer.Option(help="Only for this plan. Repeat it.")] = None,
    segment: Annotated[list[str] | None, typer.Option(help="Only for these. Repeat it.")] = None,
    branch: Annotated[list[str] | None, typer.Option(help="Only at this branch.")] = None,
    from_day: Annotated[
        datetime | None, typer.Option("--from", parser=DAY, metavar="DAY", help="Else from now.")
    ] = None,
    until_day: Annotated[
        datetime | None,
        typer.Option("--until", parser=DAY, metavar="DAY", help="It ends when this day begins."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a promotion: --off for a discount, with --code a coupon; or a reward."""
    scope = {"plans": plan or [], "segments": segment or [], "branches": branch or []}
    kinds: dict[str, Any] = {}
    body = {
        "id": promotion,
        "name": name,
        "starts_at": from_day.isoformat() if from_day else None,
        "ends_at": until_day.isoformat() if until_day else None,
    }
    discount = {
        "basis_points": off,
        "amount": _kes(off_amount),
        "periods": periods,
        "scope": scope,
    }
    if code is not None:
        kinds["coupon"] = {"code": code, "uses_max": uses, "discount": discount}
    elif off is not None or off_amount is not None:
        kinds["discount"] = discount
    if referrer is not None or referred is not None:
        kinds["referral"] = {
            "referrer": units.kes(referrer or 0),
            "referred": units.kes(referred or 0),
        }
    if every is not None or reward is not None or back is not None:
        kinds["loyalty"] = {
            "every_invoices": every,
            "reward": _kes(reward),
            "basis_points": back,
            "scope": scope,
        }
    if len(kinds) != 1:
        raise WrongUse(
            "say one of --off or --off-amount, --referrer or --referred, --every or --back",
            next_step="see `lango promotion add --help`",
        )
    _show(ctx, desk_of(ctx).api.post("/api/v1/promotions", {**body, **kinds}), json=json)


@taught(
    app,
    "take",
    "lango promotion take 0712345678 karibu",
    "lango promotion take 0712345678 --code XMAS26",
)
def take_up(
    ctx: typer.Context,
    subscriber: Annotated[
        str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
    ],
    promotion: Annotated[
        str, typer.Argument(metavar="PROMOTION", help="A discount that staff give.")
    ] = "",
    *,
    code: Annotated[str, typer.Option(help="A coupon's code.")] = "",
    json: Json = False,
) -> None:
    """Let a subscriber have a discount, or a coupon by its code."""
    desk = desk_of(ctx)
    body = {"promotion_id": promotion, "code": code}
    taken = desk.api.post(f"{path_of(subscriber)}/promotions", body)
    if json:
        desk.screen.json("promotion-taken", taken)
        return
    left = taken["periods_left"]
    long = "as long as it lasts" if left is None else f"for {left} more periods"
    desk.screen.say(f"{subscriber} has {taken['promotion_id']}, {long}.")


@taught(
    app,
    "withdraw",
    "lango promotion withdraw karibu",
    "lango promotion withdraw karibu --json",
)
def withdraw(ctx: typer.Context, promotion: PromotionId, *, json: Json = False) -> None:
    """Let nobody take it up any more; who has it keeps it."""
    _show(ctx, desk_of(ctx).api.post(f"/api/v1/promotions/{promotion}/withdraw"), json=json)


def _kes(minor: int | None) -> dict[str, str] | None:
    return None if minor is None else units.kes(minor)


def _show(ctx: typer.Context, made: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("promotion", made)
        return
    screen.fields(words.fields({**made, "terms": billing_words.terms(made["terms"])}))
