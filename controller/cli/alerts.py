"""``lango alert``: what is wrong, and who is told."""

from typing import Annotated, Any

import typer

from billing.plan import DAY_MINUTES
from controller.cli import units, words
from controller.cli.desk import Json, Limit, OfSite, desk_of, typed
from controller.cli.examples import taught
from controller.cli.screen import toned

app = typer.Typer(no_args_is_help=True, help="Alerts: what is wrong, and who is told.")
routes = typer.Typer(no_args_is_help=True, help="Routes: to whom alerts go.")
app.add_typer(routes, name="routes")

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]
RouteId = Annotated[str, typer.Argument(metavar="ROUTE", help="The route's id.")]
HOUR_S = 3_600
TONES = {"critical": "bad", "warn": "busy"}


@taught(
    app,
    "list",
    "lango alert list",
    "lango alert list --all --site estate-1 --json",
)
def list_alerts(
    ctx: typer.Context,
    site: OfSite = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List alerts that are open, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "open": None if everything else "true"}
    lines = desk.api.lines("/api/v1/alerts", limit=limit, query=query)
    if json:
        desk.screen.json("alerts", {"data": lines})
        return
    desk.screen.table(
        ("ALERT", "SINCE", "SEVERITY", "SITE", "WHAT", "STATE"),
        [
            (
                line["id"],
                words.moment(line["raised_at"]),
                toned(line["severity"], TONES[line["severity"]]),
                line["site_id"] or words.NOTHING,
                line["text"],
                _state(line),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nothing is wrong that a rule would tell of.")


def _state(line: dict[str, Any]) -> str:
    if line["recovered_at"] is not None:
        return "over"
    if line["held_by"]:
        return f"held by {line['held_by']}"
    return str(line["state"]) if line["silenced_until"] is None else f"{line['state']}, silenced"


@taught(
    app,
    "show",
    "lango alert show 3f2c…",
    "lango alert show 3f2c… --json",
)
def show_alert(ctx: typer.Context, alert: AlertId, *, json: Json = False) -> None:
    """Show one alert, and what happened to it."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/alerts/{alert}")
    if json:
        desk.screen.json("alert", found)
        return
    plain = {name: value for name, value in found.items() if name != "history"}
    history = [
        (words.moment(deed["at"]), " ".join(filter(None, (deed["what"], deed["who"]))))
        for deed in found["history"]
    ]
    desk.screen.fields([*words.fields(plain), *history])


@taught(
    app,
    "ack",
    "lango alert ack 3f2c…",
    "lango alert ack 3f2c… --json",
)
def acknowledge(ctx: typer.Context, alert: AlertId, *, json: Json = False) -> None:
    """Say that you have it in hand."""
    _told(ctx, desk_of(ctx).api.post(f"/api/v1/alerts/{alert}/acknowledge"), json=json)


@taught(
    app,
    "silence",
    "lango alert silence 3f2c… --for 2h",
    "lango alert silence 3f2c… --for 0s",
)
def silence(
    ctx: typer.Context,
    alert: AlertId,
    *,
    seconds: Annotated[
        int | None,
        typer.Option(
            "--for", parser=typed(units.duration_s), help="How long; an hour. 0s ends it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Tell nobody of it for a while."""
    body = {"for_s": HOUR_S if seconds is None else seconds}
    _told(ctx, desk_of(ctx).api.post(f"/api/v1/alerts/{alert}/silence", body), json=json)


@taught(
    app,
    "assign",
    "lango alert assign 3f2c… --to Njeri",
    'lango alert assign 3f2c… --to ""',
)
def assign(
    ctx: typer.Context,
    alert: AlertId,
    *,
    to: Annotated[str, typer.Option(help="Whose task it is.")],
    json: Json = False,
) -> None:
    """Say whose task it is."""
    _told(ctx, desk_of(ctx).api.post(f"/api/v1/alerts/{alert}/assign", {"to": to}), json=json)


def _told(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("alert", found)
    else:
        screen.say(f"{found['text']}: {_state(found)}.")


@taught(
    app,
    "test",
    "lango alert test 9a1b…",
    "lango alert test 9a1b… --json",
)
def try_route(ctx: typer.Context, route: RouteId, *, json: Json = False) -> None:
    """Send a message over a route that says that it is a test."""
    desk = desk_of(ctx)
    found = desk.api.post(f"/api/v1/alert-routes/{route}/test")
    if json:
        desk.screen.json("alert-test", found)
    else:
        desk.screen.say("A test is on its way; lango sms list shows what became of an SMS.")


@taught(routes, "list", "lango alert routes list", "lango alert routes list --json")
def list_routes(ctx: typer.Context, *, json: Json = False) -> None:
    """List where alerts go."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/alert-routes")["data"]
    if json:
        desk.screen.json("alert-routes", {"data": lines})
        return
    desk.screen.table(
        ("ROUTE", "NAME", "KIND", "TO", "FROM", "WHERE", "STOPPED"),
        [
            (
                line["id"],
                line["name"],
                line["kind"],
                line["shown"],
                line["severity"],
                line["site_id"] or line["branch_id"] or "everywhere",
                line["stopped"] or words.NOTHING,
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Alerts are told nobody yet: lango alert routes add --help")


@taught(
    routes,
    "add",
    "lango alert routes add --name Desk --sms 0712345678",
    "lango alert routes add --name Boss --sms 0712345678 --severity critical --after 15m",
    "lango alert routes add --name Chat --webhook https://chat.example.co.ke/in",
)
def add_route(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="What people call it.")],
    sms: Annotated[str | None, typer.Option(help="To this phone.")] = None,
    email: Annotated[str | None, typer.Option(help="To this address.")] = None,
    webhook: Annotated[str | None, typer.Option(help="To this https address, signed.")] = None,
    severity: Annotated[str, typer.Option(help="warn: all; critical: the worst only.")] = "warn",
    site: OfSite = None,
    branch: Annotated[str | None, typer.Option(help="Only of this branch.")] = None,
    hours: Annotated[str, typer.Option(help="Only then, like 08:00-18:00.")] = "00:00-00:00",
    after: Annotated[
        int | None,
        typer.Option(parser=typed(units.duration_s), help="If nobody answered by then."),
    ] = None,
    language: Annotated[str, typer.Option(help="en or sw.")] = "en",
    json: Json = False,
) -> None:
    """Make a route: say one of --sms, --email and --webhook."""
    said = [(kind, target) for kind, target in (("sms", sms), ("email", email)) if target]
    said += [("webhook", webhook)] if webhook else []
    if len(said) != 1:
        raise typer.BadParameter("say one of --sms, --email and --webhook")
    kind, target = said[0]
    begins, _, ends = hours.partition("-")
    body = {
        "name": name,
        "kind": kind,
        "target": target,
        "severity": severity,
        "site_id": site,
        "branch_id": branch,
        "from_minute": units.minute(begins) % DAY_MINUTES,
        "until_minute": units.minute(ends or "00:00") % DAY_MINUTES,
        "after_s": after or 0,
        "language": language,
    }
    desk = desk_of(ctx)
    made = desk.api.post("/api/v1/alert-routes", body)
    if json:
        desk.screen.json("alert-route", made)
        return
    desk.screen.line(made["route"]["id"])
    if made["secret"]:
        desk.screen.line(made["secret"])
        desk.screen.say("The second line checks its signatures. It is shown this once.")
    desk.screen.say(f"Try it: lango alert test {made['route']['id']}")


@taught(
    routes, "remove", "lango alert routes remove 9a1b…", "lango alert routes remove 9a1b… --json"
)
def remove_route(ctx: typer.Context, route: RouteId, *, json: Json = False) -> None:
    """Tell this route nothing more."""
    _route(ctx, route, "remove", "is told nothing more", json=json)


@taught(
    routes, "resume", "lango alert routes resume 9a1b…", "lango alert routes resume 9a1b… --json"
)
def resume_route(ctx: typer.Context, route: RouteId, *, json: Json = False) -> None:
    """Tell a route again whose receiver had said that it is gone."""
    _route(ctx, route, "resume", "is told again", json=json)


def _route(ctx: typer.Context, route: str, verb: str, said: str, *, json: bool) -> None:
    desk = desk_of(ctx)
    found = desk.api.post(f"/api/v1/alert-routes/{route}/{verb}")
    if json:
        desk.screen.json("alert-route", found)
    else:
        desk.screen.say(f"{found['name']} {said}.")
