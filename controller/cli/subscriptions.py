"""``lango subscription``: standing contracts for plans."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from billing.charge import Mode
from billing.period import Cycle, Unit
from billing.subscription import State
from controller.cli import billing_words, units, words
from controller.cli.desk import Json, Limit, OfSite, desk_of, typed
from controller.cli.examples import taught
from controller.cli.faults import WrongUse
from controller.cli.screen import toned
from controller.cli.subscribers import digits_of, path_of, to_go_on

app = typer.Typer(
    no_args_is_help=True, help="Subscriptions: who is served what, billed by the period."
)

DAY = typed(units.day)
AMOUNT = typed(units.minor)
CYCLE = typed(units.cycle)

SubscriptionId = Annotated[
    str, typer.Argument(metavar="SUBSCRIPTION", help="The subscription's id.")
]
PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]
Price = Annotated[
    int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="A price of their own, in KES.")
]
SECRET_LINE_MAX = 128
MONEY_HOLDS = ("debt", "unpaid")
"""Suspensions that end when money comes."""

OfSubscriber = Annotated[
    str | None, typer.Option("--subscriber", help="Only of this one: 0712345678")
]


@taught(
    app,
    "list",
    "lango subscription list --subscriber 0712345678",
    "lango subscription list --state suspended --json",
)
def list_subscriptions(
    ctx: typer.Context,
    subscriber: OfSubscriber = None,
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    site: OfSite = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List subscriptions, newest first."""
    desk = desk_of(ctx)
    query = {"subscriber": digits_of(subscriber), "state": state, "site_id": site}
    lines = desk.api.lines("/api/v1/subscriptions", limit=limit, query=query)
    if json:
        desk.screen.json("subscriptions", {"data": lines})
        return
    desk.screen.table(
        ("SUBSCRIPTION", "PHONE", "PLAN", "STATE"),
        [
            (
                line["id"],
                line["phone"],
                line["plan_id"],
                toned(billing_words.state(line), billing_words.TONES[line["state"]]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such subscriptions.")


@taught(
    app,
    "show",
    "lango subscription show 3f2c…",
    "lango subscription show 3f2c… --json",
)
def show_subscription(
    ctx: typer.Context, subscription: SubscriptionId, *, json: Json = False
) -> None:
    """Show one subscription: what is served, and what is billed when."""
    _show(ctx, desk_of(ctx).api.get(f"/api/v1/subscriptions/{subscription}"), json=json)


@taught(
    app,
    "start",
    "lango subscription start 0712345678 home20 --site estate-1 --mode advance",
    "lango subscription start 0712345678 home20 --site e1 --every month --on-day 1 \\\n"
    "    --device 02:00:00:00:00:01 --price 2,500 --begins 2027-01-01",
)
def start_subscription(
    ctx: typer.Context,
    subscriber: Annotated[
        str, typer.Argument(metavar="SUBSCRIBER", help="The phone, or the id: 0712345678")
    ],
    plan: PlanId,
    *,
    site: Annotated[str, typer.Option(help="Where it is served.")],
    mode: Annotated[
        Mode, typer.Option(help="Paid before (prepaid), by invoice, or for what was served.")
    ] = Mode.PREPAID,
    every: Annotated[
        Cycle | None,
        typer.Option(parser=CYCLE, metavar="CYCLE", help="month, 2 weeks, 30 days, 12 hours"),
    ] = None,
    on_day: Annotated[
        int | None, typer.Option(help="Day of the month on which periods begin.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A MAC address that may use it. Repeat it.")
    ] = None,
    price: Price = None,
    begins: Annotated[
        datetime | None, typer.Option(parser=DAY, metavar="DAY", help="2027-01-31; else now.")
    ] = None,
    json: Json = False,
) -> None:
    """Begin to serve a subscriber; what is due is billed at once."""
    often = every or Cycle(Unit.MONTH)
    body = {
        "subscriber": subscriber,
        "plan_id": plan,
        "site_id": site,
        "mode": mode,
        "cycle": {"unit": often.unit, "count": often.count, "anchor_day": on_day},
        "devices": device or [],
        "begins_at": begins.isoformat() if begins else None,
        "price": None if price is None else units.kes(price),
    }
    made = desk_of(ctx).api.post("/api/v1/subscriptions", body)
    _say_after(ctx, made, json=json)


@taught(
    app,
    "set",
    "lango subscription set 3f2c… --device 02:00:00:00:00:01 --device 02:00:00:00:00:02",
    "lango subscription set 3f2c… --site estate-2",
)
def place_subscription(
    ctx: typer.Context,
    subscription: SubscriptionId,
    *,
    site: Annotated[str | None, typer.Option(help="Where it is served from now on.")] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="Who may use it, in place of those so far. Repeat it."),
    ] = None,
    no_devices: Annotated[bool, typer.Option("--no-devices", help="No device by name.")] = False,
    json: Json = False,
) -> None:
    """Change its site or its devices, at once; nothing is billed, and what is not said stays."""
    if site is None and not device and not no_devices:
        raise WrongUse("nothing to change", next_step="say --site, --device or --no-devices")
    if device and no_devices:
        raise WrongUse("--device and --no-devices exclude each other")
    body = {"site_id": site, "devices": [] if no_devices else device or None}
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}", body)
    if json:
        desk_of(ctx).screen.json("subscription", done)
        return
    desk_of(ctx).screen.line(done["id"])
    named = words.plain(done["devices"]) if done["devices"] else "no device by name"
    desk_of(ctx).screen.say(f"{done['plan_id']} of {done['phone']} at {done['site_id']}: {named}.")


@taught(
    app,
    "credentials",
    "lango subscription credentials 3f2c…",
    "lango subscription credentials 3f2c… --name wanjiku --secret-stdin < secret.txt",
)
def set_credentials(
    ctx: typer.Context,
    subscription: SubscriptionId,
    *,
    name: Annotated[str | None, typer.Option(help="To dial in by; else made of the phone.")] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Take the secret from standard input.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a name and a secret to dial in by (PPPoE), or a new secret. Shown this once."""
    secret = sys.stdin.readline(SECRET_LINE_MAX).strip() if secret_stdin else None
    body = {"name": name, "secret": secret}
    made = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/credentials", body)
    if json:
        desk_of(ctx).screen.json("credentials", made)
        return
    desk_of(ctx).screen.fields([("name", made["name"]), ("secret", made["secret"])])
    desk_of(ctx).screen.say("The secret is shown this once. An open session stays.")


@taught(
    app,
    "quote",
    "lango subscription quote 3f2c… home50",
    "lango subscription quote 3f2c… home50 --price 4,000 --json",
)
def quote_change(
    ctx: typer.Context,
    subscription: SubscriptionId,
    plan: PlanId,
    *,
    price: Price = None,
    json: Json = False,
) -> None:
    """Say what another plan would come to now, to the cent. Changes nothing."""
    desk = desk_of(ctx)
    query = {"plan_id": plan, "price": None if price is None else units.kes(price)["amount"]}
    found = desk.api.get(f"/api/v1/subscriptions/{subscription}/quote", query)
    if json:
        desk.screen.json("quote", found)
        return
    rest = billing_words.span_of(found["rest_from"], found["rest_until"])
    pairs = [
        ("for", rest),
        ("given back", words.price(found["credited"])),
        ("charged", words.price(found["charged"])),
        ("to pay", words.price(found["to_pay"])),
        ("then", f"{words.price(found['next_price'])} a period"),
    ]
    short = words.money(found["missing"]).minor
    if short:
        pairs.append(("missing in the wallet", words.price(found["missing"])))
    desk.screen.fields(pairs)
    if short:
        desk.screen.say("First the money: lango receive PHONE AMOUNT")
    else:
        agreed = found["to_pay"]["amount"]
        desk.screen.say(
            f"To do it: lango subscription change {subscription} {plan} --quoted={agreed}"
        )


@taught(
    app,
    "change",
    "lango subscription change 3f2c… home50 --quoted 612.50",
    "lango subscription change 3f2c… home50 --at-renewal",
)
def change_plan(
    ctx: typer.Context,
    subscription: SubscriptionId,
    plan: PlanId,
    *,
    at_renewal: Annotated[
        bool, typer.Option("--at-renewal", help="With the next period; nothing is billed now.")
    ] = False,
    quoted: Annotated[
        int | None,
        typer.Option(parser=AMOUNT, metavar="AMOUNT", help="Only if it comes to this, as quoted."),
    ] = None,
    price: Price = None,
    json: Json = False,
) -> None:
    """Put a subscription on another plan."""
    body = {
        "plan_id": plan,
        "at_renewal": at_renewal,
        "quoted": None if quoted is None else units.kes(quoted),
        "price": None if price is None else units.kes(price),
    }
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/change", body)
    _say_after(ctx, done, json=json)


@taught(
    app,
    "pause",
    "lango subscription pause 3f2c… --until 2027-01-31",
    "lango subscription pause 3f2c… --json",
)
def pause_subscription(
    ctx: typer.Context,
    subscription: SubscriptionId,
    *,
    until: Annotated[
        datetime | None,
        typer.Option(parser=DAY, metavar="DAY", help="It goes on when this day begins."),
    ] = None,
    json: Json = False,
) -> None:
    """Neither serve nor bill it for a while; what is billed and not used is credited."""
    body = {"until": until.isoformat() if until else None}
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/pause", body)
    _say_after(ctx, done, json=json)


@taught(
    app,
    "suspend",
    "lango subscription suspend 3f2c…",
    "lango subscription suspend 3f2c… --json",
)
def suspend_subscription(
    ctx: typer.Context, subscription: SubscriptionId, *, json: Json = False
) -> None:
    """Stop serving it until staff resume it; nothing new is billed."""
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/suspend")
    _say_after(ctx, done, json=json)


@taught(
    app,
    "resume",
    "lango subscription resume 3f2c…",
    "lango subscription resume 3f2c… --json",
)
def resume_subscription(
    ctx: typer.Context, subscription: SubscriptionId, *, json: Json = False
) -> None:
    """Serve it again after a pause or a suspension; the rest of the period is billed."""
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/resume")
    _say_after(ctx, done, json=json)


@taught(
    app,
    "end",
    "lango subscription end 3f2c…",
    "lango subscription end 3f2c… --keep-rest",
)
def end_subscription(
    ctx: typer.Context,
    subscription: SubscriptionId,
    *,
    keep_rest: Annotated[
        bool, typer.Option("--keep-rest", help="Credit nothing of what is billed already.")
    ] = False,
    json: Json = False,
) -> None:
    """End it now, for good; what is billed and will not be served is credited."""
    body = {"credit_rest": not keep_rest}
    done = desk_of(ctx).api.post(f"/api/v1/subscriptions/{subscription}/end", body)
    _say_after(ctx, done, json=json)


def _say_after(ctx: typer.Context, done: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("subscription", done)
        return
    screen.line(done["id"])
    until = words.moment_far(done["paid_until"])
    begun = done["paid_until"] and words.instant(done["paid_until"]) > words.instant(
        done["created_at"]
    )
    billed = f" Billed until {until}." if begun else ""
    later = f" From the next period on: {done['next_plan_id']}." if done["next_plan_id"] else ""
    screen.say(f"{done['plan_id']} of {done['phone']}: {billing_words.state(done)}.{billed}{later}")
    if done["hold"] in MONEY_HOLDS:
        account = desk_of(ctx).api.get(path_of(done["phone"]))
        if account["to_pay"]:
            screen.say(to_go_on(account))


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("subscription", found)
        return
    said = {
        **found,
        "cycle": billing_words.cycle(found["cycle"]),
        "state": billing_words.state(found),
        "paid_until": words.moment_whole(found["paid_until"]),
    }
    screen.fields(words.fields({k: v for k, v in said.items() if k != "hold"}))
