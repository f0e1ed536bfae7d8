"""``lango site``: the places with an agent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.chart import COLUMNS, drawn
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught
from controller.cli.screen import toned
from controller.geography import Place

app = typer.Typer(no_args_is_help=True, help="Sites: places with one agent each.")

HIDDEN = (
    *("outbox_records", "outbox_records_max", "outage_s", "outages"),
    *("latitude_e6", "longitude_e6"),
)
"""Fields of a site that are shown in words of their own."""

RAW_HOURS = 48
HOURLY_HOURS = 90 * 24
UNITS = {"ms": " ms", "pct": " %", "c": " °C", "ppm": " ppm", "kib": " KiB"}

SiteId = Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")]


@taught(
    app,
    "list",
    "lango site list",
    "lango site list --json",
)
def list_sites(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the sites, and whether they are online and in step."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/sites", limit=limit)
    if json:
        desk.screen.json("sites", {"data": lines})
        return
    desk.screen.table(
        ("SITE", "NAME", "STATE", "LAST SEEN", "DESIRED STATE", ">SESSIONS"),
        [_row(line) for line in lines],
    )
    if not lines:
        desk.screen.say("No sites yet. Add one: lango site add ID --name NAME")


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    return (
        line["id"],
        line["name"],
        _state(line),
        words.moment(line["last_seen_at"]),
        _step(line),
        str(line["sessions_open"]),
    )


def _state(line: dict[str, Any]) -> Any:
    if line["last_seen_at"] is None:
        return toned("never seen", "quiet")
    return toned("online", "good") if line["online"] else toned("offline", "bad")


def _step(line: dict[str, Any]) -> Any:
    at = f"{line['applied_generation']}/{line['generation']}"
    if line["in_step"]:
        return toned(f"{at} equal", "good")
    differs = line["applied_generation"] == line["generation"]
    return toned(f"{at} differs", "bad") if differs else toned(f"{at} behind", "busy")


@taught(
    app,
    "show",
    "lango site show estate-1",
    "lango site show estate-1 --json",
)
def show_site(ctx: typer.Context, site: SiteId, *, json: Json = False) -> None:
    """Show one site."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/sites/{site}")
    if json:
        desk.screen.json("site", found)
        return
    plain = {name: found[name] for name in found if name not in HIDDEN}
    more = [
        ("place", _place(found)),
        ("outbox", _outbox(found)),
        ("handed enough for", words.span(found["outage_s"])),
        *(("outage", _outage(one)) for one in found["outages"]),
    ]
    desk.screen.fields([*words.fields(plain), *more])


@taught(
    app,
    "graph",
    "lango site graph estate-1 --metric down_bps",
    "lango site graph estate-1 --metric rtt_ms --hours 168 --json",
)
def graph(
    ctx: typer.Context,
    site: SiteId,
    *,
    metric: Annotated[str, typer.Option(help="down_bps, sessions, rtt_ms, cpu_pct, …")],
    hours: Annotated[int, typer.Option(min=1, max=43_800, help="How far back.")] = 24,
    json: Json = False,
) -> None:
    """Draw how a site was: each column the mean of its time, an empty one was not measured."""
    desk = desk_of(ctx)
    query: dict[str, str | int] = {"metric": metric, "hours": hours}
    if not json:
        query["step"] = _graph_step_s(hours)
    found = desk.api.get(f"/api/v1/sites/{site}/series", query)
    if json:
        desk.screen.json("series", found)
        return
    if not found["data"]:
        desk.screen.say(f"Nothing was measured of {metric} in that time.")
        return
    for line in drawn(_columns(found), shown=_metric_words(metric)):
        desk.screen.line(line)
    least = min(one["low"] for one in found["data"])
    most = max(one["high"] for one in found["data"])
    begin, end = (words.moment_whole(found[name]) for name in ("since", "until"))
    show = _metric_words(metric)
    desk.screen.say(f"{metric} of {site}, {begin} to {end}; least {show(least)}, most {show(most)}")


def _graph_step_s(hours: int) -> int:
    """As fine as the columns are, and whole hours where nothing finer is kept."""
    step_s = max(20, -(-hours * 3_600 // (COLUMNS - 1)))
    if hours < RAW_HOURS:
        return step_s
    unit_s = 3_600 if hours < HOURLY_HOURS else 86_400
    return -(-step_s // unit_s) * unit_s


def _columns(found: dict[str, Any]) -> list[int | None]:
    """A column for each step, those in which nothing was measured too."""
    step = timedelta(seconds=found["step_s"])
    means = {words.instant(one["at"]): one["mean"] for one in found["data"]}
    since, until = words.instant(found["since"]), words.instant(found["until"])
    first = min(means)
    first -= (first - since) // step * step
    return [means.get(first + n * step) for n in range(-(-(until - first) // step))]


def _metric_words(metric: str) -> Callable[[int], str]:
    if metric.endswith("_bps"):
        return words.rate
    unit = UNITS.get(metric.rpartition("_")[2], "")
    return lambda value: f"{value:,}{unit}"


def _outbox(site: dict[str, Any]) -> str:
    if site["outbox_records"] is None:
        return words.NOTHING
    return f"{site['outbox_records']:,} of {site['outbox_records_max']:,} records"


def _outage(one: dict[str, Any]) -> str:
    began, lasted = words.moment_whole(one["began_at"]), words.span(one["duration_s"])
    return f"{began}, {lasted}" if one["ended_at"] else f"{began}, {lasted} until now"


def _place(found: dict[str, Any]) -> str:
    if found["latitude_e6"] is None:
        return "not said yet"
    return str(Place(found["latitude_e6"], found["longitude_e6"]))


@taught(
    app,
    "place",
    'lango site place estate-1 "-1.2921, 36.8219"',
    'lango site place estate-1 "https://maps.google.com/?q=-1.2921,36.8219"',
    "lango site place estate-1 --nowhere",
)
def place_site(
    ctx: typer.Context,
    site: SiteId,
    place: Annotated[str, typer.Argument(help='"lat, lng", or a link to a map.')] = "",
    *,
    nowhere: Annotated[bool, typer.Option("--nowhere", help="Take it off the map.")] = False,
    json: Json = False,
) -> None:
    """Say where a site is, for the map."""
    desk = desk_of(ctx)
    found = desk.api.patch(f"/api/v1/sites/{site}", {"place": None if nowhere else place})
    if json:
        desk.screen.json("site", found)
    elif nowhere:
        desk.screen.say(f"{site} is on no map.")
    else:
        desk.screen.line(_place(found))


@taught(
    app,
    "add",
    'lango site add estate-1 --name "Estate 1"',
    "lango site add e1 --name E1 --language sw",
)
def add_site(
    ctx: typer.Context,
    site: SiteId,
    *,
    name: Annotated[str, typer.Option(help="What people call it.")],
    operator: Annotated[str, typer.Option(help="Whose name customers see.")] = "",
    help_phone: Annotated[str, typer.Option(help="Whom customers call.")] = "",
    language: Annotated[str, typer.Option(help="en or sw.")] = "en",
    json: Json = False,
) -> None:
    """Add a site, with every plan that is on sale."""
    desk = desk_of(ctx)
    body = {
        "id": site,
        "name": name,
        "operator_name": operator,
        "help_phone": help_phone,
        "language": language,
    }
    made = desk.api.post("/api/v1/sites", body)
    if json:
        desk.screen.json("site", made)
        return
    desk.screen.line(made["id"])
    desk.screen.say(f"Site {made['id']} is there. Its gateway joins with: lango site join {site}")


@taught(
    app,
    "join",
    "lango site join estate-1",
    "lango site join estate-1 --json=sha256",
)
def join(ctx: typer.Context, site: SiteId, *, json: Json = False) -> None:
    """Make the one command by which a Linux machine becomes the site's gateway."""
    desk = desk_of(ctx)
    made = desk.api.post(f"/api/v1/sites/{site}/join-commands")
    if json:
        desk.screen.json("join-command", made)
        return
    desk.screen.line(made["command"])
    desk.screen.say(f"The script that it fetches has the SHA-256 {made['sha256']}")
    desk.screen.say(f"Good once, for an hour. How far it is: /noc/sites/{site}/joining")


@taught(
    app,
    "join-token",
    "lango site join-token estate-1",
    "lango site join-token estate-1 | ssh box lango-agent join",
)
def join_token(ctx: typer.Context, site: SiteId, *, json: Json = False) -> None:
    """Make a one-use token, good for an hour, with which the site's agent joins."""
    desk = desk_of(ctx)
    made = desk.api.post(f"/api/v1/sites/{site}/join-tokens")
    if json:
        desk.screen.json("join-token", made)
        return
    desk.screen.line(made["token"])
    desk.screen.say("Shown this once, used once, good for an hour: lango-agent join TOKEN")


@taught(
    app,
    "upstream",
    "lango site upstream estate-2 estate-1",
    "lango site upstream estate-2 none",
)
def set_upstream(
    ctx: typer.Context,
    site: SiteId,
    upstream: Annotated[str, typer.Argument(help="The site it is reached through, or none.")],
    *,
    json: Json = False,
) -> None:
    """Say through which site a site is reached: while that is silent, its alerts are held."""
    desk = desk_of(ctx)
    parent_id = None if upstream == "none" else upstream
    found = desk.api.post(f"/api/v1/sites/{site}/upstream", {"parent_id": parent_id})
    if json:
        desk.screen.json("site", found)
        return
    through = "no site of yours" if parent_id is None else parent_id
    desk.screen.say(f"{found['name']} is reached through {through}.")
