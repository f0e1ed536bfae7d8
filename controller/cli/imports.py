"""``lango import``: bring over what an existing router knows of customers."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.charge import Mode
from controller.cli import files, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import WrongUse
from controller.cli.screen import Screen

app = typer.Typer(no_args_is_help=True, help="Bring over customers from another system.")

IMPORT_MAX_S = 600.0
"""Ten thousand codes are hashed slowly for sites, and each customer is written."""

SHOWN_MAX = 20
PRICE_MAX = 10_000_000


@taught(
    app,
    "mikrotik",
    "lango import mikrotik router.json --site thika --begins 2026-12-01 --dry-run",
    'lango import mikrotik router.json --site thika --begins 2026-12-01 --price "10M=2500"',
)
def mikrotik(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of lango-agent router read.")],
    *,
    site: Annotated[str, typer.Option(help="The site that this router is at.")],
    begins: Annotated[
        date,
        typer.Option(
            parser=typed(files.calendar_day), metavar="DAY", help="The day of the first bill."
        ),
    ],
    price: Annotated[
        list[str] | None, typer.Option(help="PROFILE=KES, or PLAN=KES; may repeat.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="How customers pay.")] = Mode.PREPAID,
    make_good: Annotated[
        bool, typer.Option("--make-good", help="Partly used codes become whole ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    all_rows: Annotated[bool, typer.Option("--all", help="Name every row that stays.")] = False,
    json: Json = False,
) -> None:
    """Make plans, subscriptions and vouchers of a router's rows; again makes only what is new."""
    desk = desk_of(ctx)
    body = {
        "site_id": site,
        "name": file.name,
        "file": _read(file),
        "prices": _prices(price or []),
        "mode": mode.value,
        "begins_on": begins.isoformat(),
        "make_good": make_good,
    }
    path = "/api/v1/imports/preview" if dry_run else "/api/v1/imports"
    told = desk.api.post(path, body, timeout_s=IMPORT_MAX_S)
    if json:
        desk.screen.json("import-preview" if dry_run else "import", told)
        return
    _told(desk.screen, told, every=all_rows)
    if dry_run:
        desk.screen.say("Nothing was changed; the same without --dry-run does it.")
        return
    for one in told["codes"]:
        desk.screen.line(f"{one['name']}\t{one['code']}")
    desk.screen.say(f"Undo it with: lango import undo {told['id']}")


@taught(app, "list", "lango import list", "lango import list --json")
def list_imports(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List imports, the newest first."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/imports", limit=limit)
    if json:
        desk.screen.json("imports", {"data": lines})
        return
    desk.screen.table(
        ("IMPORT", "OF", "SITE", "AT", ">SUBSCRIPTIONS", ">VOUCHERS", "UNDONE"),
        [
            (
                line["id"],
                line["name"],
                line["site_id"],
                words.moment(line["at"]),
                str(line["counts"]["subscriptions"]),
                str(line["counts"]["vouchers"]),
                words.moment(line["undone_at"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No imports yet: lango import mikrotik FILE.")


@taught(app, "undo", "lango import undo 0193a1b2", "lango import undo 0193a1b2 --json")
def undo(
    ctx: typer.Context,
    import_id: Annotated[str, typer.Argument(metavar="IMPORT")],
    *,
    json: Json = False,
) -> None:
    """Take back what an import made; what was used or billed since stays, and is named."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/imports/{import_id}/undo", timeout_s=IMPORT_MAX_S)
    if json:
        desk.screen.json("import-undone", done)
        return
    counts = done["counts"]
    desk.screen.say(
        f"{counts['subscriptions']} subscriptions ended, {counts['vouchers']} vouchers voided, "
        f"{counts['plans']} plans withdrawn. Subscribers stay."
    )
    for name in done["kept"]:
        desk.screen.line(name)
    if done["kept"]:
        desk.screen.say(f"{len(done['kept'])} were used or billed since, and stay.")


def _told(screen: Screen, told: dict[str, Any], *, every: bool) -> None:
    counts = told["counts"]
    screen.table(
        ("PLAN", "NAME", "FOR", ">PRICE", ">DOWN", ">UP", ""),
        [
            (
                one["id"],
                one["name"],
                one["audience"],
                words.price(one["price"]),
                words.rate(one["down_bps"]),
                words.rate(one["up_bps"]),
                "new" if one["is_new"] else "there",
            )
            for one in told["plans"]
        ],
    )
    screen.say(
        f"{counts['plans']} new plans, {counts['subscriptions']} new subscriptions, "
        f"{counts['vouchers']} new vouchers; {counts['known']} were brought over before."
    )
    screen.say(f"{counts['logins']} customers go on dialling in as they do.")
    for one in told["loginless"]:
        screen.say(f"  {one['name']} wants a new login: {one['text']}")
    for name, rows in told["unpriced"].items():
        screen.say(f'{rows} rows want a price: --price "{name}=KES"')
    left = told["left"]
    if not left:
        return
    screen.say(f"{len(left)} rows stay:")
    for one in left if every else left[:SHOWN_MAX]:
        screen.say(f"  {one['menu']} {one['name']}: {one['text']}")
    if len(left) > SHOWN_MAX and not every:
        screen.say(f"  and {len(left) - SHOWN_MAX} more: --all names them.")


def _prices(told: list[str]) -> dict[str, int]:
    prices = {}
    for one in told:
        name, _, amount = one.rpartition("=")
        if not name or not amount.isascii() or not amount.isdigit() or int(amount) > PRICE_MAX:
            raise WrongUse(f"--price {one}: want NAME=KES, like 10M=2500")
        prices[name] = int(amount)
    return prices


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WrongUse(f"cannot read {file}", why=why or "") from error
