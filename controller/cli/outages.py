"""``lango outage``: when sites could not be heard, whom that is told, and credit for it."""

from secrets import token_hex
from typing import Annotated, Any

import typer

from controller.cli import units, words
from controller.cli.desk import Json, Limit, OfSite, desk_of, typed
from controller.cli.examples import taught
from controller.cli.maintenance import OfBranch, tell_preview

app = typer.Typer(
    no_args_is_help=True, help="Outages: when sites were not heard, and credit for that."
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]


@taught(app, "list", "lango outage list", "lango outage list --site estate-1 --json")
def list_outages(
    ctx: typer.Context, site: OfSite = None, *, limit: Limit = 50, json: Json = False
) -> None:
    """List outages of sites, newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/outages", limit=limit, query={"site_id": site})
    if json:
        desk.screen.json("outages", {"data": lines})
        return
    desk.screen.table(
        ("SITE", "BEGAN", "ENDED", ">LASTED"),
        [
            (
                line["site_id"],
                words.moment(line["began_at"]),
                words.moment(line["ended_at"]),
                words.span(line["duration_s"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No outage is known.")


@taught(
    app,
    "tell",
    'lango outage tell --site estate-1 --text "We are working on it." --dry-run',
    'lango outage tell --branch thika --text "Internet is back. Sorry."',
)
def tell_area(
    ctx: typer.Context,
    *,
    text: Annotated[str, typer.Option(help="What customers read, in English.")],
    text_sw: Annotated[str, typer.Option(help="What customers read, in Swahili.")] = "",
    site: OfSite = None,
    branch: OfBranch = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Tell every customer of a site (and those behind it), a branch, or everybody, by SMS."""
    desk = desk_of(ctx)
    body = {
        "site_id": site,
        "branch_id": branch,
        "text_en": text,
        "text_sw": text_sw,
        "id": token_hex(16),
    }
    if dry_run:
        tell_preview(ctx, desk.api.post("/api/v1/area-notices/preview", body), json=json)
        return
    made = desk.api.post("/api/v1/area-notices", body)
    if json:
        desk.screen.json("area-notice", made)
    else:
        desk.screen.line(made["id"])
        desk.screen.say("The messages are being written.")


@taught(
    app,
    "credit",
    "lango outage credit --from 2027-01-01 --until 2027-02-01 --more-than 4h --dry-run",
    "lango outage credit --from 2027-01-01 --until 2027-02-01 --more-than 4h --days 1",
)
def give_credit(
    ctx: typer.Context,
    *,
    since: Annotated[str, typer.Option("--from", help="Outages that ended from this day on.")],
    until: Annotated[str, typer.Option(help="And before this day began.")],
    more_than: Annotated[
        int, typer.Option(parser=typed(units.duration_s), help="More than this, in a period.")
    ],
    days: Annotated[int, typer.Option(help="The worth of so many days.")] = 0,
    amount: Annotated[str, typer.Option(help="So many shillings.")] = "",
    site: OfSite = None,
    branch: OfBranch = None,
    run: Annotated[str, typer.Option(help="The id of a run that was broken off.")] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give credit for outages; without --days and --amount, for the share of time lost."""
    if days and amount:
        raise typer.BadParameter("say --days or --amount, not both")
    body: dict[str, Any] = {
        "id": run or token_hex(16),
        "site_id": site,
        "branch_id": branch,
        "from_at": typed(units.day)(since).isoformat(),
        "until_at": typed(units.day)(until).isoformat(),
        "more_than_s": more_than,
        "gives": "days" if days else "amount" if amount else "share",
        "days": days,
        "amount": units.kes(typed(units.minor)(amount)) if amount else None,
    }
    desk = desk_of(ctx)
    if not dry_run:
        desk.screen.say(f"This run is {body['id']}")
        found = desk.api.post("/api/v1/outage-credits", body)
        _given(ctx, found, json=json)
        return
    found = desk.api.post("/api/v1/outage-credits/preview", body)
    if json:
        desk.screen.json("outage-credit-preview", found)
        return
    desk.screen.table(
        ("SUBSCRIPTION", "SITE", ">LOST", ">CREDIT"),
        [
            (
                line["subscription_id"],
                line["site_id"],
                words.span(line["lost_s"]),
                words.price(line["amount"]),
            )
            for line in found["data"]
        ],
    )
    total = words.price(found["total"])
    desk.screen.say(
        f"{found['outages']} outages: {found['subscriptions']} subscriptions would get {total}."
    )


def _given(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("outage-credit-run", found)
        return
    screen.table(
        ("SUBSCRIPTION", "SITE", "OUTAGE", ">LOST", ">CREDIT"),
        [
            (
                line["subscription_id"],
                line["site_id"],
                words.moment(line["began_at"]),
                words.span(line["lasted_s"]),
                words.price(line["amount"]),
            )
            for line in found["data"]
        ],
    )
    screen.say(f"{len(found['data'])} outages were credited.")
