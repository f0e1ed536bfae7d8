"""``lango plan``: what is for sale."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from billing.plan import Audience, Burst, Step, Window
from billing.rating import Formula, Tier
from billing.tax import TaxClass
from controller.cli import billing_words, units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import WrongUse

app = typer.Typer(no_args_is_help=True, help="Plans: what is for sale. A plan never changes.")

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]


OPTIONS = {
    "burst": ("--burst", ""),
    "steps": ("--step", ""),
    "windows": ("--window", ""),
    "tariff.tiers": ("--tier", ""),
    "tariff.unit_bytes": ("--per", "bytes"),
    "down_bps": ("--down", "bits per second"),
    "up_bps": ("--up", "bits per second"),
    "validity_s": ("--validity", "seconds"),
    "uptime_s": ("--uptime", "seconds"),
    "quota_bytes": ("--quota", "bytes"),
    "devices_max": ("--devices", "devices"),
}
"""Fields of the API: the option that each is typed as, and the unit in which the API counts."""

PARTS = {
    "down_bps": ", down, in bits per second",
    "up_bps": ", up, in bits per second",
    "after_bytes": ", in bytes",
    "burst_bytes": ", in bytes",
    "upto_units": ", its end, in units",
    "price": ", its price",
    "from_minute": ", its beginning, in minutes",
    "until_minute": ", its end, in minutes",
}
"""The same of the parts of burst, steps and windows."""

_PART = re.compile(r"(burst|steps|windows|tariff\.tiers)(?:\[(\d+)\])?(?:\.(\w+))?(?=: )")


DURATION = typed(units.duration_s)
SIZE = typed(units.size_bytes)
RATE = typed(units.rate_bps)
AMOUNT = typed(units.minor)
BURST = typed(units.burst)
STEP = typed(units.step)
WINDOW = typed(units.window)
TIER = typed(units.tier)

TARIFF_UNIT_BYTES = 10**9
CONTRACT_VALIDITY_S = 366 * 86_400
"""A plan for contracts that says no limit: longer than any period that is billed by the year."""


@taught(
    app,
    "list",
    "lango plan list",
    "lango plan list --withdrawn --json",
)
def list_plans(
    ctx: typer.Context,
    *,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Those withdrawn too.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the plans on sale."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/plans", limit=limit, query={"withdrawn": withdrawn})
    if json:
        desk.screen.json("plans", {"data": lines})
        return
    desk.screen.table(
        ("PLAN", "NAME", ">PRICE", ">DOWN", ">UP", ">TIME", ">DATA", ">DEV"),
        [_row(line) for line in lines],
    )
    if not lines:
        desk.screen.say("No plans yet. Add one: lango plan add ID --name NAME --price 50 …")


def _as_typed(what: str) -> str:
    """The API's complaint about a field, about the option that it came from."""
    part = _PART.match(what)
    if part is not None:
        return _part_as_typed(part) + what[part.end() :]
    for field, (option, unit) in OPTIONS.items():
        what = what.replace(f"{field}:", f"{option}, in {unit}:").replace(field, option)
    return what


def _part_as_typed(part: re.Match[str]) -> str:
    """``--step 2, down, in bits per second``: the second of those typed."""
    field, place, inner = part.groups()
    which = f" {int(place) + 1}" if place else ""
    return OPTIONS[field][0] + which + PARTS.get(inner or "", "")


def _mark(line: dict[str, Any]) -> str:
    contract = " (contract)" if line["audience"] == Audience.CONTRACT else ""
    return contract + (" (withdrawn)" if line["withdrawn_at"] else "")


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    clocks = [line[clock] for clock in ("validity_s", "uptime_s") if line[clock] is not None]
    return (
        line["id"],
        line["name"] + _mark(line),
        words.price(line["price"]),
        words.rate(line["down_bps"]),
        words.rate(line["up_bps"]),
        words.span(min(clocks, default=None), without=words.NOTHING),
        words.volume(line["quota_bytes"], without=words.NOTHING),
        str(line["devices_max"]),
    )


@taught(
    app,
    "show",
    "lango plan show h2",
    "lango plan show h2 --json",
)
def show_plan(ctx: typer.Context, plan: PlanId, *, json: Json = False) -> None:
    """Show one plan, with its burst, its fair-use steps and its hours."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/plans/{plan}")
    if json:
        desk.screen.json("plan", found)
        return
    speeds = {
        "burst": words.burst(found["burst"]),
        "steps": [words.step(step) for step in found["steps"]],
        "windows": [words.window(window) for window in found["windows"]],
        "tariff": billing_words.tariff(found["tariff"]),
    }
    desk.screen.fields(words.fields({**found, **speeds}))


@taught(
    app,
    "add",
    'lango plan add h2 --name "2 hours" --price 20 --down 3M --up 1M --validity 2h',
    'lango plan add mb500 --name "500 MB" --price 30 --down 5M --up 2M --quota 500MB',
    "lango plan add d1 --name Day --price 50 --down 5M --up 2M --validity 1d \\\n"
    "    --burst 8M/4M:20MB --step 5GB:1M/512k --window 22:00-06:00:10M/5M",
    "lango plan add home20 --name Home --contract --price 2,999.50 --down 20M --up 20M",
    "lango plan add lte --name LTE --contract --price 500 --down 20M --up 5M \\\n"
    "    --tariff graduated --tier 50:20 --tier rest:15",
)
def add_plan(
    ctx: typer.Context,
    plan: PlanId,
    *,
    name: Annotated[str, typer.Option(help="What customers read.")],
    price: Annotated[int, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="In KES: 50")],
    down: Annotated[int, typer.Option(parser=RATE, metavar="RATE", help="3M, 512k")],
    up: Annotated[int, typer.Option(parser=RATE, metavar="RATE", help="1M, 256k")],
    validity: Annotated[
        int | None,
        typer.Option(parser=DURATION, metavar="TIME", help="Calendar clock: 2h, 30m, 1d"),
    ] = None,
    uptime: Annotated[
        int | None, typer.Option(parser=DURATION, metavar="TIME", help="Connected time: 2h")
    ] = None,
    quota: Annotated[
        int | None, typer.Option(parser=SIZE, metavar="SIZE", help="Both directions: 500MB")
    ] = None,
    devices: Annotated[int, typer.Option(help="How many devices at once.")] = 1,
    burst: Annotated[
        Burst | None,
        typer.Option(parser=BURST, metavar="RATES:SIZE", help="First 20 MB faster: 8M/2M:20MB"),
    ] = None,
    step: Annotated[
        list[Step] | None,
        typer.Option(parser=STEP, metavar="SIZE:RATES", help="Fair use: 5GB:1M/512k. Repeat it."),
    ] = None,
    window: Annotated[
        list[Window] | None,
        typer.Option(parser=WINDOW, metavar="HOURS:RATES", help="22:00-06:00:10M/5M. Repeat it."),
    ] = None,
    rank: Annotated[int, typer.Option(help="Place on the portal; small comes first.")] = 0,
    pool: Annotated[str, typer.Option(help="The pool that its devices share.")] = "",
    contract: Annotated[
        bool, typer.Option("--contract", help="For subscriptions; no portal offers it.")
    ] = False,
    tax_class: Annotated[TaxClass, typer.Option(help="How it is taxed.")] = TaxClass.INTERNET,
    without_tax: Annotated[
        bool, typer.Option("--without-tax", help="Taxes come on top of the price.")
    ] = False,
    tariff: Annotated[
        Formula | None, typer.Option(help="How volume is charged, beside the price.")
    ] = None,
    tier: Annotated[
        list[Tier] | None,
        typer.Option(parser=TIER, metavar="UPTO:PRICE", help="50:20, then rest:15. Repeat it."),
    ] = None,
    per: Annotated[
        int | None, typer.Option(parser=SIZE, metavar="SIZE", help="What a tariff counts: 1GB")
    ] = None,
    json: Json = False,
) -> None:
    """Put a plan on sale at every site. The same plan again changes nothing."""
    desk = desk_of(ctx)
    if contract and validity is None and uptime is None and quota is None:
        validity = CONTRACT_VALIDITY_S
    body = {
        "id": plan,
        "name": name,
        "price": units.kes(price),
        "down_bps": down,
        "up_bps": up,
        "validity_s": validity,
        "uptime_s": uptime,
        "quota_bytes": quota,
        "devices_max": devices,
        "burst": asdict(burst) if burst else None,
        "steps": [asdict(one) for one in step or ()],
        "windows": [asdict(one) for one in window or ()],
        "rank": rank,
        "pool_id": pool,
        "audience": Audience.CONTRACT if contract else Audience.HOTSPOT,
        "tax_class": tax_class,
        "tax_included": not without_tax,
        "tariff": _tariff(tariff, per or TARIFF_UNIT_BYTES, tier or ()),
    }
    try:
        made = desk.api.post("/api/v1/plans", body)
    except WrongUse as wrong:
        raise WrongUse(_as_typed(wrong.what), why=wrong.why) from wrong
    if json:
        desk.screen.json("plan", made)
        return
    desk.screen.line(made["id"])
    where = "for subscriptions" if contract else "at every site"
    desk.screen.say(f"{made['name']} is on sale {where} at {words.price(made['price'])}.")


def _tariff(formula: Formula | None, unit_bytes: int, tiers: Sequence[Tier]) -> Any:
    if formula is None and not tiers:
        return None
    if formula is None or not tiers:
        raise WrongUse("--tariff and --tier go together", next_step="see `lango plan add --help`")
    written = [
        {"upto_units": tier.upto_units, "price": units.kes(tier.price.minor)} for tier in tiers
    ]
    return {"formula": formula, "unit_bytes": unit_bytes, "tiers": written}


@taught(
    app,
    "withdraw",
    "lango plan withdraw h2",
    "lango plan withdraw h2 --json",
)
def withdraw_plan(ctx: typer.Context, plan: PlanId, *, json: Json = False) -> None:
    """Sell it no more. What was bought stays good."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/plans/{plan}/withdraw")
    if json:
        desk.screen.json("plan", done)
    else:
        desk.screen.say(
            f"{done['name']} is sold no more since {words.moment(done['withdrawn_at'])}."
        )
